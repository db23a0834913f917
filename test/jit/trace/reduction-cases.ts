import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import type { DType } from '../../../jit/graph/graph.ts';
import { ANY_NUMBERS, type Call, type KernelCase, SUMMATION, arrays, shapes } from './kernel-check.ts';

type Reduce = (x: tf.Tensor, axis: number[] | undefined, keepDims: boolean) => tf.Tensor;

function reduction(
  kernel: string,
  run: Reduce,
  { dtypes = ['float32'] as readonly DType[], tolerance = 0, special = false } = {},
): KernelCase {
  const calls = fc.tuple(shapes(), fc.constantFrom(...dtypes), fc.boolean()).chain(([shape, dtype, keepDims]) =>
    fc
      .tuple(
        arrays(shape, special && dtype === 'float32' ? { elements: ANY_NUMBERS } : { dtype }),
        fc.option(fc.subarray(shape.map((_, axis) => axis)), { nil: undefined }),
        fc.boolean(),
      )
      .map(([x, axes, fromEnd]): Call => {
        const own = axes?.map((axis) => (fromEnd ? axis - shape.length : axis));
        return { inputs: { x }, run: ({ x }) => run(x as tf.Tensor, own, keepDims) };
      }),
  );
  return { kernel, calls, tolerance };
}

/** Axes count from the start: of cumulative sums along negative ones TensorFlow.js's cpu backend loses the shape. */
function alongAxis(
  kernel: string,
  run: (x: tf.Tensor, options: { axis: number; exclusive: boolean; reverse: boolean }) => tf.Tensor,
  { dtypes = ['float32'] as readonly DType[], special = false, tolerance = 0 } = {},
): KernelCase {
  const calls = fc
    .tuple(shapes({ minRank: 1 }), fc.constantFrom(...dtypes), fc.boolean(), fc.boolean())
    .chain(([shape, dtype, exclusive, reverse]) =>
      fc
        .tuple(
          arrays(shape, special && dtype === 'float32' ? { elements: ANY_NUMBERS } : { dtype }),
          fc.nat(shape.length - 1),
        )
        .map(([x, axis]): Call => ({
          inputs: { x },
          run: ({ x }) => run(x as tf.Tensor, { axis, exclusive, reverse }),
        })),
    );
  return { kernel, calls, tolerance };
}

/** Statistics of the last axis, or as many as x has elements. */
const normalisations: fc.Arbitrary<Call> = fc
  .tuple(shapes({ minRank: 2, maxRank: 4 }), fc.boolean(), fc.boolean(), fc.boolean())
  .chain(([shape, whole, hasScale, hasOffset]) => {
    const own = whole ? shape : shape.slice(-1);
    const variances = fc.double({ min: 0, max: 3, noNaN: true }).map(Math.fround);
    return fc
      .tuple(arrays(shape), arrays(own), arrays(own, { elements: variances }), arrays(own), arrays(own))
      .map(([x, mean, variance, scale, offset]): Call => ({
        inputs: { x, mean, variance, scale, offset },
        run: ({ x, mean, variance, scale, offset }) =>
          tf.batchNorm(
            x as tf.Tensor,
            mean as tf.Tensor1D,
            variance as tf.Tensor1D,
            hasOffset ? (offset as tf.Tensor1D) : undefined,
            hasScale ? (scale as tf.Tensor1D) : undefined,
            1e-3,
          ),
      }));
  });

const NUMBERS: readonly DType[] = ['float32', 'int32'];
const ALL: readonly DType[] = ['float32', 'int32', 'bool'];
const BOOLS: readonly DType[] = ['bool'];

/** Kernels that reduce, run along an axis, or normalise. */
export const REDUCTION_CASES: readonly KernelCase[] = [
  reduction('Sum', tf.sum, { dtypes: ALL, tolerance: SUMMATION }),
  reduction('Mean', tf.mean, { dtypes: ALL, tolerance: SUMMATION }),
  reduction('Prod', tf.prod, { dtypes: ALL, tolerance: SUMMATION }),
  reduction('Max', tf.max, { dtypes: ALL, special: true }),
  reduction('Min', tf.min, { dtypes: ALL, special: true }),
  reduction('Any', tf.any, { dtypes: BOOLS }),
  reduction('All', tf.all, { dtypes: BOOLS }),
  alongAxis('ArgMax', (x, { axis }) => tf.argMax(x, axis), { dtypes: NUMBERS, special: true }),
  alongAxis('ArgMin', (x, { axis }) => tf.argMin(x, axis), { dtypes: NUMBERS, special: true }),
  alongAxis('Cumsum', (x, { axis, exclusive, reverse }) => tf.cumsum(x, axis, exclusive, reverse), {
    dtypes: ALL,
    tolerance: SUMMATION,
  }),
  alongAxis('Cumprod', (x, { axis, exclusive, reverse }) => tf.cumprod(x, axis, exclusive, reverse), {
    dtypes: NUMBERS,
    tolerance: SUMMATION,
  }),
  alongAxis('Softmax', (x) => tf.softmax(x), { tolerance: SUMMATION }),
  // TensorFlow.js has no such kernel for its cpu backend: its function is made of others, which are compared.
  alongAxis(
    'LogSoftmax',
    (x) =>
      tf.getBackend() === 'cpu'
        ? tf.logSoftmax(x)
        : tf.engine().runKernel<tf.Tensor>('LogSoftmax', { logits: x }, { axis: -1 }),
    { tolerance: SUMMATION },
  ),
  { kernel: 'FusedBatchNorm', calls: normalisations, tolerance: SUMMATION },
];
