import type { Tensor } from '@tensorflow/tfjs-core';
import type { ValueType } from '../jit/graph/graph.ts';
import type { Key } from '../jit/random/key.ts';
import type { Group } from '../jit/trace/structure.ts';
import type { DataSet } from './data-sets/data-set.ts';
import type { Arrays, NoiseSpec, ParamSpecs, Tensors } from '../lopt/optimizer.ts';

/** The four parts of a data set, which never overlap. */
export const SPLITS = ['train', 'innerValid', 'outerValid', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** Where a task's batches come from. The host turns (split, index) into rows of the resident tensors; the program gathers them. */
export interface TaskData {
  /** Name of the data set, as the config and reports show it. */
  readonly dataSet: string;
  /** The data set itself, where there is more of it than `resident`. */
  readonly source?: Pick<DataSet, 'classes' | 'fingerprint'>;
  /** Tensors that stay on the engine, such as images `[row, height, width, channel]` and labels `[row]`. */
  readonly resident: Arrays;
  readonly batchSize: number;
  /** Number of examples of a split. */
  size(split: Split): number;
  /** Row of the resident tensors that holds example `index` of a split. */
  row(split: Split, index: number): number;
  /** Traced: a batch from rows int32 `[batch]`. */
  batch(input: { readonly resident: Tensors; readonly rows: Tensor; readonly noise?: Tensors }): Tensors;
}

/**
 * An inner training problem. `init`, `loss`, `normalize` and `data.batch` are traced, of one particle; they draw nothing themselves:
 * random numbers enter as `noise`, what varies from particle to particle as `dynamic`.
 */
export interface Task {
  readonly name: string;
  readonly specs: ParamSpecs;
  readonly noise: {
    readonly init?: Group<NoiseSpec>;
    readonly loss?: Group<NoiseSpec>;
    readonly batch?: Group<NoiseSpec>;
  };
  /** Types of the dynamic config. */
  readonly dynamic: Group<ValueType>;
  /** A dynamic config for one particle: host arrays of the types in `dynamic`, a pure function of the key. */
  sampleDynamic(key: Key): Arrays;
  init(input: { readonly noise: Tensors; readonly dynamic: Tensors }): Tensors;
  /** `loss` is a float32 scalar; others are auxiliary scalars such as `accuracy`. */
  loss(input: {
    readonly params: Tensors;
    readonly batch: Tensors;
    readonly dynamic: Tensors;
    readonly noise: Tensors;
  }): Readonly<Record<string, Tensor>> & { readonly loss: Tensor };
  /** Maps a loss into a bounded range, NaN to the worst value: what meta-training compares. */
  normalize(loss: Tensor): Tensor;
  readonly data?: TaskData;
}
