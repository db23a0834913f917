import type { GraphBuilder } from '../../graph/builder.ts';
import {
  type Attributes,
  type BinaryFunction,
  type Comparison,
  type DType,
  type Op,
  type Reduction,
  type TypedArray,
  type UnaryFunction,
  type ValueId,
  type ValueType,
  allocate,
  sameShape,
} from '../../graph/graph.ts';

/** Adds nodes for lowerings. What would change nothing adds none: a cast to the same dtype, a reshape to the same shape. */
export interface Emit {
  type(x: ValueId): ValueType;
  shape(x: ValueId): readonly number[];
  dtype(x: ValueId): DType;
  one<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): ValueId;
  /** A constant whose elements are all `value`; a float32 scalar by default. */
  fill(value: number, type?: { readonly shape?: readonly number[]; readonly dtype?: DType }): ValueId;
  unary(fn: UnaryFunction, x: ValueId): ValueId;
  binary(fn: BinaryFunction, a: ValueId, b: ValueId): ValueId;
  compare(fn: Comparison, a: ValueId, b: ValueId): ValueId;
  select(condition: ValueId, a: ValueId, b: ValueId): ValueId;
  reduce(fn: Reduction, x: ValueId, options: { readonly axes: readonly number[]; readonly keepDims: boolean }): ValueId;
  cast(x: ValueId, dtype: DType): ValueId;
  reshape(x: ValueId, shape: readonly number[]): ValueId;
  transpose(x: ValueId, perm: readonly number[]): ValueId;
  broadcast(x: ValueId, shape: readonly number[]): ValueId;
  slice(
    x: ValueId,
    range: {
      readonly begin: readonly number[];
      readonly size: readonly number[];
      readonly strides?: readonly number[];
    },
  ): ValueId;
  /** A range of one axis, the others whole. */
  sliceAxis(x: ValueId, range: { readonly axis: number; readonly begin: number; readonly size: number }): ValueId;
  reverse(x: ValueId, axes: readonly number[]): ValueId;
  concat(xs: readonly ValueId[], axis: number): ValueId;
}

/** Adds nodes to a builder, each with the place that `placeNow` tells. */
export function emitter(builder: GraphBuilder, placeNow: () => string | undefined): Emit {
  const one: Emit['one'] = (op, attrs, inputs) => builder.one(op, attrs, inputs, placeNow());
  const shape: Emit['shape'] = (x) => builder.type(x).shape;
  const dtype: Emit['dtype'] = (x) => builder.type(x).dtype;
  const slice: Emit['slice'] = (x, { begin, size, strides = size.map(() => 1) }) =>
    sameShape(size, shape(x)) ? x : one('slice', { begin, size, strides }, [x]);
  return {
    one,
    shape,
    dtype,
    slice,
    type: (x) => builder.type(x),
    fill: (value, { shape: extents = [], dtype: element = 'float32' } = {}) =>
      one('constant', { shape: extents, dtype: element, data: single(value, element) }, []),
    unary: (fn, x) => one('unary', { fn }, [x]),
    binary: (fn, a, b) => one('binary', { fn }, [a, b]),
    compare: (fn, a, b) => one('compare', { fn }, [a, b]),
    select: (condition, a, b) => one('select', {}, [condition, a, b]),
    reduce: (fn, x, { axes, keepDims }) =>
      axes.length === 0 ? x : one('reduce', { fn, axes: axes.toSorted((a, b) => a - b), keepDims }, [x]),
    cast: (x, to) => (dtype(x) === to ? x : one('cast', { dtype: to }, [x])),
    reshape: (x, to) => (sameShape(shape(x), to) ? x : one('reshape', { shape: to }, [x])),
    transpose: (x, perm) => (perm.every((from, axis) => from === axis) ? x : one('transpose', { perm }, [x])),
    broadcast: (x, to) => (sameShape(shape(x), to) ? x : one('broadcast', { shape: to }, [x])),
    sliceAxis: (x, { axis, begin, size }) =>
      slice(x, {
        begin: shape(x).map((_, each) => (each === axis ? begin : 0)),
        size: shape(x).map((extent, each) => (each === axis ? size : extent)),
      }),
    reverse: (x, axes) => (axes.length === 0 ? x : one('reverse', { axes }, [x])),
    concat: (xs, axis) => {
      const [only] = xs;
      return xs.length === 1 && only !== undefined ? only : one('concat', { axis }, xs);
    },
  };
}

function single(value: number, dtype: DType): TypedArray {
  return allocate(dtype, 1).fill(value);
}
