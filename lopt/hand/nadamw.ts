/**
 * NAdamW: Adam with Nesterov momentum and decoupled weight decay.
 *
 * **Source** Dozat 2016, "Incorporating Nesterov momentum into Adam"; form of optax.nadamw.
 * **Checked against** optax 0.2.8 (test/goldens/hand/nadamw--optax.json.gz).
 * **Differs** bias corrections are computed as -expm1(k ln beta). Two other published forms (Google's, timm's) are not followed.
 */
import * as tf from '@tensorflow/tfjs-core';
import { biasCorrection } from '../features/moments.ts';
import { ADAM_OPTIONS, momentScalars, updateMoments } from './adam-moments.ts';
import { handDesigned } from './hand-designed.ts';
import { decoupled } from './options.ts';

export const NADAMW = handDesigned({
  name: 'nadamw',
  source: 'Dozat 2016; optax.nadamw',
  summary: 'AdamW with the next step’s momentum: m / (1 - beta1^(k+1)) and g / (1 - beta1^k) mixed by beta1',
  options: {
    ...ADAM_OPTIONS,
    weightDecay: decoupled(1e-4),
  },
  state: ['m', 'v'],
  shared: ({ lr, weightDecay, ...numerics }, { k }) => ({
    ...momentScalars(numerics, k),
    // Step sizes of the momentum (corrected as at the next step) and of the gradient (corrected as at this one).
    momentumShare: tf.div(tf.mul(lr.value, numerics.beta1.value), biasCorrection(numerics.beta1.log, tf.add(k, 1))),
    gradientShare: tf.div(tf.mul(lr.value, numerics.beta1.complement), biasCorrection(numerics.beta1.log, k)),
    keep: tf.sub(1, tf.mul(lr.value, weightDecay.value)),
  }),
  rule: (old, shared) => {
    const { m, v } = updateMoments(old, old.g, shared);
    const lookAhead = tf.add(tf.mul(shared.momentumShare, m), tf.mul(shared.gradientShare, old.g));
    const root = tf.add(tf.sqrt(tf.div(v, shared.correction2)), shared.eps);
    return { p: tf.sub(tf.mul(shared.keep, old.p), tf.div(lookAhead, root)), m, v };
  },
});
