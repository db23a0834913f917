import { describe, expect, it } from 'vitest';
import { rootKey } from '../../jit/random/key.ts';
import { batchRows } from '../../tasks/batches.ts';
import { createTask } from '../../tasks/registry.ts';
import { SPLITS } from '../../tasks/task.ts';
import { countingDataSet } from './eager.ts';

const data = createTask(
  'image-mlp',
  { data: 'counting', image: [4, 4, 1], batchSize: 7 },
  { dataSets: new Map([['counting', countingDataSet()]]) },
).data!;
const key = rootKey(5);

describe('batchRows', () => {
  it('is pinned', () => {
    expect([...batchRows(data, { split: 'train', key, index: 0 })]).toEqual([39, 43, 8, 18, 36, 12, 73]);
    expect([...batchRows(data, { split: 'train', key, index: 12 })]).toEqual([13, 11, 40, 76, 12, 35, 21]);
    expect([...batchRows(data, { split: 'test', key, index: 0 })]).toEqual([42, 78, 62, 49, 29, 9, 82]);
  });

  it('shows no example twice within an epoch, and epochs in different orders', () => {
    const epoch = (n: number): number[] =>
      Array.from({ length: 10 }, (_, i) => [...batchRows(data, { split: 'train', key, index: 10 * n + i })]).flat();
    const [first, second] = [epoch(0), epoch(1)];
    expect(new Set(first).size).toBe(70);
    expect(new Set(second).size).toBe(70);
    expect(second).not.toEqual(first);
  });

  it('takes rows of its split alone', () => {
    for (const split of SPLITS) {
      const own = new Set(Array.from({ length: data.size(split) }, (_, i) => data.row(split, i)));
      for (let index = 0; index < 4; index += 1)
        for (const row of batchRows(data, { split, key, index })) expect(own.has(row)).toBe(true);
    }
  });

  it('is a function of key, split and index', () => {
    const at = (split: 'train' | 'test', seed: number, index: number): string =>
      batchRows(data, { split, key: rootKey(seed), index }).join();
    expect(at('train', 1, 3)).toBe(at('train', 1, 3));
    expect(at('train', 1, 3)).not.toBe(at('train', 2, 3));
    expect(at('train', 1, 3)).not.toBe(at('train', 1, 4));
  });

  it('refuses batches that a split cannot fill', () => {
    expect(() => batchRows({ ...data, batchSize: 11 }, { split: 'test', key, index: 0 })).toThrow(
      new RangeError(
        'Cannot take a batch of counting: expected a batch size of at most 10, the size of its split test, but got 11',
      ),
    );
    expect(() => batchRows(data, { split: 'test', key, index: -1 })).toThrow(
      new RangeError('Cannot take a batch of counting: expected an index of at least 0 but got -1'),
    );
  });
});
