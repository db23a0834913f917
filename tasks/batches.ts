import { type Key, fold } from '../jit/random/key.ts';
import { permutation } from '../jit/random/permutation.ts';
import type { Split, TaskData } from './task.ts';

/** Which batch: a pure function of these gives its rows. */
export interface BatchAddress {
  readonly split: Split;
  /** Key of the sequence of batches. */
  readonly key: Key;
  /** Place in the sequence, from 0. */
  readonly index: number;
}

/**
 * Rows of a batch, int32 `[batch]`. Batches go through the split epoch by epoch, each epoch in an order of its own (a keyed
 * permutation); within an epoch no example comes twice, and the few that fill no batch are left out. Costs as much as the batch has rows.
 * @throws RangeError when the split has fewer examples than a batch, or the index is no integer of at least 0.
 */
export function batchRows(data: TaskData, { split, key, index }: BatchAddress): Int32Array {
  const { batchSize } = data;
  const size = data.size(split);
  const batches = Math.floor(size / batchSize);
  if (batches === 0)
    throw new RangeError(
      `Cannot take a batch of ${data.dataSet}: expected a batch size of at most ${size}, the size of its split ${split}, but got ${batchSize}`,
    );
  if (!Number.isSafeInteger(index) || index < 0)
    throw new RangeError(
      `Cannot take a batch of ${data.dataSet}: expected an index of at least 0 but got ${String(index)}`,
    );
  const epoch = Math.floor(index / batches);
  const order = permutation(fold(key, split, epoch), size);
  const start = (index - epoch * batches) * batchSize;
  const rows = new Int32Array(batchSize);
  for (let i = 0; i < batchSize; i += 1) rows[i] = data.row(split, order.at(start + i));
  return rows;
}
