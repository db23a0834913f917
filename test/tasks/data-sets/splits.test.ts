import { describe, expect, it } from 'vitest';
import { splitRows } from '../../../tasks/data-sets/splits.ts';
import { SPLITS, type Split } from '../../../tasks/task.ts';

function rowsOf(splits: ReturnType<typeof splitRows>, split: Split): number[] {
  return Array.from({ length: splits.size(split) }, (_, index) => splits.row(split, index));
}

describe('splitRows', () => {
  it.each([
    { rows: 1797, testRows: 0, sizes: [1260, 179, 179, 179] },
    { rows: 10, testRows: 0, sizes: [7, 1, 1, 1] },
    { rows: 19, testRows: 0, sizes: [16, 1, 1, 1] },
    { rows: 1100, testRows: 100, sizes: [800, 100, 100, 100] },
  ])('gives every one of $rows rows to one split', ({ rows, testRows, sizes }) => {
    const splits = splitRows({ rows, testRows });
    expect(SPLITS.map((split) => splits.size(split))).toEqual(sizes);
    const all = SPLITS.flatMap((split) => rowsOf(splits, split));
    expect(all.length).toBe(rows);
    expect(new Set(all).size).toBe(rows);
  });

  it('keeps a test part to the test split', () => {
    expect(rowsOf(splitRows({ rows: 60, testRows: 20 }), 'test')).toEqual(
      Array.from({ length: 20 }, (_, index) => 40 + index),
    );
  });

  it('is pinned', () => {
    expect(rowsOf(splitRows({ rows: 1797, testRows: 0 }), 'test').slice(0, 6)).toEqual([
      333, 1617, 968, 851, 1094, 1187,
    ]);
  });

  it('mixes rows', () => {
    const train = rowsOf(splitRows({ rows: 1000, testRows: 0 }), 'train');
    const mean = train.reduce((sum, row) => sum + row, 0) / train.length;
    // The standard error of the mean of 700 of 1,000 rows, drawn without repetition, is 6.
    expect(Math.abs(mean - 499.5)).toBeLessThan(24);
  });

  it('refuses what is too small, and examples that are not there', () => {
    expect(() => splitRows({ rows: 29, testRows: 20 })).toThrow(
      new RangeError(
        'Cannot split a data set: expected at least 10 rows outside its test part but got 9: every split takes a tenth of them',
      ),
    );
    expect(() => splitRows({ rows: 20, testRows: 0 }).row('test', 2)).toThrow(
      new RangeError('Cannot take example 2 of split test: expected an integer from 0 to 1'),
    );
  });
});
