/**
 * AdamW: Adam with decoupled weight decay.
 *
 * **Source** Loshchilov & Hutter 2017, arXiv 1711.05101; form of torch.optim.AdamW.
 * **Checked against** torch 2.15 (test/goldens/hand/adamw.json.gz).
 * **Differs** bias corrections are computed as -expm1(k ln beta); nothing else.
 */
import * as tf from '@tensorflow/tfjs-core';
import { biasCorrection, movingAverage } from '../features/moments.ts';
import { handDesigned } from './hand-designed.ts';
import { decay, decoupled, epsilon, learningRate } from './options.ts';

export const ADAMW = handDesigned({
  name: 'adamw',
  source: 'Loshchilov & Hutter 2017, arXiv 1711.05101',
  summary: 'p - lr * (m / (sqrt(v) + eps) + weightDecay * p), m and v bias-corrected averages of g and g^2',
  options: {
    lr: learningRate(1e-3),
    beta1: decay(0.9, 'decay of the average of g'),
    beta2: decay(0.999, 'decay of the average of g^2'),
    eps: epsilon(1e-8),
    weightDecay: decoupled(1e-2),
  },
  state: ['m', 'v'],
  shared: ({ lr, beta1, beta2, eps, weightDecay }, { k }) => ({
    stepSize: tf.div(lr.value, biasCorrection(beta1.log, k)),
    beta1: beta1.value,
    complement1: beta1.complement,
    beta2: beta2.value,
    complement2: beta2.complement,
    correction2: biasCorrection(beta2.log, k),
    eps: eps.value,
    keep: tf.sub(1, tf.mul(lr.value, weightDecay.value)),
  }),
  rule: (old, shared) => {
    const m = movingAverage(old.m, old.g, { decay: shared.beta1, complement: shared.complement1 });
    const v = movingAverage(old.v, tf.square(old.g), { decay: shared.beta2, complement: shared.complement2 });
    const root = tf.add(tf.sqrt(tf.div(v, shared.correction2)), shared.eps);
    return { p: tf.sub(tf.mul(shared.keep, old.p), tf.div(tf.mul(shared.stepSize, m), root)), m, v };
  },
});
