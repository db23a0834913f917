/**
 * Accumulators of learned optimizers: moving averages of the gradient and of its square at several decays at once, the second kind
 * also factored into rows and columns. All start at zero and are updated with the current gradient before features are made of them.
 *
 * **Source** Adafactor, Shazeer & Stern 2018, arXiv 1804.04235; google/learned_optimization (learned_optimizers/common.py).
 * **Checked against** the published code's accumulators (test/goldens/blocks/accumulators.json.gz).
 * **Differs** decays are the first axis, [decay, ...parameter], not the last; only the accumulators that a tensor uses are kept; of equal
 * extents the later axis counts as the larger one, where the published code depends on its sorting routine for some shapes of rank 4 and more.
 *
 * Here `decays` is float32 [decay]; a scalar parameter is seen as [1].
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';

/** The two largest axes of a tensor of rank 2 or more: `rows` averages over the largest, `columns` over the second largest. */
export interface FactoredAxes {
  readonly largest: number;
  readonly second: number;
}

/** Facts of a class on which the accumulators and features branch. */
export interface AccumulatorClass {
  readonly key: string;
  /** Rank of the parameter. */
  readonly rank: number;
  /** There where the rank is at least 2. */
  readonly factored?: FactoredAxes;
}

/** The class of a parameter, from its shape alone. */
export function accumulatorClass({ shape }: { readonly shape: readonly number[] }): AccumulatorClass {
  const rank = shape.length;
  if (rank < 2) return { key: `rank ${rank}`, rank };
  // Stable: of equal extents the later axis ranks higher.
  const bySize = shape.map((_, axis) => axis).sort((a, b) => (shape[a] ?? 0) - (shape[b] ?? 0) || a - b);
  const largest = bySize.at(-1) ?? 0;
  const second = bySize.at(-2) ?? 0;
  return { key: `rank ${rank}, largest axes ${largest} ${second}`, rank, factored: { largest, second } };
}

/** Averages of squares, factored or (rank below 2) not. */
export type FactoredState =
  /** `row` [decay, ...without the largest axis], `column` [decay, ...without the second largest]. */
  | { readonly row: Tensor; readonly column: Tensor }
  /** `diagonal` [decay, ...parameter]. */
  | { readonly diagonal: Tensor };

/** The factored averages after one more gradient, and what features are made of. All shapes broadcast to [decay, ...parameter]. */
export interface FactoredMoments {
  readonly state: FactoredState;
  /** Averages over rows and columns, with extent 1 along the axis that was averaged (the diagonal twice where not factored). */
  readonly rows: Tensor;
  readonly columns: Tensor;
  /** What a tensor is multiplied by to be preconditioned: 1 / sqrt of the factored second moment, in two factors; absent where not factored. */
  readonly factors?: readonly [Tensor, Tensor];
}

/** decay * m + (1 - decay) * g for each decay: [decay, ...parameter]. The decays are used as they are. */
export function updateMomentum(momentum: Tensor, g: Tensor, decays: Tensor): Tensor {
  const d = alongDecays(decays, g.rank);
  return tf.add(tf.mul(d, momentum), tf.mul(tf.sub(1, d), tf.expandDims(g, 0)));
}

/** The same of g^2, with decays clipped to [0, 1]. */
export function updateSecondMoment(secondMoment: Tensor, g: Tensor, decays: Tensor): Tensor {
  return updateMomentum(secondMoment, tf.square(g), tf.clipByValue(decays, 0, 1));
}

/** Factored averages of g^2 + 1e-30 after one more gradient, with decays clipped to [0, 1]. */
export function updateFactored(
  state: FactoredState,
  g: Tensor,
  { decays, axes }: { readonly decays: Tensor; readonly axes: FactoredAxes | undefined },
): FactoredMoments {
  const clipped = tf.clipByValue(decays, 0, 1);
  const squares = tf.add(tf.square(g), 1e-30);
  if ('diagonal' in state || axes === undefined) {
    if (!('diagonal' in state))
      throw new RangeError('Cannot update: expected a diagonal state but got rows and columns');
    const diagonal = updateMomentum(state.diagonal, squares, clipped);
    return { state: { diagonal }, rows: diagonal, columns: diagonal };
  }
  const { largest, second } = axes;
  const row = updateMomentum(state.row, tf.mean(squares, largest), clipped);
  const column = updateMomentum(state.column, tf.mean(squares, second), clipped);
  // The axis of `row` that the second largest axis has become.
  const remaining = second > largest ? second : second + 1;
  const rowFactor = safeRsqrt(tf.div(row, tf.add(tf.mean(row, remaining, true), 1e-9)));
  return {
    state: { row, column },
    rows: tf.expandDims(row, largest + 1),
    columns: tf.expandDims(column, second + 1),
    factors: [tf.expandDims(rowFactor, largest + 1), tf.expandDims(safeRsqrt(column), second + 1)],
  };
}

/** The accumulators of one parameter at the start: zeros. `p` is [1] for a scalar. */
export function initAccumulators(
  p: Tensor,
  {
    axes,
    counts,
  }: {
    readonly axes: FactoredAxes | undefined;
    readonly counts: { readonly momentum: number; readonly secondMoment: number; readonly factored: number };
  },
): Record<string, Tensor> {
  const zeros = (count: number, without?: number): Tensor =>
    tf.zeros([count, ...p.shape.filter((_, axis) => axis !== without)]);
  const factored: Record<string, Tensor> =
    axes === undefined
      ? { diagonal: zeros(counts.factored) }
      : { row: zeros(counts.factored, axes.largest), column: zeros(counts.factored, axes.second) };
  return { momentum: zeros(counts.momentum), secondMoment: zeros(counts.secondMoment), ...factored };
}

/** The three accumulators of one parameter by name, as `initAccumulators` gives them. */
export type AccumulatorTensors = Readonly<
  Record<'momentum' | 'secondMoment', Tensor> & Partial<Record<'row' | 'column' | 'diagonal', Tensor>>
>;

/** All accumulators after one more gradient [...parameter]; `state` has the next ones under the names of the old. */
export function updateAccumulators(
  old: AccumulatorTensors,
  g: Tensor,
  {
    decays,
    axes,
  }: {
    readonly decays: { readonly momentum: Tensor; readonly secondMoment: Tensor; readonly factored: Tensor };
    readonly axes: FactoredAxes | undefined;
  },
): {
  readonly momentum: Tensor;
  readonly secondMoment: Tensor;
  readonly factored: FactoredMoments;
  readonly state: AccumulatorTensors;
} {
  const momentum = updateMomentum(old.momentum, g, decays.momentum);
  const secondMoment = updateSecondMoment(old.secondMoment, g, decays.secondMoment);
  const factored = updateFactored(factoredState(old), g, { decays: decays.factored, axes });
  return { momentum, secondMoment, factored, state: { momentum, secondMoment, ...factored.state } };
}

function factoredState({ row, column, diagonal }: AccumulatorTensors): FactoredState {
  if (diagonal !== undefined) return { diagonal };
  if (row !== undefined && column !== undefined) return { row, column };
  throw new RangeError('Cannot update: expected the state of a tensor to have row and column, or diagonal');
}

/** 1 / sqrt(max(x, 1e-9)). */
export function safeRsqrt(x: Tensor): Tensor {
  return tf.rsqrt(tf.maximum(x, 1e-9));
}

/** A scalar as [1], anything else as it is. */
export function atLeastVector(x: Tensor): Tensor {
  return x.rank === 0 ? tf.reshape(x, [1]) : x;
}

/** [decay] as [decay, 1, ..., 1]. */
function alongDecays(decays: Tensor, rank: number): Tensor {
  return tf.reshape(decays, [decays.shape[0] ?? 1, ...new Array<number>(rank).fill(1)]);
}
