import type { GivenOptions } from '../../lopt/options.ts';

/** Seconds: that everything works, not that anything is learned. */
export const SMOKE: GivenOptions = {
  name: 'smoke',
  description: 'seconds: shows that everything works; too short to learn much',
  optimizer: { name: 'adafac-mlp', options: { hidden: 4 } },
  tasks: [
    { name: 'image-mlp', options: { data: 'digits', image: [8, 8, 1], hidden: [8], batchSize: 16 } },
    { name: 'image-mlp', options: { data: 'glyphs-plain', image: [8, 8, 1], hidden: [8], batchSize: 16 } },
  ],
  estimator: { name: 'truncated-pes', pairs: 4, groupSize: 8, window: 10, sigma: 0.01 },
  trajectory: { min: 10, max: 50, stagger: 50 },
  outer: { optimizer: { name: 'adamw', options: { lr: 3e-3, weightDecay: 1e-4 } } },
  steps: 40,
  checkpoints: { every: 10, keep: 3, smoothing: 0.9 },
};
