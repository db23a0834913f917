/**
 * RMSProp, plain or centered, with or without momentum.
 *
 * **Source** Tieleman & Hinton 2012, lecture 6.5 of "Neural networks for machine learning"; centered: Graves 2013, arXiv 1308.0850; form
 * of torch.optim.RMSprop.
 * **Checked against** torch 2.15 (test/goldens/hand/rmsprop.json.gz, rmsprop--centered.json.gz).
 * **Differs** momentum 0 still keeps the (then useless) momentum, so that one program serves every momentum. The TensorFlow form
 * (v starts at 1, eps inside the root, lr inside the momentum) is not followed.
 */
import * as tf from '@tensorflow/tfjs-core';
import { movingAverage } from '../features/moments.ts';
import { numeric } from '../numeric.ts';
import { booleanOption } from '../options.ts';
import { handDesigned } from './hand-designed.ts';
import { epsilon, l2, learningRate } from './options.ts';

export const RMSPROP = handDesigned({
  name: 'rmsprop',
  source: 'Tieleman & Hinton 2012; torch.optim.RMSprop',
  summary: 'T = momentum * T + g / (sqrt(v) + eps); p - lr * T, v an average of g^2',
  options: {
    lr: learningRate(1e-2),
    alpha: numeric({ default: 0.99, min: 0, below: 1, meaning: 'decay of the average of g^2', folds: ['complement'] }),
    eps: epsilon(1e-8),
    momentum: numeric({ default: 0, min: 0, meaning: 'factor of the momentum at each step' }),
    centered: booleanOption({ default: false, meaning: 'divide by the standard deviation: v - average(g)^2 for v' }),
    weightDecay: l2,
  },
  state: ['v', 'mean', 'momentum'],
  keeps: (state, { centered }) => centered || state !== 'mean',
  shared: ({ lr, alpha, eps, momentum, weightDecay }) => ({
    lr: lr.value,
    alpha: alpha.value,
    complement: alpha.complement,
    eps: eps.value,
    factor: momentum.value,
    l2: weightDecay.value,
  }),
  rule: (old, { lr, alpha, complement, eps, factor, l2 }, { centered }) => {
    const by = { decay: alpha, complement };
    const gradient = tf.add(old.g, tf.mul(l2, old.p));
    const v = movingAverage(old.v, tf.square(gradient), by);
    const mean = centered ? movingAverage(old.mean, gradient, by) : undefined;
    const spread = mean === undefined ? v : tf.sub(v, tf.square(mean));
    const momentum = tf.add(tf.mul(factor, old.momentum), tf.div(gradient, tf.add(tf.sqrt(spread), eps)));
    return { p: tf.sub(old.p, tf.mul(lr, momentum)), v, momentum, ...(mean === undefined ? {} : { mean }) };
  },
});
