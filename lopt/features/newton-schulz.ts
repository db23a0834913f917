import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';

/** Coefficients of the quintic whose iteration drives singular values towards 1 fastest from near 0 (Muon's). */
const [A, B, C] = [3.4445, -4.775, 2.0315] as const;

/**
 * Orthogonalisation by Newton-Schulz iteration: matrices whose singular values are all near 1 (about .7 to 1.2), [..., row, column].
 *
 * **Source** Jordan et al. 2024, Muon (github.com/KellerJordan/Muon); amoudgl/celo. **Checked against** trajectories of celo2.
 * **Differs** in nothing: float32 throughout. `tall` says that there are more rows than columns: the iteration then runs on the transposed matrix.
 */
export function newtonSchulz(
  x: Tensor,
  { tall, steps, epsilon }: { readonly tall: boolean; readonly steps: number; readonly epsilon: number },
): Tensor {
  const rank = x.rank;
  const perm = [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2];
  const wide = tall ? tf.transpose(x, perm) : x;
  const norm = tf.sqrt(tf.sum(tf.square(wide), [rank - 2, rank - 1], true));
  let y: Tensor = tf.div(wide, tf.add(norm, epsilon));
  for (let step = 0; step < steps; step += 1) {
    const s = tf.matMul(y, y, false, true);
    const polynomial = tf.add(tf.mul(B, s), tf.mul(C, tf.matMul(s, s)));
    y = tf.add(tf.mul(A, y), tf.matMul(polynomial, y));
  }
  return tall ? tf.transpose(y, perm) : y;
}
