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

/** Whole batches in a split, at least 1. @throws RangeError when the split has fewer examples than a batch. */
export function batchesIn(data: TaskData, split: Split): number {
  const { batchSize, dataSet } = data;
  const size = data.size(split);
  if (size < batchSize)
    throw new RangeError(
      `Cannot take a batch of ${dataSet}: expected a batch size of at most ${size}, the size of its split ${split}, but got ${batchSize}`,
    );
  return Math.floor(size / batchSize);
}

/**
 * Rows of a batch, int32 `[batch]`. Batches go through the split epoch by epoch, each epoch in an order of its own (a keyed
 * permutation); within an epoch no example comes twice, and the few that fill no batch are left out. Costs as much as the batch has rows.
 * @throws RangeError when the split has fewer examples than a batch, or the index is no integer of at least 0.
 */
export function batchRows(data: TaskData, { split, key, index }: BatchAddress): Int32Array {
  const { batchSize } = data;
  const batches = batchesIn(data, split);
  if (!Number.isSafeInteger(index) || index < 0)
    throw new RangeError(
      `Cannot take a batch of ${data.dataSet}: expected an index of at least 0 but got ${String(index)}`,
    );
  const epoch = Math.floor(index / batches);
  const order = permutation(fold(key, split, epoch), data.size(split));
  const start = (index - epoch * batches) * batchSize;
  const rows = new Int32Array(batchSize);
  for (let i = 0; i < batchSize; i += 1) rows[i] = data.row(split, order.at(start + i));
  return rows;
}
