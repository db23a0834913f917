import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Key, fold, rootKey } from '../../jit/random/key.ts';
import type { Arrays, Tensors } from '../../lopt/optimizer.ts';
import { batchRows } from '../../tasks/batches.ts';
import type { DataSet } from '../../tasks/data-sets/data-set.ts';
import { imageDataSet } from '../../tasks/data-sets/data-set.ts';
import { drawNoises } from '../../tasks/noise.ts';
import type { Task } from '../../tasks/task.ts';

/** Tensors on the active backend. */
export function upload(arrays: Arrays): Map<string, Tensor> {
  return new Map([...arrays].map(([name, { data, shape, dtype }]) => [name, tf.tensor(data, [...shape], dtype)]));
}

/** A scalar's value. */
export function scalar(tensor: Tensor | undefined): number {
  return tensor?.dataSync()[0] ?? NaN;
}

/** A task at the start of one trajectory, eagerly on the active backend. */
export interface Started {
  readonly params: Tensors;
  readonly dynamic: Tensors;
  /** The batch of a training index; empty where the task has no data. */
  readonly batch: (index: number) => Tensors;
  /** Loss and auxiliary scalars. */
  readonly measure: (params: Tensors, index: number) => Record<string, number>;
}

/** Starts a task with draws from a key. */
export function start(task: Task, key: Key = rootKey('start')): Started {
  const dynamic = upload(task.sampleDynamic(fold(key, 'dynamic')));
  const params = task.init({ noise: upload(drawNoises(task.noise.init, fold(key, 'init'))), dynamic });
  const resident = upload(task.data?.resident ?? new Map());
  const batch = (index: number): Tensors =>
    task.data === undefined
      ? new Map()
      : task.data.batch({
          resident,
          rows: tf.tensor1d(batchRows(task.data, { split: 'train', key: fold(key, 'batches'), index }), 'int32'),
          noise: upload(drawNoises(task.noise.batch, fold(key, 'batch', index))),
        });
  return {
    params,
    dynamic,
    batch,
    measure: (params, index) => {
      const noise = upload(drawNoises(task.noise.loss, fold(key, 'loss', index)));
      const out = task.loss({ params, batch: batch(index), dynamic, noise });
      return Object.fromEntries(Object.entries(out).map(([name, value]) => [name, scalar(value)]));
    },
  };
}

/** A small data set of images that count up, for tests that need no learning. */
export function countingDataSet(rows = 100): DataSet {
  return imageDataSet({
    name: 'counting',
    rows,
    size: [4, 4, 1],
    pixels: Uint8Array.from({ length: rows * 16 }, (_, i) => (i * 37) % 256),
    labels: Array.from({ length: rows }, (_, row) => row % 3),
  });
}
