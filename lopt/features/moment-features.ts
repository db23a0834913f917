import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { safeRsqrt, type FactoredMoments } from './accumulators.ts';

/** Features made of a gradient and its accumulators. Shapes broadcast to [decay, ...parameter]. */
export interface MomentFeatures {
  /** 1 / sqrt(second moment + epsilon). */
  readonly rsqrt: Tensor;
  /** Momentum times that. */
  readonly scaledMomentum: Tensor;
  /** Gradient and momentum over the root of the factored second moment. */
  readonly factoredGradient: Tensor;
  readonly factoredMomentum: Tensor;
  /** Row averages, then 1 / sqrt(row averages + 1e-8): [2 decay, ...]. The same of the diagonal where not factored. */
  readonly rows: Tensor;
  /** As `rows`, of the column averages; absent where not factored (they would be the same again). */
  readonly columns?: Tensor;
}

/**
 * The features that AdafacMLP, VeLO, Celo and Celo2 have in common (learned accumulators: accumulators.ts).
 *
 * **Source** google/learned_optimization (learned_optimizers/adafac_mlp_lopt.py, research/general_lopt/hyper_v2.py).
 * **Checked against** trajectories of adafac-mlp and celo2. **Differs** in the order of two multiplications.
 * `diagonalEpsilon` is added to the diagonal second moment in the last feature.
 */
export function momentFeatures(
  {
    g,
    momentum,
    secondMoment,
    factored,
  }: {
    /** [...parameter]. */
    readonly g: Tensor;
    /** [decay, ...parameter]. */
    readonly momentum: Tensor;
    /** [1, ...parameter]. */
    readonly secondMoment: Tensor;
    readonly factored: FactoredMoments;
  },
  { epsilon, diagonalEpsilon }: { readonly epsilon: number; readonly diagonalEpsilon: number },
): MomentFeatures {
  const rsqrt = tf.rsqrt(tf.add(secondMoment, epsilon));
  const { rows, columns, factors } = factored;
  const both = (average: Tensor): Tensor => tf.concat([average, tf.rsqrt(tf.add(average, 1e-8))], 0);
  const gradient = tf.expandDims(g, 0);
  const scaledMomentum = tf.mul(momentum, rsqrt);
  if (factors === undefined)
    return {
      rsqrt,
      scaledMomentum,
      factoredGradient: tf.mul(gradient, safeRsqrt(tf.add(rows, 1e-9))),
      factoredMomentum: tf.mul(momentum, tf.rsqrt(tf.add(rows, diagonalEpsilon))),
      rows: both(rows),
    };
  const factor = tf.mul(...factors);
  return {
    rsqrt,
    scaledMomentum,
    factoredGradient: tf.mul(gradient, factor),
    factoredMomentum: tf.mul(momentum, factor),
    rows: both(rows),
    columns: both(columns),
  };
}
