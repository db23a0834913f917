/** Running averages that optimizers share. Every argument that is not a tensor of the parameter's shape is a scalar. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';

/** The exponential moving average after one more value: decay * average + (1 - decay) * x; `complement` is 1 - decay. */
export function movingAverage(average: Tensor, x: Tensor, by: { decay: Tensor; complement: Tensor }): Tensor {
  return tf.add(tf.mul(by.decay, average), tf.mul(by.complement, x));
}

/**
 * What a moving average of k values that started at zero is divided by: 1 - decay^k, as -expm1(k ln decay), which keeps the digits
 * that float32 would lose in 1 - decay^k (up to 1e-3 of it).
 */
export function biasCorrection(logDecay: Tensor, k: Tensor): Tensor {
  return tf.neg(tf.expm1(tf.mul(k, logDecay)));
}
