import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { type DType, sizeOf } from '../../../jit/graph/graph.ts';
import { type Call, type KernelCase, anAxis, arrays, shapes } from './kernel-check.ts';

const DTYPES: readonly DType[] = ['float32', 'int32', 'bool'];
const COUNT = fc.integer({ min: 1, max: 3 });

/** Calls of functions of one tensor of any dtype. */
function ofOne<P>(
  kernel: string,
  {
    shape = shapes(),
    params,
    run,
  }: {
    readonly shape?: fc.Arbitrary<number[]>;
    readonly params: (shape: number[]) => fc.Arbitrary<P>;
    readonly run: (x: tf.Tensor, params: P) => tf.Tensor | tf.Tensor[];
  },
): KernelCase {
  const calls = fc
    .tuple(shape, fc.constantFrom(...DTYPES))
    .chain(([own, dtype]) =>
      fc
        .tuple(arrays(own, { dtype }), params(own))
        .map(([x, given]): Call => ({ inputs: { x }, run: ({ x }) => run(x as tf.Tensor, given) })),
    );
  return { kernel, calls, tolerance: 0 };
}

/** For each axis, one value. */
function each<T>(shape: readonly number[], value: (extent: number) => fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.tuple(...shape.map(value)).map((all) => Array.from(all));
}

/** Calls of functions of several tensors alike but for one axis. */
function ofMany(
  kernel: string,
  {
    varies,
    run,
  }: {
    readonly varies: boolean;
    readonly run: (xs: tf.Tensor[], axis: number) => tf.Tensor;
  },
): KernelCase {
  const calls = fc
    .tuple(
      shapes({ minRank: 1, maxRank: 3 }),
      fc.constantFrom(...DTYPES),
      fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
    )
    .chain(([shape, dtype, extents]) =>
      anAxis(shape).chain((axis) => {
        const shapeWith = (extent: number): number[] => shape.toSpliced(axis, 1, extent);
        return fc
          .tuple(...extents.map((extent) => arrays(varies ? shapeWith(extent) : shape, { dtype })))
          .map((list): Call => ({
            inputs: Object.fromEntries(list.map((x, index) => [`x${index}`, x])),
            run: (inputs) => run(Object.values(inputs), axis),
          }));
      }),
    );
  return { kernel, calls, tolerance: 0 };
}

/** Factorisations of a shape's number of elements into another shape, one extent left open at times. */
function reshapes(shape: readonly number[]): fc.Arbitrary<number[]> {
  return fc
    .tuple(fc.shuffledSubarray([...shape], { minLength: shape.length }), fc.boolean(), fc.boolean())
    .map(([extents, flat, open]) => {
      const to = flat ? [sizeOf(extents)] : extents;
      return open && to.length > 0 ? to.with(0, -1) : to;
    });
}

interface Range {
  readonly begin: number;
  readonly size: number;
}

function rangeIn(extent: number): fc.Arbitrary<Range> {
  return fc
    .nat(extent)
    .chain((begin) => fc.record({ begin: fc.constant(begin), size: fc.integer({ min: -1, max: extent - begin }) }));
}

interface Stride {
  readonly begin: number;
  readonly end: number;
  readonly stride: number;
}

/** Ranges that run the way of their stride (others make TensorFlow.js's cpu backend throw), their ends counted from either side. */
function strideIn(extent: number): fc.Arbitrary<Stride> {
  return fc
    .tuple(fc.nat(extent - 1), fc.nat(extent), fc.constantFrom(1, 2, 3, -1, -2), fc.boolean(), fc.boolean())
    .map(([a, b, stride, beginBack, endBack]) => {
      const begin = stride > 0 ? Math.min(a, b) : Math.max(a, b - 1);
      const end = stride > 0 ? Math.max(a, b) : Math.min(a, b - 1);
      const fromEnd = (index: number): number => (index < extent ? index - extent : index);
      return {
        begin: beginBack ? fromEnd(begin) : begin,
        end: endBack || end < 0 ? fromEnd(end) : end,
        stride,
      };
    });
}

/** Divisions of an extent: equal ones, or sizes of which one may be left open. */
function splitsOf(extent: number): fc.Arbitrary<number | number[]> {
  const divisors = [1, 2, 3, 4].filter((count) => extent % count === 0);
  return fc.oneof(
    fc.constantFrom(...divisors),
    fc.tuple(fc.nat(extent), fc.boolean()).map(([first, open]) => [first, open ? -1 : extent - first]),
  );
}

/** Shapes and order of elements. */
export const SHAPE_CASES: readonly KernelCase[] = [
  ofOne('Reshape', { params: reshapes, run: (x, shape) => tf.reshape(x, shape) }),
  ofOne('ExpandDims', {
    params: (shape) => fc.integer({ min: -shape.length - 1, max: shape.length }),
    run: (x, axis) => tf.expandDims(x, axis),
  }),
  ofOne('Tile', { params: (shape) => each(shape, () => COUNT), run: (x, reps) => tf.tile(x, reps) }),
  // The function is made of Tile, so the kernel is called.
  ofOne('BroadcastTo', {
    params: (shape) =>
      fc.tuple(
        fc.array(COUNT, { maxLength: 1 }),
        each(shape, (extent) => (extent === 1 ? COUNT : fc.constant(extent))),
      ),
    run: (x, [lead, shape]) => {
      const to = [...lead, ...shape];
      return tf.getBackend() === 'cpu'
        ? tf.broadcastTo(x, to)
        : tf.engine().runKernel<tf.Tensor>('BroadcastTo', { x }, { shape: to });
    },
  }),
  ofOne('Transpose', {
    params: (shape) =>
      fc.shuffledSubarray(
        shape.map((_, axis) => axis),
        { minLength: shape.length },
      ),
    run: (x, perm) => tf.transpose(x, perm),
  }),
  ofOne('Slice', {
    shape: shapes({ minRank: 1 }),
    params: (shape) => each(shape, rangeIn),
    run: (x, ranges) =>
      tf.slice(
        x,
        ranges.map(({ begin }) => begin),
        ranges.map(({ size }) => size),
      ),
  }),
  ofOne('StridedSlice', {
    shape: shapes({ minRank: 1, maxRank: 3 }),
    params: (shape) =>
      fc.record({
        ranges: each(shape, strideIn),
        beginMask: fc.nat(7),
        endMask: fc.nat(7),
        newAxisMask: fc.constantFrom(0, 0, 0, 1),
      }),
    run: (x, { ranges, beginMask, endMask, newAxisMask }) => {
      // A new axis has a range of its own, which counts for nothing.
      const all = [...(newAxisMask === 1 ? [{ begin: 0, end: 1, stride: 1 }] : []), ...ranges];
      return tf.stridedSlice(
        x,
        all.map(({ begin }) => begin),
        all.map(({ end }) => end),
        all.map(({ stride }) => stride),
        beginMask,
        endMask,
        0,
        newAxisMask,
      );
    },
  }),
  ofOne('SplitV', {
    shape: shapes({ minRank: 1 }),
    params: (shape) => anAxis(shape).chain((axis) => fc.tuple(splitsOf(shape.at(axis) ?? 1), fc.constant(axis))),
    run: (x, [splits, axis]) => tf.split(x, splits, axis),
  }),
  ofOne('Unpack', { shape: shapes({ minRank: 1 }), params: anAxis, run: (x, axis) => tf.unstack(x, axis) }),
  ofMany('Pack', {
    varies: false,
    run: (xs, axis) => tf.stack(xs, axis < 0 ? axis + (xs[0] as tf.Tensor).rank : axis),
  }),
  ofMany('Concat', { varies: true, run: (xs, axis) => tf.concat(xs, axis) }),
  ofOne('PadV2', {
    params: (shape) =>
      fc.tuple(
        each(shape, () => fc.tuple(fc.nat(2), fc.nat(2))),
        fc.constantFrom(0, 1),
      ),
    run: (x, [paddings, value]) => tf.engine().runKernel<tf.Tensor>('PadV2', { x }, { paddings, constantValue: value }),
  }),
  ofOne('MirrorPad', {
    shape: shapes({ minRank: 1 }),
    params: (shape) =>
      fc.constantFrom<'reflect' | 'symmetric'>('reflect', 'symmetric').chain((mode) =>
        fc.record({
          mode: fc.constant(mode),
          paddings: each(shape, (extent) => {
            const most = mode === 'reflect' ? extent - 1 : extent;
            return fc.tuple(fc.nat(most), fc.nat(most));
          }),
        }),
      ),
    run: (x, { mode, paddings }) => tf.mirrorPad(x, paddings, mode),
  }),
  ofOne('Reverse', {
    params: (shape) => fc.subarray(shape.map((_, axis) => axis)),
    run: (x, axes) => tf.reverse(x, axes),
  }),
  ofOne('SpaceToBatchND', {
    shape: fc
      .tuple(COUNT, COUNT, COUNT, COUNT)
      .map(([batch, height, width, depth]) => [batch, 2 * height, 3 * width, depth]),
    params: () =>
      fc.constantFrom<number[][]>(
        [
          [0, 0],
          [0, 0],
        ],
        [
          [2, 0],
          [0, 3],
        ],
        [
          [1, 1],
          [1, 2],
        ],
      ),
    run: (x, paddings) => tf.spaceToBatchND(x, [2, 3], paddings),
  }),
  ofOne('BatchToSpaceND', {
    shape: fc
      .tuple(COUNT, COUNT, COUNT, COUNT)
      .map(([batch, height, width, depth]) => [batch * 6, height, width, depth]),
    params: () =>
      fc.constantFrom<number[][]>(
        [
          [0, 0],
          [0, 0],
        ],
        [
          [1, 0],
          [0, 1],
        ],
        [
          [0, 1],
          [1, 1],
        ],
      ),
    run: (x, crops) => tf.batchToSpaceND(x, [2, 3], crops),
  }),
  ofOne('DepthToSpace', {
    shape: fc
      .tuple(COUNT, COUNT, COUNT, COUNT)
      .map(([batch, height, width, depth]) => [batch, height, width, depth * 4]),
    params: () => fc.constant(2),
    run: (x, blockSize) => tf.depthToSpace(tf.cast(x, 'float32') as tf.Tensor4D, blockSize, 'NHWC'),
  }),
];
