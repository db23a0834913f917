import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Traced: mean cross entropy in nats and share of right answers, from logits `[row, class]` and labels int32 `[row]`. The logarithm of
 * the softmax is taken after subtracting the largest logit, so that no logit overflows.
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  classes: number,
): { readonly loss: Tensor; readonly accuracy: Tensor } {
  const logProbabilities = tf.logSoftmax(logits);
  const picked = tf.sum(tf.mul(tf.oneHot(labels, classes), logProbabilities), -1);
  return {
    loss: tf.neg(tf.mean(picked)),
    accuracy: tf.mean(tf.cast(tf.equal(tf.cast(tf.argMax(logits, -1), 'int32'), labels), 'float32')),
  };
}

/** Traced: a loss kept between 0 and a bound, which NaN becomes too: the worst value. */
export function boundedLoss(loss: Tensor, worst: number): Tensor {
  return tf.where(tf.isNaN(loss), tf.scalar(worst), tf.clipByValue(loss, 0, worst));
}
