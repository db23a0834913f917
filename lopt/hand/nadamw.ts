/**
 * NAdamW: Adam with Nesterov momentum and decoupled weight decay.
 *
 * **Source** Dozat 2016, "Incorporating Nesterov momentum into Adam"; form of optax.nadamw.
 * **Checked against** optax 0.2.8 (test/goldens/hand/nadamw--optax.json.gz).
 * **Differs** bias corrections are computed as -expm1(k ln beta). Two other published forms (Google's, timm's) are not followed.
 */
import * as tf from '@tensorflow/tfjs-core';
import { biasCorrection, movingAverage } from '../features/moments.ts';
import { handDesigned } from './hand-designed.ts';
import { decay, decoupled, epsilon, learningRate } from './options.ts';

export const NADAMW = handDesigned({
  name: 'nadamw',
  source: 'Dozat 2016; optax.nadamw',
  summary: 'AdamW with the next step’s momentum: m / (1 - beta1^(k+1)) and g / (1 - beta1^k) mixed by beta1',
  options: {
    lr: learningRate(1e-3),
    beta1: decay(0.9, 'decay of the average of g'),
    beta2: decay(0.999, 'decay of the average of g^2'),
    eps: epsilon(1e-8),
    weightDecay: decoupled(1e-4),
  },
  state: ['m', 'v'],
  shared: ({ lr, beta1, beta2, eps, weightDecay }, { k }) => ({
    beta1: beta1.value,
    complement1: beta1.complement,
    // Step sizes of the momentum (corrected as at the next step) and of the gradient (corrected as at this one).
    momentumShare: tf.div(tf.mul(lr.value, beta1.value), biasCorrection(beta1.log, tf.add(k, 1))),
    gradientShare: tf.div(tf.mul(lr.value, beta1.complement), biasCorrection(beta1.log, k)),
    beta2: beta2.value,
    complement2: beta2.complement,
    correction2: biasCorrection(beta2.log, k),
    eps: eps.value,
    keep: tf.sub(1, tf.mul(lr.value, weightDecay.value)),
  }),
  rule: (old, shared) => {
    const m = movingAverage(old.m, old.g, { decay: shared.beta1, complement: shared.complement1 });
    const v = movingAverage(old.v, tf.square(old.g), { decay: shared.beta2, complement: shared.complement2 });
    const lookAhead = tf.add(tf.mul(shared.momentumShare, m), tf.mul(shared.gradientShare, old.g));
    const root = tf.add(tf.sqrt(tf.div(v, shared.correction2)), shared.eps);
    return { p: tf.sub(tf.mul(shared.keep, old.p), tf.div(lookAhead, root)), m, v };
  },
});
