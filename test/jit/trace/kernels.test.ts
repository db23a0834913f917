import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { LOWERING } from '../../../jit/trace/lowering.ts';
import { TRACE_BACKEND } from '../../../jit/trace/recording.ts';
import { trace } from '../../../jit/trace/trace.ts';
import { CONTRACTION_CASES } from './contraction-cases.ts';
import { ELEMENTWISE_CASES } from './elementwise-cases.ts';
import { INDEXING_CASES } from './indexing-cases.ts';
import { differenceOf } from './kernel-check.ts';
import { REDUCTION_CASES } from './reduction-cases.ts';
import { SHAPE_CASES } from './shape-cases.ts';

const CASES = [...ELEMENTWISE_CASES, ...REDUCTION_CASES, ...CONTRACTION_CASES, ...SHAPE_CASES, ...INDEXING_CASES];

/** Calls of each kernel. */
const RUNS = 30;

/** Kernels of the cpu backend that are not made of the primitives, and why. */
const EXCLUDED = {
  'convolutions and pooling: to come with image tasks': [
    'AvgPool',
    'AvgPool3D',
    'AvgPool3DGrad',
    'AvgPoolGrad',
    'Conv2D',
    'Conv2DBackpropFilter',
    'Conv2DBackpropInput',
    'Conv3D',
    'Conv3DBackpropFilterV2',
    'Conv3DBackpropInputV2',
    'DepthwiseConv2dNative',
    'DepthwiseConv2dNativeBackpropFilter',
    'DepthwiseConv2dNativeBackpropInput',
    'Dilation2D',
    'Dilation2DBackpropFilter',
    'Dilation2DBackpropInput',
    'FusedConv2D',
    'FusedDepthwiseConv2D',
    'LRN',
    'LRNGrad',
    'MaxPool',
    'MaxPool3D',
    'MaxPool3DGrad',
    'MaxPoolGrad',
    'MaxPoolWithArgmax',
  ],
  'resampling of images': [
    'CropAndResize',
    'Draw',
    'FlipLeftRight',
    'ResizeBilinear',
    'ResizeBilinearGrad',
    'ResizeNearestNeighbor',
    'ResizeNearestNeighborGrad',
    'RotateWithOffset',
    'Transform',
  ],
  'complex numbers': ['Complex', 'ComplexAbs', 'FFT', 'IFFT', 'Imag', 'Real'],
  'strings and ragged tensors': [
    'RaggedGather',
    'RaggedRange',
    'RaggedTensorToTensor',
    'StaticRegexReplace',
    'StringNGrams',
    'StringSplit',
    'StringToHashBucketFast',
  ],
  'sorting, to come as a primitive': ['SearchSorted', 'TopK'],
  'a shape that depends on values': [
    'BroadcastArgs',
    'NonMaxSuppressionV3',
    'NonMaxSuppressionV4',
    'NonMaxSuppressionV5',
    'SparseFillEmptyRows',
    'SparseReshape',
    'SparseSegmentMean',
    'SparseSegmentSum',
    'Unique',
  ],
  'writes whose order counts where positions repeat': ['SparseToDense', 'TensorScatterUpdate'],
  'counts of whole numbers, of which positions out of range are left out': ['Bincount', 'DenseBincount'],
  'random numbers of its own': ['Multinomial'],
  'bits of whole numbers': ['BitwiseAnd'],
};

beforeAll(async () => {
  await tf.setBackend('cpu');
  // Kernels are registered by the first trace.
  trace(({ x }) => ({ x }), { x: { shape: [], dtype: 'float32' } });
});

/** Runs something with a count of the traced calls of a kernel. */
function countingCalls(kernelName: string, run: () => void): number {
  const config = tf.getKernel(kernelName, TRACE_BACKEND);
  let count = 0;
  tf.unregisterKernel(kernelName, TRACE_BACKEND);
  tf.registerKernel({
    ...config,
    kernelFunc: (call) => {
      count += 1;
      return config.kernelFunc(call);
    },
  });
  try {
    run();
  } finally {
    tf.unregisterKernel(kernelName, TRACE_BACKEND);
    tf.registerKernel(config);
  }
  return count;
}

test.each(CASES)(
  '$kernel: the traced graph gives what TensorFlow.js gives, batched too',
  ({ kernel, calls, tolerance }) => {
    const tensorsBefore = tf.memory().numTensors;
    const count = countingCalls(kernel, () =>
      fc.assert(
        fc.property(calls, (call) => {
          const difference = differenceOf(call, tolerance);
          if (difference !== undefined) throw new Error(difference);
        }),
        { numRuns: RUNS },
      ),
    );
    expect(count).toBeGreaterThan(RUNS / 3);
    expect(tf.memory().numTensors).toBe(tensorsBefore);
  },
);

test('every kernel of the table has its cases', () => {
  expect(CASES.map(({ kernel }) => kernel).toSorted()).toEqual(Object.keys(LOWERING).toSorted());
});

test('every kernel of the cpu backend is in the table or left out for a reason', () => {
  const excluded = Object.values(EXCLUDED).flat();
  const kernels = tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName);
  expect(kernels.filter((kernel) => !(kernel in LOWERING)).toSorted()).toEqual(excluded.toSorted());
});
