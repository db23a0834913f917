import type { GraphBuilder } from '../graph/builder.ts';
import {
  type Attributes,
  type BinaryFunction,
  type Comparison,
  type DType,
  type Op,
  type UnaryFunction,
  type ValueId,
  type ValueType,
  sameShape,
} from '../graph/graph.ts';

/** Short ways to add nodes, for transforms that write expressions. */
export interface Build {
  one<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): ValueId;
  type(x: ValueId): ValueType;
  shape(x: ValueId): readonly number[];
  number(value: number): ValueId;
  zeros(like: ValueId): ValueId;
  unary(fn: UnaryFunction, x: ValueId): ValueId;
  binary(fn: BinaryFunction, a: ValueId, b: ValueId): ValueId;
  add(a: ValueId, b: ValueId): ValueId;
  sub(a: ValueId, b: ValueId): ValueId;
  mul(a: ValueId, b: ValueId): ValueId;
  div(a: ValueId, b: ValueId): ValueId;
  neg(x: ValueId): ValueId;
  compare(fn: Comparison, a: ValueId, b: ValueId): ValueId;
  select(c: ValueId, a: ValueId, b: ValueId): ValueId;
  cast(x: ValueId, dtype: DType): ValueId;
  reshape(x: ValueId, shape: readonly number[]): ValueId;
  transpose(x: ValueId, perm: readonly number[]): ValueId;
  broadcast(x: ValueId, shape: readonly number[]): ValueId;
  slice(x: ValueId, begin: readonly number[], size: readonly number[]): ValueId;
  /** Sums `x` over the axes along which `shape` would have been broadcast to its shape. */
  sumTo(x: ValueId, shape: readonly number[]): ValueId;
}

export function build(b: GraphBuilder): Build {
  const one: Build['one'] = (op, attrs, inputs) => b.one(op, attrs, inputs);
  const shape = (x: ValueId): readonly number[] => b.type(x).shape;
  const binary: Build['binary'] = (fn, x, y) => one('binary', { fn }, [x, y]);
  const reshape: Build['reshape'] = (x, to) => (sameShape(shape(x), to) ? x : one('reshape', { shape: to }, [x]));
  return {
    one,
    shape,
    binary,
    reshape,
    type: (x) => b.type(x),
    number: (value) => b.splat(value),
    zeros: (like) => b.splat(0, shape(like)),
    unary: (fn, x) => one('unary', { fn }, [x]),
    add: (x, y) => binary('add', x, y),
    sub: (x, y) => binary('sub', x, y),
    mul: (x, y) => binary('mul', x, y),
    div: (x, y) => binary('div', x, y),
    neg: (x) => one('unary', { fn: 'neg' }, [x]),
    compare: (fn, x, y) => one('compare', { fn }, [x, y]),
    select: (c, x, y) => one('select', {}, [c, x, y]),
    cast: (x, dtype) => (b.type(x).dtype === dtype ? x : one('cast', { dtype }, [x])),
    transpose: (x, perm) => (perm.every((axis, i) => axis === i) ? x : one('transpose', { perm }, [x])),
    broadcast: (x, to) => (sameShape(shape(x), to) ? x : one('broadcast', { shape: to }, [x])),
    slice: (x, begin, size) =>
      sameShape(shape(x), size) ? x : one('slice', { begin, size, strides: size.map(() => 1) }, [x]),
    sumTo: (x, to) => {
      const own = shape(x);
      if (sameShape(own, to)) return x;
      const lead = own.length - to.length;
      const axes = own
        .map((_, axis) => axis)
        .filter((axis) => axis < lead || (to[axis - lead] === 1 && own[axis] !== 1));
      const summed = axes.length === 0 ? x : one('reduce', { fn: 'sum', axes, keepDims: false }, [x]);
      if (own.length < to.length || shape(summed).some((d, i) => d !== to[i]) || shape(summed).length !== to.length)
        return shape(summed).reduce((a, d) => a * d, 1) === to.reduce((a, d) => a * d, 1)
          ? reshape(summed, to)
          : one('broadcast', { shape: to }, [summed]);
      return summed;
    },
  };
}
