import { describe, expect, it } from 'vitest';
import { rootKey } from '../../../jit/random/key.ts';
import { BUILT_IN_DATA_SETS } from '../../../tasks/data-sets/built-in.ts';
import { createTask } from '../../../tasks/registry.ts';
import { plainAccuracy } from '../plain-training.ts';

const STEPS = 1000;
const RATES = [0.003, 0.01, 0.03];

describe.each([...BUILT_IN_DATA_SETS.keys()])('%s', (name) => {
  // 8x8 gray, batch 64, Adam with its rate tuned and falling to 0; accuracy on the 1,500 images that aren't trained on.
  it('is hard for a small network and harder for a linear model', () => {
    const { data } = createTask('image-mlp', { data: name });
    const tuned = (hidden: readonly number[]): number =>
      Math.max(
        ...RATES.map((rate) => plainAccuracy(data!, { hidden, classes: 10, rate, steps: STEPS, key: rootKey(1) })),
      );
    const network = tuned([32]);
    const linear = tuned([]);
    console.log(`${name}: network ${(100 * network).toFixed(1)} %, linear ${(100 * linear).toFixed(1)} %`);
    expect(network).toBeGreaterThan(0.85);
    expect(network).toBeLessThan(0.97);
    expect(network - linear).toBeGreaterThanOrEqual(0.05);
  });
});
