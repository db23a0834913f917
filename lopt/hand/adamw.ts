/**
 * AdamW: Adam with decoupled weight decay.
 *
 * **Source** Loshchilov & Hutter 2017, arXiv 1711.05101; form of torch.optim.AdamW.
 * **Checked against** torch 2.15 (test/goldens/hand/adamw.json.gz).
 * **Differs** bias corrections are computed as -expm1(k ln beta); nothing else.
 */
import * as tf from '@tensorflow/tfjs-core';
import { biasCorrection } from '../features/moments.ts';
import { ADAM_OPTIONS, momentScalars, updateMoments } from './adam-moments.ts';
import { handDesigned } from './hand-designed.ts';
import { decoupled } from './options.ts';

export const ADAMW = handDesigned({
  name: 'adamw',
  source: 'Loshchilov & Hutter 2017, arXiv 1711.05101',
  summary: 'p - lr * (m / (sqrt(v) + eps) + weightDecay * p), m and v bias-corrected averages of g and g^2',
  options: {
    ...ADAM_OPTIONS,
    weightDecay: decoupled(1e-2),
  },
  state: ['m', 'v'],
  shared: ({ lr, weightDecay, ...numerics }, { k }) => ({
    stepSize: tf.div(lr.value, biasCorrection(numerics.beta1.log, k)),
    ...momentScalars(numerics, k),
    keep: tf.sub(1, tf.mul(lr.value, weightDecay.value)),
  }),
  rule: (old, shared) => {
    const { m, v } = updateMoments(old, old.g, shared);
    const root = tf.add(tf.sqrt(tf.div(v, shared.correction2)), shared.eps);
    return { p: tf.sub(tf.mul(shared.keep, old.p), tf.div(tf.mul(shared.stepSize, m), root)), m, v };
  },
});
