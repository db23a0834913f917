import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { constant } from '../../jit/trace/constant.ts';

const TIME_SCALES = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000];

/** Number of features of the time embedding. */
export const TIME_FEATURES = TIME_SCALES.length;

/**
 * The time embedding "tanh-11": tanh(t / T - 1) for eleven time scales T, as [feature].
 *
 * **Source** Metz et al. 2020, arXiv 2009.11243; google/learned_optimization (learned_optimizers/common.py).
 * **Checked against** trajectories of adafac-mlp. **Differs** in nothing. `step` is the number of updates done before, int32.
 */
export function timeEmbedding(step: Tensor): Tensor {
  const scales = constant(TIME_SCALES);
  return tf.tanh(tf.sub(tf.div(tf.cast(step, 'float32'), scales), 1));
}
