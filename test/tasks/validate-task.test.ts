import { describe, expect, it } from 'vitest';
import { rootKey } from '../../jit/random/key.ts';
import type { Task } from '../../tasks/task.ts';
import { createTask } from '../../tasks/registry.ts';
import { taskOfModule, validateTask } from '../../tasks/validate-task.ts';
import { countingDataSet, start } from './eager.ts';

const good = createTask(
  'image-mlp',
  { data: 'counting', batchSize: 9 },
  { dataSets: new Map([['counting', countingDataSet()]]) },
);
const source = 'mine.js';

describe('validateTask', () => {
  it('takes our own tasks', () => {
    expect(validateTask(good, { source })).toBe(good);
    const noisy = createTask('quadratic', { noise: 1, rotated: true });
    expect(validateTask(noisy, { source })).toBe(noisy);
  });

  it.each<[string, unknown, string]>([
    ['no object', 3, 'the task to be an object but got 3'],
    ['a task without a name', { ...good, name: undefined }, 'name to be a text but got undefined'],
    ['specs that are an object', { ...good, specs: {} }, 'specs to be a Map but got {}'],
    ['no parameters', { ...good, specs: new Map() }, 'specs to be a Map of at least one parameter but got a Map of 0'],
    [
      'a parameter under another key',
      { ...good, specs: new Map([['w', { path: 'v', shape: [2], dtype: 'float32' }]]) },
      `specs.get('w').path to be the key it stands under but got "v"`,
    ],
    [
      'a parameter of another type',
      { ...good, specs: new Map([['w', { path: 'w', shape: [2], dtype: 'float64' }]]) },
      `specs.get('w').dtype to be 'float32' but got "float64"`,
    ],
    [
      'a shape that is none',
      { ...good, specs: new Map([['w', { path: 'w', shape: [-1], dtype: 'float32' }]]) },
      `specs.get('w').shape to be a list of extents but got [-1]`,
    ],
    [
      'noise left out',
      { ...good, noise: undefined },
      'noise to be an object of init, loss and batch, each a Map or left out but got undefined',
    ],
    [
      'noise for another purpose',
      { ...good, noise: { step: new Map() } },
      'the members of noise to be among init, loss, batch but got "step"',
    ],
    [
      'noise of another kind',
      { ...good, noise: { init: new Map([['w', { kind: 'gaussian', shape: [1] }]]) } },
      `noise.init.get('w').kind to be one of normal, truncatedNormal, rademacher, uniform but got "gaussian"`,
    ],
    ['dynamic left out', { ...good, dynamic: undefined }, 'dynamic to be a Map but got undefined'],
    [
      'a dynamic value of another type',
      { ...good, dynamic: new Map([['s', { shape: [], dtype: 'float64' }]]) },
      `dynamic.get('s').dtype to be one of float32, int32, bool but got "float64"`,
    ],
    ['no loss', { ...good, loss: undefined }, 'loss to be a function but got undefined'],
    [
      'data without a batch size',
      { ...good, data: { ...good.data, batchSize: 0 } },
      'data.batchSize to be an integer of at least 1 but got 0',
    ],
    [
      'resident data of another length',
      {
        ...good,
        data: { ...good.data, resident: new Map([['x', { shape: [3], dtype: 'float32', data: new Float32Array(2) }]]) },
      },
      `data.resident.get('x').data to be a typed array of 3 elements but got 2`,
    ],
    [
      'a source that is no data set',
      { ...good, data: { ...good.data, source: { classes: 3 } } },
      'data.source.fingerprint to be a function but got undefined',
    ],
    ['data without rows', { ...good, data: { ...good.data, row: 3 } }, 'data.row to be a function but got 3'],
  ])('refuses %s', (_, value, message) => {
    expect(() => validateTask(value, { source })).toThrow(
      new TypeError(`Cannot use mine.js as a task: expected ${message}; see docs/add-a-task.md`),
    );
  });
});

describe('taskOfModule', () => {
  const context = { source, dataSets: new Map([['counting', countingDataSet()]]) };

  it('takes a default export, an export named task, and functions that make one', async () => {
    expect(await taskOfModule({ default: good }, context)).toBe(good);
    expect(await taskOfModule({ task: good }, context)).toBe(good);
    const make = async ({ dataSets }: typeof context): Promise<Task> =>
      createTask('image-mlp', { data: 'counting', batchSize: 3 }, { dataSets });
    expect((await taskOfModule({ default: make }, context)).data?.batchSize).toBe(3);
  });

  it('refuses a module without one', async () => {
    await expect(taskOfModule({ loss: () => 0 }, context)).rejects.toThrow(
      new TypeError(
        'Cannot use mine.js as a task: expected a default export, or an export named task, but it exports loss; see docs/add-a-task.md',
      ),
    );
  });
});

describe('examples/my-task.js', () => {
  it('is a task that learns', async () => {
    const exports: unknown = await import(new URL('../../examples/my-task.js', import.meta.url).href);
    const task = await taskOfModule(exports, { source: 'examples/my-task.js', dataSets: new Map() });
    const { data } = task;
    const rows = (['train', 'innerValid', 'outerValid', 'test'] as const).flatMap((split) =>
      Array.from({ length: data!.size(split) }, (_, index) => data!.row(split, index)),
    );
    expect(new Set(rows).size).toBe(1600);
    const { params, measure } = start(task, rootKey(1));
    const { loss, meanError } = measure(params, 0);
    expect(loss).toBeGreaterThan(0.3);
    expect(meanError).toBeLessThan(Math.sqrt(loss!));
    expect(task.normalize(params.get('out/bias')!.sum()).dataSync()[0]).toBe(0);
  });
});
