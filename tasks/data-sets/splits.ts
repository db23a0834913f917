import { fold, rootKey } from '../../jit/random/key.ts';
import { permutation } from '../../jit/random/permutation.ts';
import { SPLITS, type Split } from '../task.ts';

/** Rows of a data set by split. */
export interface SplitRows {
  readonly size: (split: Split) => number;
  /** Row that is example `index` of a split. @throws RangeError when there is no such example. */
  readonly row: (split: Split, index: number) => number;
}

const KEY = fold(rootKey('lopt'), 'splits');
/** A tenth each for inner validation, outer validation and, where there is no test part of its own, test; the rest is to train on. */
const SHARE = 10;

/**
 * The four splits of a data set, which never overlap: consecutive parts of a keyed permutation of its rows, the same on every machine
 * and in every run. Without a test part of its own train has 70 % (what is left over too), the others 10 % each, rounded down. The
 * last `testRows` rows, where there are any, are `test`, and the others are split 80, 10 and 10.
 * @throws RangeError when a split would be empty.
 */
export function splitRows({ rows, testRows }: { readonly rows: number; readonly testRows: number }): SplitRows {
  const mixed = rows - testRows;
  const tenth = Math.floor(mixed / SHARE);
  if (!Number.isSafeInteger(rows) || testRows < 0 || tenth === 0)
    throw new RangeError(
      `Cannot split a data set: expected at least ${SHARE} rows outside its test part but got ${mixed}: every split takes a tenth of them`,
    );
  const parts: Readonly<Record<Split, { readonly from: number; readonly size: number }>> = {
    innerValid: { from: 0, size: tenth },
    outerValid: { from: tenth, size: tenth },
    test: testRows > 0 ? { from: mixed, size: testRows } : { from: 2 * tenth, size: tenth },
    train: testRows > 0 ? { from: 2 * tenth, size: mixed - 2 * tenth } : { from: 3 * tenth, size: mixed - 3 * tenth },
  };
  const order = new Int32Array(rows);
  const first = permutation(fold(KEY, 'rows'), mixed);
  for (let i = 0; i < mixed; i += 1) order[i] = first.at(i);
  for (let i = mixed; i < rows; i += 1) order[i] = i;
  return {
    size: (split) => parts[split].size,
    row: (split, index) => {
      const { from, size } = parts[split];
      const row = index >= 0 && index < size ? order[from + index] : undefined;
      if (row === undefined)
        throw new RangeError(
          `Cannot take example ${String(index)} of split ${split}: expected an integer from 0 to ${size - 1}`,
        );
      return row;
    },
  };
}

/** Whether a text names a split. */
export function isSplit(name: string): name is Split {
  return SPLITS.some((split) => split === name);
}
