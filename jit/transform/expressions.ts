import type { GraphBuilder } from '../graph/builder.ts';
import {
  type Attributes,
  type BinaryFunction,
  type Comparison,
  type Op,
  type UnaryFunction,
  type ValueId,
  type ValueType,
  allocate,
  sameShape,
  sizeOf,
} from '../graph/graph.ts';

/** Short ways to add nodes, for transforms that write expressions. What would change nothing adds none. */
export interface Build {
  one<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): ValueId;
  type(x: ValueId): ValueType;
  shape(x: ValueId): readonly number[];
  /** A float32 scalar constant. */
  number(value: number): ValueId;
  /** Zeros of a type. */
  zeros(type: ValueType): ValueId;
  unary(fn: UnaryFunction, x: ValueId): ValueId;
  binary(fn: BinaryFunction, a: ValueId, b: ValueId): ValueId;
  add(a: ValueId, b: ValueId): ValueId;
  sub(a: ValueId, b: ValueId): ValueId;
  mul(a: ValueId, b: ValueId): ValueId;
  div(a: ValueId, b: ValueId): ValueId;
  neg(x: ValueId): ValueId;
  compare(fn: Comparison, a: ValueId, b: ValueId): ValueId;
  select(condition: ValueId, a: ValueId, b: ValueId): ValueId;
  reshape(x: ValueId, shape: readonly number[]): ValueId;
  transpose(x: ValueId, perm: readonly number[]): ValueId;
  broadcast(x: ValueId, shape: readonly number[]): ValueId;
  reverse(x: ValueId, axes: readonly number[]): ValueId;
  /** A range of each axis. */
  slice(x: ValueId, begin: readonly number[], size: readonly number[]): ValueId;
  /** Zeros around. */
  pad(x: ValueId, before: readonly number[], after: readonly number[]): ValueId;
  /** Values of one shape along a new leading axis. */
  stack(parts: readonly ValueId[]): ValueId;
  /** The parts of a value along its leading axis, which goes away. */
  unstack(x: ValueId): ValueId[];
  /** Sums `x` over the axes along which a value of `shape` was broadcast to the shape of `x`. */
  sumTo(x: ValueId, shape: readonly number[]): ValueId;
}

/** 0, 1, ..., count - 1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** The permutation that undoes another. */
export function inverse(perm: readonly number[]): number[] {
  const back = perm.map(() => 0);
  perm.forEach((from, to) => {
    back[from] = to;
  });
  return back;
}

/** Whether a permutation moves nothing. */
export function isIdentity(perm: readonly number[]): boolean {
  return perm.every((axis, index) => axis === index);
}

/** The extents of a shape along some axes, in their order. */
export function extentsOf(shape: readonly number[], axes: readonly number[]): number[] {
  return axes.map((axis) => shape[axis] as number);
}

/** Expressions whose nodes go to this builder. */
export function expressionsOf(builder: GraphBuilder): Build {
  const one: Build['one'] = (op, attrs, inputs) => builder.one(op, attrs, inputs);
  const shape = (x: ValueId): readonly number[] => builder.type(x).shape;
  const binary: Build['binary'] = (fn, a, b) => one('binary', { fn }, [a, b]);
  const reshape: Build['reshape'] = (x, to) => (sameShape(shape(x), to) ? x : one('reshape', { shape: to }, [x]));
  const slice: Build['slice'] = (x, begin, size) =>
    sameShape(shape(x), size) ? x : one('slice', { begin, size, strides: size.map(() => 1) }, [x]);
  return {
    one,
    shape,
    binary,
    reshape,
    slice,
    type: (x) => builder.type(x),
    number: (value) => builder.splat(value),
    zeros: ({ shape: extents, dtype }) => builder.constant({ shape: extents, dtype, data: allocate(dtype, 1) }),
    unary: (fn, x) => one('unary', { fn }, [x]),
    add: (a, b) => binary('add', a, b),
    sub: (a, b) => binary('sub', a, b),
    mul: (a, b) => binary('mul', a, b),
    div: (a, b) => binary('div', a, b),
    neg: (x) => one('unary', { fn: 'neg' }, [x]),
    compare: (fn, a, b) => one('compare', { fn }, [a, b]),
    select: (condition, a, b) => one('select', {}, [condition, a, b]),
    transpose: (x, perm) => (isIdentity(perm) ? x : one('transpose', { perm }, [x])),
    broadcast: (x, to) => (sameShape(shape(x), to) ? x : one('broadcast', { shape: to }, [x])),
    reverse: (x, axes) => (axes.length === 0 ? x : one('reverse', { axes }, [x])),
    pad: (x, before, after) =>
      [...before, ...after].every((width) => width === 0) ? x : one('pad', { before, after, value: 0 }, [x]),
    stack: (parts) => {
      const rows = parts.map((part) => reshape(part, [1, ...shape(part)]));
      const [first] = rows;
      return rows.length === 1 && first !== undefined ? first : one('concat', { axis: 0 }, rows);
    },
    unstack: (x) => {
      const [count = 0, ...rest] = shape(x);
      const zeros = rest.map(() => 0);
      return range(count).map((index) => reshape(slice(x, [index, ...zeros], [1, ...rest]), rest));
    },
    sumTo: (x, to) => {
      const own = shape(x);
      if (sameShape(own, to)) return x;
      const lead = own.length - to.length;
      const axes = range(own.length).filter((axis) => axis < lead || (to[axis - lead] === 1 && own[axis] !== 1));
      const summed = sizeOf(extentsOf(own, axes)) === 1 ? x : one('reduce', { fn: 'sum', axes, keepDims: false }, [x]);
      return reshape(summed, to);
    },
  };
}
