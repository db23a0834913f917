/**
 * Stochastic gradient descent.
 *
 * **Source** Robbins & Monro 1951, "A stochastic approximation method"; form of torch.optim.SGD.
 * **Checked against** torch 2.15 (test/goldens/hand/sgd.json.gz).
 * **Differs** in nothing.
 */
import * as tf from '@tensorflow/tfjs-core';
import { handDesigned } from './hand-designed.ts';
import { l2, learningRate } from './options.ts';

export const SGD = handDesigned({
  name: 'sgd',
  source: 'Robbins & Monro 1951; torch.optim.SGD',
  summary: 'p - lr * g',
  options: { lr: learningRate(1e-2), weightDecay: l2 },
  state: [],
  shared: ({ lr, weightDecay }) => ({ lr: lr.value, l2: weightDecay.value }),
  rule: ({ p, g }, { lr, l2 }) => ({ p: tf.sub(p, tf.mul(lr, tf.add(g, tf.mul(l2, p)))) }),
});
