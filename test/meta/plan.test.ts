import { describe, expect, it } from 'vitest';
import { fold, rootKey } from '../../jit/random/key.ts';
import { createOptimizer } from '../../lopt/registry.ts';
import { planWindow } from '../../meta/plan.ts';
import { stepInputs } from '../../meta/program.ts';
import { batchRows } from '../../tasks/batches.ts';
import { loadDataSets } from '../../tasks/files/load-data-sets.ts';
import { createTask } from '../../tasks/registry.ts';

const KEY = rootKey('plan');
const { dataSets } = await loadDataSets();
const task = createTask('image-mlp', { image: [4, 4, 1], hidden: [3], batchSize: 5 }, { dataSets });
const inputs = stepInputs(task, createOptimizer('sgd'));
const stream = (index: number, steps: readonly number[]) => ({
  batches: { key: fold(KEY, 'batches', index), first: 7 },
  noise: fold(KEY, 'noise', index),
  resets: steps.map((step) => ({ step, horizon: 10 + step, key: fold(KEY, 'reset', index, step) })),
});
const plan = (streamOf: readonly number[], resets: readonly (readonly number[])[]) =>
  planWindow({
    task,
    inputs,
    windowLength: 4,
    freshRows: 4,
    streams: resets.map((steps, index) => stream(index, steps)),
    streamOf,
  });

describe('planWindow', () => {
  it('gives particles of one stream the same rows, by split, key and index alone', () => {
    const rows = plan([0, 0, 1], [[], []]).get('rows');
    expect(rows?.shape).toEqual([3, 4, 5]);
    const { data } = task;
    if (data === undefined) throw new Error('image-mlp has data');
    [0, 0, 1].forEach((index, particle) => {
      for (let step = 0; step < 4; step += 1)
        expect([...(rows?.data ?? [])].slice((particle * 4 + step) * 5, (particle * 4 + step + 1) * 5)).toEqual([
          ...batchRows(data, { split: 'train', key: fold(KEY, 'batches', index), index: 7 + step }),
        ]);
    });
  });

  it('numbers fresh rows through the streams and flags the steps that have any', () => {
    const made = plan([0, 0, 1], [[0, 3], [2]]);
    expect([...(made.get('reset')?.data ?? [])]).toEqual([0, -1, -1, 1, 0, -1, -1, 1, -1, -1, 2, -1]);
    expect([...(made.get('anyReset')?.data ?? [])]).toEqual([1, 0, 1, 1]);
    expect([...(made.get('fresh/horizon')?.data ?? [])]).toEqual([10, 13, 12, 0]);
  });

  it('starts trajectories of one key alike, wherever they stand in the plan', () => {
    const [a, b] = [plan([0], [[1]]), plan([0, 1], [[1], [2]])];
    const first = (made: typeof a): [string, number[]][] =>
      [...made]
        .filter(([name]) => name.startsWith('fresh/noise/'))
        .map(([name, { shape, data }]) => [name, Array.from(data.subarray(0, data.length / (shape[0] ?? 1)))]);
    expect(first(a).length).toBeGreaterThan(0);
    expect(first(b)).toEqual(first(a));
  });

  it('refuses more trajectories than it has room for', () => {
    expect(() =>
      plan(
        [0, 1],
        [
          [0, 1, 2],
          [0, 1],
        ],
      ),
    ).toThrow(new RangeError('Cannot plan a window of 4 steps: expected at most 4 trajectories to begin but 5 do'));
  });
});

describe('stepInputs', () => {
  it('refuses an optimizer that needs what unrolls do not give', () => {
    const optimizer = { ...createOptimizer('sgd'), needs: ['hvp'] as const };
    expect(() => stepInputs(task, optimizer)).toThrow(
      new RangeError(
        'Cannot unroll sgd: expected an optimizer that needs loss, validLoss, horizon or noise but it needs hvp',
      ),
    );
  });
});
