import type { GivenOptions } from '../../lopt/options.ts';

const task = (options: GivenOptions): GivenOptions => ({
  name: 'image-mlp',
  options: { image: [8, 8, 1], hidden: [32], batchSize: 64, ...options },
  reparameterise: { level: 'tensor', min: 1 / 2, max: 2 },
});

/**
 * The run whose optimizer ships as `celo2-digits`: about a quarter of an hour on two cores.
 *
 * Celo2's estimator and lengths on what comes with the project. The step falls to 0 over the horizon, as it does where the optimizer is
 * used. Its first value, the decay and `adamLrMult` were chosen on the `development` suite (docs/results.md).
 */
export const CELO2_DIGITS: GivenOptions = {
  name: 'celo2-digits',
  description:
    'a quarter of an hour on two cores: the run whose optimizer ships; four image tasks, a step that falls to 0',
  optimizer: {
    name: 'celo2',
    options: { stepMult: { schedule: 'linear', initial: 8e-3, end: 0 }, adamLrMult: 2.5, weightDecay: 1 },
  },
  tasks: [
    task({ data: 'digits' }),
    task({ data: 'glyphs-noisy' }),
    task({ data: 'glyphs-shaded', activation: 'tanh' }),
    task({ data: 'glyphs-sketch', image: [12, 12, 1], hidden: [32, 32] }),
  ],
  estimator: { name: 'truncated-pes', pairs: 8, groupSize: 8, window: 50, sigma: 0.01 },
  trajectory: { min: 100, max: 2000, stagger: 2000 },
  outer: {
    optimizer: {
      name: 'adamw',
      options: { lr: { schedule: 'warmup-cosine', peak: 3e-3, warmup: 50, end: 0.1 }, weightDecay: 1e-4 },
    },
    clip: null,
  },
  steps: 2000,
  checkpoints: { every: 100, keep: 3, smoothing: 0.98 },
};
