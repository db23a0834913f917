import type { GivenOptions } from '../../lopt/options.ts';

const task = (data: string): GivenOptions => ({
  name: 'image-mlp',
  options: { data, image: [8, 8, 1], hidden: [32], activation: 'relu', batchSize: 64 },
  reparameterise: { level: 'global', min: 1e-3, max: 1e3 },
});

/**
 * Celo2's published meta-training.
 *
 * **Source**: Moudgil et al. 2025 (amoudgl/celo), the flags that its README documents (spec/meta-training.md 2.4).
 * **Differs**: splits of data sets are ours; resets consume no step and PES credit goes by resets; data sets that aren't given are
 * replaced by digits or glyph styles.
 */
export const CELO2: GivenOptions = {
  name: 'celo2',
  description: 'the published meta-training of Celo2: four 8x8 image tasks, reparameterised, 100,000 outer steps',
  optimizer: { name: 'celo2', options: { stepMult: 1e-3 } },
  tasks: ['mnist', 'fashion-mnist', 'cifar10', 'svhn'].map(task),
  estimator: { name: 'truncated-pes', pairs: 8, groupSize: 8, window: 50, sigma: 0.01 },
  trajectory: { min: 100, max: 2000, stagger: 2000 },
  outer: { optimizer: { name: 'adamw', options: { lr: 3e-4, weightDecay: 1e-4 } }, clip: null },
  steps: 100_000,
  checkpoints: { every: 500, keep: 3, smoothing: 0.99 },
};
