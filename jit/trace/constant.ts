import * as tf from '@tensorflow/tfjs-core';
import type { DType, TypedArray } from '../graph/graph.ts';
import { makingConstants } from './backend.ts';

/**
 * A tensor of numbers that are the same whenever the program runs: the one way to a table of numbers in traced code. `shape` is by
 * default one axis with all values.
 * @throws Error when the shape doesn't hold as many values.
 */
export function constant(
  values: readonly number[] | TypedArray,
  shape: readonly number[] = [values.length],
  dtype: DType = 'float32',
): tf.Tensor {
  return makingConstants(() => tf.tensor(Array.from(values), [...shape], dtype));
}
