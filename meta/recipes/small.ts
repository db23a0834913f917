import type { GivenOptions } from '../../lopt/options.ts';

const task = (data: string, hidden: readonly number[]): GivenOptions => ({
  name: 'image-mlp',
  options: { data, image: [8, 8, 1], hidden, batchSize: 32 },
  reparameterise: { level: 'tensor', min: 1 / 3, max: 3 },
});

/** A minute or two on two cores: a real improvement over a random theta. */
export const SMALL: GivenOptions = {
  name: 'small',
  description: 'a minute or two on two cores: a learned optimizer that beats tuned SGD on most held-out tasks',
  optimizer: { name: 'celo2-base', options: {} },
  tasks: [task('digits', [16]), task('glyphs-bold', [16]), task('glyphs-noisy', [16, 16])],
  estimator: { name: 'truncated-pes', pairs: 4, groupSize: 8, window: 25, sigma: 0.01 },
  trajectory: { min: 50, max: 500, stagger: 250 },
  outer: {
    optimizer: { name: 'adamw', options: { lr: 3e-3, weightDecay: 1e-4 } },
    clip: { kind: 'value', threshold: 3 },
  },
  steps: 600,
  checkpoints: { every: 50, keep: 3, smoothing: 0.95 },
};
