import { describe, expect, it } from 'vitest';
import { CONFIG_SCHEMA, checkConfig, configRows, overrideConfig } from '../../meta/config.ts';

const MINIMAL = { tasks: [{ name: 'quadratic' }] };

describe('checkConfig', () => {
  it('fills in every default', () => {
    const config = checkConfig(MINIMAL);
    expect(Object.keys(config)).toEqual(Object.keys(CONFIG_SCHEMA));
    expect(config.estimator).toEqual({
      name: 'truncated-pes',
      pairs: 8,
      groupSize: 8,
      window: 50,
      sigma: 0.01,
      metaLoss: 'train',
    });
    expect(config.tasks).toEqual([{ name: 'quadratic', options: {}, reparameterise: null }]);
    expect(config.outer).toEqual({
      optimizer: { name: 'adamw', options: { lr: 3e-4, weightDecay: 1e-4 } },
      clip: null,
    });
    expect(checkConfig(config)).toEqual(config);
  });

  it('takes zero as a value', () => {
    const config = checkConfig({ ...MINIMAL, seed: 0, steps: 0, checkpoints: { smoothing: 0 } });
    expect([config.seed, config.steps, config.checkpoints.smoothing]).toEqual([0, 0, 0]);
  });

  it.each([
    [
      { ...MINIMAL, estimator: { sigmma: 1 } },
      'Cannot use config: expected the options name, pairs, groupSize, window, sigma, metaLoss but got estimator.sigmma',
    ],
    [
      { ...MINIMAL, step: 1 },
      'Cannot use config: expected the options name, description, optimizer, tasks, estimator, trajectory, outer, steps, seed, checkpoints, engine but got step',
    ],
    [
      { ...MINIMAL, estimator: { sigma: '0.1' } },
      'Cannot use config: expected option estimator.sigma to be a number > 0 but got "0.1"',
    ],
    [
      { ...MINIMAL, steps: 1.5 },
      'Cannot use config: expected option steps to be a whole number in [0, 16777216] but got 1.5',
    ],
    [{}, 'Cannot use config: expected option tasks to be a list of at least one task but got none'],
    [
      { tasks: [{ reparameterise: { level: 'layer' } }] },
      'Cannot use config: expected option tasks[0].reparameterise.level to be one of global, tensor, parameter but got "layer"',
    ],
    [
      { tasks: [{ reparameterise: { min: 2, max: 1 } }] },
      'Cannot use config: expected option tasks[0].reparameterise.max to be at least 2 but got 1',
    ],
    [
      { ...MINIMAL, trajectory: { min: 10, max: 5 } },
      'Cannot use config: expected option trajectory.max to be at least trajectory.min, 10, but got 5',
    ],
    [
      { ...MINIMAL, estimator: { pairs: 3, groupSize: 4 } },
      'Cannot use config: expected option estimator.groupSize to be even and to divide the 6 particles of 3 pairs but got 4',
    ],
    [
      { ...MINIMAL, seed: true },
      'Cannot use config: expected option seed to be a finite number or a text but got true',
    ],
    [
      { ...MINIMAL, optimizer: { options: [] } },
      'Cannot use config: expected option optimizer.options to be an object of options by name but got []',
    ],
  ])('refuses %j', (config, message) => {
    expect(() => checkConfig(config)).toThrow(expect.objectContaining({ message }) as Error);
  });
});

describe('an option too large for any run', () => {
  it.each([
    ['steps', '[0, 16777216]'],
    ['estimator.window', '[1, 100000]'],
    ['estimator.pairs', '[1, 32768]'],
    ['estimator.groupSize', '[2, 65536]'],
    ['trajectory.min', '[1, 16777216]'],
    ['trajectory.max', '[1, 16777216]'],
    ['trajectory.stagger', '[0, 16777216]'],
    ['checkpoints.every', '[1, 16777216]'],
    ['checkpoints.keep', '[1, 16777216]'],
    ['engine.threads', '[1, 1024]'],
  ])('is refused: %s', (key, range) => {
    expect(() => overrideConfig(MINIMAL, `${key}=1e9`)).toThrow(
      new RangeError(`Cannot use config: expected option ${key} to be a whole number in ${range} but got 1000000000`),
    );
  });
});

describe('overrideConfig', () => {
  const override = (assignment: string) => checkConfig(overrideConfig(MINIMAL, assignment));

  it('reads a text as the option takes it', () => {
    expect(override('estimator.sigma=2e-2').estimator.sigma).toBe(0.02);
    expect(override('name=1e3').name).toBe('1e3');
    expect(override('seed=7').seed).toBe(7);
    expect(override('seed=abc').seed).toBe('abc');
    expect(override('tasks.0.options.image=[8,8,1]').tasks[0]?.options).toEqual({ image: [8, 8, 1] });
    expect(override('tasks.0.options.dataSet=digits').tasks[0]?.options).toEqual({ dataSet: 'digits' });
    expect(override('outer.clip={"kind":"value","threshold":3}').outer.clip).toEqual({ kind: 'value', threshold: 3 });
    expect(override('name=a=b').name).toBe('a=b');
  });

  it('leaves the config it was given alone', () => {
    const before = JSON.stringify(MINIMAL);
    override('tasks.0.name=image-mlp');
    expect(JSON.stringify(MINIMAL)).toBe(before);
  });

  it.each([
    [
      'estimator.sigma',
      'Cannot override config: expected name=value, as in estimator.sigma=0.02, but got estimator.sigma',
    ],
    [
      'estimator.sgima=1',
      'Cannot use config: expected the options name, pairs, groupSize, window, sigma, metaLoss but got estimator.sgima',
    ],
    ['estimator.sigma=much', 'Cannot use config: expected option estimator.sigma to be a number > 0 but got "much"'],
    ['estimator.sigma=-1', 'Cannot use config: expected option estimator.sigma to be a number > 0 but got -1'],
    ['tasks.1.name=x', 'Cannot override config: expected an index from 0 to 0 but got 1'],
  ])('refuses %s', (assignment, message) => {
    expect(() => override(assignment)).toThrow(expect.objectContaining({ message }) as Error);
  });
});

describe('configRows', () => {
  it('lists dotted names', () => {
    const names = configRows().map(({ name }) => name);
    expect(names).toContain('estimator.sigma');
    expect(names).toContain('outer.optimizer.name');
    expect(new Set(names).size).toBe(names.length);
  });
});
