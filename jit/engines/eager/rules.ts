import * as tf from '@tensorflow/tfjs-core';
import { extentsOf, range } from '../axes.ts';
import {
  type Attributes,
  type DType,
  type HostArray,
  type Op,
  type ValueType,
  allocate,
  sameShape,
  sizeOf,
} from '../../graph/graph.ts';
import { type OperandLayout, contractLayout } from '../contract-layout.ts';
import { BINARY, COMPARE, UNARY } from './functions.ts';

/** Primitives that hold bodies: the replayer runs them itself. */
export type BodyOp = 'call' | 'customGradient' | 'cond' | 'scan';
export type PlainOp = Exclude<Op, BodyOp>;

/** Computes a primitive on the active backend. The tensor it gives may be its input. */
export type EagerRule<O extends PlainOp> = (
  attrs: Attributes[O],
  inputs: readonly tf.Tensor[],
  output: ValueType,
) => tf.Tensor;

/** Ranks above this broadcast wrongly on the wasm backend, without an error. */
const MAX_BROADCAST_RANK = 4;

const at = (inputs: readonly tf.Tensor[], index: number): tf.Tensor => inputs[index] as tf.Tensor;
const shapeOf = (shape: readonly number[]): number[] => [...shape];

/** A host array as a tensor of the active backend. A splat is filled there. */
export function toTensor({ shape, dtype, data }: HostArray): tf.Tensor {
  if (data.length === 1 && sizeOf(shape) !== 1) return tf.fill(shapeOf(shape), data[0] as number, dtype);
  return tf.tensor(data, shapeOf(shape), dtype);
}

function broadcastTo(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  return sameShape(x.shape, shape) ? x : tf.broadcastTo(x, shapeOf(shape));
}

/** Moves elements about as int32 where the tensor is bool: several kernels of the wasm backend misread bool tensors. */
function asInt(x: tf.Tensor, move: (x: tf.Tensor) => tf.Tensor): tf.Tensor {
  if (x.dtype !== 'bool') return move(x);
  return toBool(move(tf.cast(x, 'int32')));
}

/** Not zero, as exactly 0 or 1; NaN is not zero. (The wasm backend's cast from int32 keeps the byte.) */
function toBool(x: tf.Tensor): tf.Tensor {
  return x.dtype === 'bool' ? x : tf.logicalNot(tf.equal(x, tf.scalar(0, x.dtype)));
}

/** Applies an elementwise function to operands that broadcast. High ranks are broadcast first and flattened. */
function elementwise(
  inputs: readonly tf.Tensor[],
  shape: readonly number[],
  apply: (inputs: readonly tf.Tensor[]) => tf.Tensor,
): tf.Tensor {
  if (shape.length <= MAX_BROADCAST_RANK) return apply(inputs);
  const flat = inputs.map((x) => (x.size === 1 ? tf.reshape(x, []) : tf.reshape(broadcastTo(x, shape), [-1])));
  return broadcastTo(
    tf.reshape(apply(flat), flat.some((x) => x.rank === 1) ? shapeOf(shape) : shape.map(() => 1)),
    shape,
  );
}

const REDUCE = {
  sum: tf.sum,
  mean: tf.mean,
  max: tf.max,
  min: tf.min,
  prod: tf.prod,
  any: tf.any,
  all: tf.all,
} satisfies Record<Attributes['reduce']['fn'], unknown>;

function asMatrix(x: tf.Tensor, { perm, matrix }: OperandLayout): tf.Tensor {
  const ordered = perm === undefined ? x : tf.transpose(x, shapeOf(perm));
  return tf.reshape(ordered, matrix[0] === 1 ? [matrix[1], matrix[2]] : shapeOf(matrix));
}

function transposed(x: tf.Tensor, perm: readonly number[]): tf.Tensor {
  return perm.every((axis, index) => axis === index) ? x : tf.transpose(x, shapeOf(perm));
}

/** Row numbers of a table `[batch * size, ...]` from indices whose leading axes are the batch: `[batch, count]`. */
function flatIndices(indices: tf.Tensor, { batches, size }: { batches: number; size: number }): tf.Tensor {
  const start = tf.mul(counts(batches, { rank: 2, axis: 0, dtype: 'int32' }), tf.scalar(size, 'int32'));
  return tf.add(tf.reshape(indices, [batches, indices.size / batches]), start);
}

/** Counts along one axis, of extent one elsewhere. */
function counts(extent: number, { rank, axis, dtype }: { rank: number; axis: number; dtype: DType }): tf.Tensor {
  const data = allocate(dtype, extent);
  for (let i = 0; i < extent; i += 1) data[i] = i;
  return tf.tensor(
    data,
    Array.from({ length: rank }, (_, i) => (i === axis ? extent : 1)),
    dtype,
  );
}

/** How TensorFlow.js computes every primitive without bodies. */
export const EAGER_RULES: { readonly [O in PlainOp]: EagerRule<O> } = {
  constant: (attrs) => toTensor(attrs),
  unary: ({ fn }, inputs) => UNARY[fn](at(inputs, 0)),
  binary: ({ fn }, inputs, { shape }) =>
    elementwise(inputs, shape, ([a, b]) => BINARY[fn](a as tf.Tensor, b as tf.Tensor)),
  compare: ({ fn }, inputs, { shape }) => {
    const numbers = inputs.map((x) => (x.dtype === 'bool' ? tf.cast(x, 'int32') : x));
    return elementwise(numbers, shape, ([a, b]) => COMPARE[fn](a as tf.Tensor, b as tf.Tensor));
  },
  select: (_, [condition, a, b], { shape, dtype }) => {
    const branch = (x: tf.Tensor | undefined) =>
      dtype === 'bool' ? tf.cast(x as tf.Tensor, 'int32') : (x as tf.Tensor);
    const operands = [condition as tf.Tensor, branch(a), branch(b)];
    const chosen = elementwise(operands, shape, ([c, x, y]) =>
      tf.where(c as tf.Tensor, x as tf.Tensor, y as tf.Tensor),
    );
    return dtype === 'bool' ? toBool(chosen) : chosen;
  },
  reduce: ({ fn, axes, keepDims }, inputs) => {
    const x = at(inputs, 0);
    return axes.length === 0 ? x : REDUCE[fn](x, shapeOf(axes), keepDims);
  },
  argReduce: ({ fn, axis }, inputs) => {
    const x = at(inputs, 0).dtype === 'bool' ? tf.cast(at(inputs, 0), 'int32') : at(inputs, 0);
    return fn === 'max' ? tf.argMax(x, axis) : tf.argMin(x, axis);
  },
  contract: (attrs, inputs, { shape }) => {
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const types = [a, b].map((x): ValueType => ({ shape: x.shape, dtype: 'float32' }));
    const { left, right } = contractLayout(attrs, types as [ValueType, ValueType]);
    const product = tf.matMul(asMatrix(a, left), asMatrix(b, right), left.transposed, right.transposed);
    return tf.reshape(product, shapeOf(shape));
  },
  gather: ({ axis, batchDims }, inputs, { shape }) =>
    asInt(at(inputs, 0), (x) => {
      const indices = at(inputs, 1);
      if (batchDims === 0) return tf.gather(x, indices, axis);
      // As rows of a table, [batch * size, outer * rest]: the wasm backend's own batched gather reads wrong places.
      const picked = indices.shape.slice(batchDims);
      const [batch, outer, rest] = [range(0, batchDims), range(batchDims, axis), range(axis + 1, x.rank)];
      const size = x.shape[axis] as number;
      const batches = sizeOf(extentsOf(x.shape, batch));
      const inner = extentsOf(x.shape, [...outer, ...rest]);
      const table = tf.reshape(transposed(x, [...batch, axis, ...outer, ...rest]), [batches * size, sizeOf(inner)]);
      const rows = tf.gather(table, tf.reshape(flatIndices(indices, { batches, size }), [-1]), 0);
      const ordered = tf.reshape(rows, [...extentsOf(x.shape, batch), ...picked, ...inner]);
      const middle = batchDims + picked.length;
      const end = middle + outer.length;
      return transposed(ordered, [
        ...batch,
        ...range(middle, end),
        ...range(batchDims, middle),
        ...range(end, shape.length),
      ]);
    }),
  scatterAdd: ({ axis, batchDims, size }, inputs, { shape }) =>
    // As rows of a matrix: `[batch * index, outer * rest]` added into `[batch * size, outer * rest]`.
    asInt(at(inputs, 1), (updates) => {
      const indices = at(inputs, 0);
      const picked = indices.rank - batchDims;
      const [batch, outer, rest] = [range(0, batchDims), range(batchDims, axis), range(axis + picked, updates.rank)];
      const batches = sizeOf(extentsOf(updates.shape, batch));
      const inner = extentsOf(updates.shape, [...outer, ...rest]);
      const width = sizeOf(inner);
      const front = transposed(updates, [...batch, ...range(axis, axis + picked), ...outer, ...rest]);
      const rows = tf.reshape(front, [indices.size, width]);
      const places = tf.reshape(flatIndices(indices, { batches, size }), [indices.size, 1]);
      const sum = tf.scatterND(places, rows, [batches * size, width]);
      const split = tf.reshape(sum, [...extentsOf(updates.shape, batch), size, ...inner]);
      const end = batchDims + 1 + outer.length;
      return transposed(split, [...batch, ...range(batchDims + 1, end), batchDims, ...range(end, shape.length)]);
    }),
  cumulative: ({ fn, axis, exclusive, reverse }, inputs) =>
    fn === 'sum'
      ? tf.cumsum(at(inputs, 0), axis, exclusive, reverse)
      : tf.cumprod(at(inputs, 0), axis, exclusive, reverse),
  reshape: ({ shape }, inputs) => tf.reshape(at(inputs, 0), shapeOf(shape)),
  transpose: ({ perm }, inputs) => asInt(at(inputs, 0), (x) => transposed(x, perm)),
  slice: ({ begin, size, strides }, inputs) => {
    const x = at(inputs, 0);
    if (x.rank === 0) return x;
    if (strides.every((stride) => stride === 1)) return tf.slice(x, shapeOf(begin), shapeOf(size));
    const last = begin.map((first, axis) => first + ((size[axis] as number) - 1) * (strides[axis] as number) + 1);
    // Kernels of the wasm backend step through float32 only.
    const step = (y: tf.Tensor) => tf.stridedSlice(y, shapeOf(begin), last, shapeOf(strides));
    if (x.dtype === 'float32') return step(x);
    return strides.reduce<tf.Tensor>(
      (y, stride, axis) => takeEvery(y, { axis, first: begin[axis] as number, count: size[axis] as number, stride }),
      x,
    );
  },
  pad: ({ before, after, value }, inputs) =>
    asInt(at(inputs, 0), (x) =>
      x.rank === 0
        ? x
        : tf.pad(
            x,
            before.map((n, axis): [number, number] => [n, after[axis] as number]),
            value,
          ),
    ),
  concat: ({ axis }, inputs) => {
    const parts = inputs.filter((x) => x.size > 0);
    if (parts.length === 1) return at(parts, 0);
    if (at(parts, 0).dtype !== 'bool') return tf.concat(parts, axis);
    return toBool(
      tf.concat(
        parts.map((x) => tf.cast(x, 'int32')),
        axis,
      ),
    );
  },
  reverse: ({ axes }, inputs) =>
    axes.length === 0 ? at(inputs, 0) : asInt(at(inputs, 0), (x) => tf.reverse(x, shapeOf(axes))),
  broadcast: ({ shape }, inputs) => asInt(at(inputs, 0), (x) => broadcastTo(x, shape)),
  iota: ({ shape, axis, dtype }) =>
    broadcastTo(counts(shape[axis] as number, { rank: shape.length, axis, dtype }), shape),
  cast: ({ dtype }, inputs) => {
    const x = at(inputs, 0);
    if (x.dtype === dtype) return x;
    return dtype === 'bool' ? toBool(x) : tf.cast(x, dtype);
  },
  size: ({ axes }, inputs) => tf.scalar(sizeOf(axes.map((axis) => at(inputs, 0).shape[axis] as number)), 'float32'),
  stopGradient: (_, inputs) => at(inputs, 0),
};

/** Every `stride`-th slice along an axis. */
function takeEvery(
  x: tf.Tensor,
  { axis, first, count, stride }: { axis: number; first: number; count: number; stride: number },
): tf.Tensor {
  if (stride === 1 && first === 0 && count === x.shape[axis]) return x;
  const indices = Int32Array.from({ length: count }, (_, i) => first + i * stride);
  return asInt(x, (y) => tf.gather(y, tf.tensor1d(indices, 'int32'), axis));
}
