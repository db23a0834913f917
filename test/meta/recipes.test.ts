import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../meta/config.ts';
import { planLearner } from '../../meta/learner.ts';
import { RECIPES, findRecipe } from '../../meta/recipes/registry.ts';
import { RESERVED_STYLES } from '../../tasks/data-sets/glyph-styles.ts';
import { loadDataSets } from '../../tasks/files/load-data-sets.ts';

const { dataSets } = await loadDataSets();

describe.each([...RECIPES.keys()])('recipe %s', (name) => {
  it('can be used, and leaves held-out data alone', async () => {
    const config = checkConfig(findRecipe(name));
    expect(config.name).toBe(name);
    const { data, tasks } = await planLearner(config, { dataSets });
    expect(tasks.size).toBe(config.tasks.length);
    for (const { dataSet } of data) expect(RESERVED_STYLES).not.toContain(dataSet);
  });
});

describe('findRecipe', () => {
  it('lists what there is', () => {
    expect(() => findRecipe('large')).toThrow(
      new RangeError('Cannot find recipe large: expected one of smoke, small, celo2, celo2-digits'),
    );
  });

  it('gives celo2 as published', async () => {
    const config = checkConfig(findRecipe('celo2'));
    expect(config).toMatchObject({
      optimizer: { name: 'celo2', options: { stepMult: 1e-3 } },
      estimator: { name: 'truncated-pes', pairs: 8, window: 50, sigma: 0.01 },
      trajectory: { min: 100, max: 2000, stagger: 2000 },
      outer: { optimizer: { name: 'adamw', options: { lr: 3e-4, weightDecay: 1e-4 } }, clip: null },
      steps: 100_000,
    });
    const { tasks, replacedData } = await planLearner(config, { dataSets });
    for (const task of tasks.values()) {
      const parameters = [...task.specs.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      expect(parameters).toBe(2410);
      expect(task.data?.batchSize).toBe(64);
      expect([...task.dynamic.keys()]).toEqual(['reparameterise']);
    }
    expect(Object.keys(replacedData)).toEqual(['mnist', 'fashion-mnist', 'cifar10', 'svhn']);
  });
});
