/**
 * Gradient descent with momentum, Polyak's or Nesterov's.
 *
 * **Source** Polyak 1964, "Some methods of speeding up the convergence of iteration methods"; Sutskever, Martens, Dahl & Hinton 2013,
 * "On the importance of initialization and momentum in deep learning"; form of torch.optim.SGD.
 * **Checked against** torch 2.15 (test/goldens/hand/momentum.json.gz, nesterov.json.gz).
 * **Differs** in nothing. As there, dampening isn't applied at the first step, where the momentum is the gradient.
 */
import * as tf from '@tensorflow/tfjs-core';
import { numeric } from '../numeric.ts';
import { booleanOption, refuseOption } from '../options.ts';
import type { HandEntry } from '../registry-entry.ts';
import { handDesigned } from './hand-designed.ts';
import { l2, learningRate } from './options.ts';

export const MOMENTUM = momentumDesign({
  name: 'momentum',
  summary: 'T = momentum * T + g; p - lr * T',
  source: 'Polyak 1964; torch.optim.SGD',
  nesterov: false,
});

/** Momentum in the form that `name` stands for unless the option `nesterov` says otherwise. */
export function momentumDesign({
  name,
  summary,
  source,
  nesterov,
}: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly nesterov: boolean;
}): HandEntry {
  return handDesigned({
    name,
    source,
    summary,
    options: {
      lr: learningRate(1e-2),
      momentum: numeric({ default: 0.9, min: 0, meaning: 'factor of the momentum at each step' }),
      dampening: numeric({
        default: 0,
        max: 1,
        meaning: 'the gradient enters the momentum times 1 - dampening, after the first step',
        folds: ['complement'],
      }),
      weightDecay: l2,
      nesterov: booleanOption({ default: nesterov, meaning: 'step along g + momentum * T instead of T' }),
    },
    state: ['momentum'],
    check({ nesterov, dampening }) {
      if (nesterov && dampening !== 0)
        refuseOption({ doing: `create ${name}`, path: 'dampening' }, '0 where nesterov is true', dampening);
    },
    shared: ({ lr, momentum, dampening, weightDecay }, { k }) => ({
      lr: lr.value,
      factor: momentum.value,
      share: tf.where(tf.lessEqual(k, 1), 1, dampening.complement),
      l2: weightDecay.value,
    }),
    rule: ({ p, g, momentum: old }, { lr, factor, share, l2 }, { nesterov }) => {
      const gradient = tf.add(g, tf.mul(l2, p));
      const momentum = tf.add(tf.mul(factor, old), tf.mul(share, gradient));
      const direction = nesterov ? tf.add(gradient, tf.mul(factor, momentum)) : momentum;
      return { p: tf.sub(p, tf.mul(lr, direction)), momentum };
    },
  });
}
