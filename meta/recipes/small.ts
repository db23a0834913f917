import type { GivenOptions } from '../../lopt/options.ts';

const MILD = { level: 'tensor', min: 1 / 3, max: 3 } as const;

/**
 * A minute or two on two cores: a real improvement over a random theta. Four small tasks of three families, two of them mildly
 * reparameterised. The step falls to 0 over the horizon, as it does where the optimizer is used: a normalised update can't anneal by
 * itself. The decay keeps weights from growing once the training examples are learned by heart.
 */
export const SMALL: GivenOptions = {
  name: 'small',
  description: 'a minute or two on two cores: four small tasks; a real improvement over a random start',
  optimizer: {
    name: 'celo2',
    options: { stepMult: { schedule: 'linear', initial: 8e-3, end: 0 }, weightDecay: 1.5, adamLrMult: 2.5 },
  },
  tasks: [
    {
      name: 'image-mlp',
      options: { data: 'digits', image: [8, 8, 1], hidden: [32, 32], batchSize: 64 },
      reparameterise: MILD,
    },
    {
      name: 'image-mlp',
      options: { data: 'glyphs-bold', image: [8, 8, 1], hidden: [32], activation: 'tanh', batchSize: 32 },
    },
    { name: 'softmax-regression', options: { data: 'glyphs-noisy', image: [8, 8, 1], batchSize: 32 } },
    {
      name: 'image-autoencoder',
      options: { data: 'glyphs-plain', image: [8, 8, 1], hidden: [32, 16, 32], batchSize: 32 },
      reparameterise: MILD,
    },
  ],
  estimator: { name: 'truncated-pes', pairs: 4, groupSize: 8, window: 25, sigma: 0.01 },
  trajectory: { min: 50, max: 500, stagger: 250 },
  outer: {
    optimizer: { name: 'adamw', options: { lr: 3e-3, weightDecay: 1e-4 } },
    clip: { kind: 'value', threshold: 3 },
  },
  steps: 500,
  checkpoints: { every: 50, keep: 3, smoothing: 0.95 },
};
