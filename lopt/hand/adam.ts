/**
 * Adam: bias-corrected moving averages of the gradient and its square. Dense: a row whose gradient is zero still moves while its
 * averages decay.
 *
 * **Source** Kingma & Ba 2014, arXiv 1412.6980; form of torch.optim.Adam; `epsRoot` of optax.adam.
 * **Checked against** torch 2.15 (test/goldens/hand/adam.json.gz) and optax 0.2.8 (adam--eps-root.json.gz).
 * **Differs** bias corrections are computed as -expm1(k ln beta).
 */
import * as tf from '@tensorflow/tfjs-core';
import { biasCorrection } from '../features/moments.ts';
import { numericTerm } from '../numeric.ts';
import { ADAM_OPTIONS, momentScalars, updateMoments } from './adam-moments.ts';
import { handDesigned } from './hand-designed.ts';
import { l2 } from './options.ts';

export const ADAM = handDesigned({
  name: 'adam',
  source: 'Kingma & Ba 2014, arXiv 1412.6980',
  summary: 'p - lr * m / (sqrt(v) + eps), m and v bias-corrected averages of g and g^2',
  options: {
    ...ADAM_OPTIONS,
    epsRoot: numericTerm({
      default: 0,
      min: 0,
      meaning: 'added to the bias-corrected average of g^2, inside the root',
    }),
    weightDecay: l2,
  },
  state: ['m', 'v'],
  shared: ({ lr, epsRoot, weightDecay, ...numerics }, { k }) => ({
    stepSize: tf.div(lr.value, biasCorrection(numerics.beta1.log, k)),
    ...momentScalars(numerics, k),
    epsRoot: epsRoot.value,
    l2: weightDecay.value,
  }),
  rule: (old, shared) => {
    const gradient = tf.add(old.g, tf.mul(shared.l2, old.p));
    const { m, v } = updateMoments(old, gradient, shared);
    const corrected = tf.div(v, shared.correction2);
    const root = tf.sqrt(shared.epsRoot === undefined ? corrected : tf.add(corrected, shared.epsRoot));
    return { p: tf.sub(old.p, tf.div(tf.mul(shared.stepSize, m), tf.add(root, shared.eps))), m, v };
  },
});
