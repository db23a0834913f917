import * as tf from '@tensorflow/tfjs-core';
import { logUniform, logUniformInteger, normal } from '../../jit/random/draws.ts';
import { type Key, fold } from '../../jit/random/key.ts';
import { booleanOption, integerOption, numberOption, readOptions } from '../../lopt/options.ts';
import type { Arrays, ParamSpec } from '../../lopt/optimizer.ts';
import type { Task } from '../task.ts';
import { asMatrix, param } from './dense.ts';
import type { TaskFamily } from './family.ts';
import { boundedLoss } from './losses.ts';
import { pick } from './pick.ts';

const OPTIONS = {
  dim: integerOption({ default: 10, min: 1, max: 4096, meaning: 'number of parameters' }),
  condition: numberOption({
    default: 1,
    min: 1,
    max: 1e6,
    meaning: 'curvatures are log-uniform between 1 / condition and 1',
  }),
  rotated: booleanOption({
    default: false,
    meaning: 'whether the curvatures belong to random directions, not to the axes',
  }),
  noise: numberOption({
    default: 0,
    min: 0,
    meaning: 'standard deviation of the minimum, which moves at random every step',
  }),
};

/** Losses above this multiple of the expected initial loss count the same. */
const WORST = 10;

/**
 * A quadratic bowl: 1/2 sum over i of h_i z_i^2, z = Q (w - c - noise n). The minimum c is standard normal and the curvatures h and
 * directions Q are drawn too, anew for every particle; w starts standard normal; n is standard normal, anew every step.
 *
 * **Source** the Quadratic, NoisyQuadratic and FixedDimQuadraticFamily tasks of google/learned_optimization (L. Metz et al.,
 * arXiv 2203.11860).
 * **Checked against** the formula in plain loops.
 * **Differs** in the normaliser. Published: the identity. Here: the identity up to 10 times dim, which is at least ten times the
 * expected initial loss; above that, and for NaN, 10 times dim. Meta-training compares losses, and one particle whose loss runs to
 * infinity must cost its own share only.
 */
export const quadratic: TaskFamily = {
  name: 'quadratic',
  summary: 'a quadratic bowl, perhaps ill-conditioned, rotated or noisy',
  source: 'Metz et al. 2022, arXiv 2203.11860',
  options: OPTIONS,
  sampleShape: (key) => {
    const [condition = 1] = logUniform(fold(key, 'condition'), 1, { min: 1, max: 1e4 });
    return {
      dim: logUniformInteger(fold(key, 'dim'), { min: 2, max: 256 }),
      condition,
      rotated: pick(fold(key, 'rotated'), [false, true]),
      noise: pick(fold(key, 'noise'), [0, 0.01, 0.1]),
    };
  },
  task: (given): Task => {
    const { dim, condition, rotated, noise } = readOptions(OPTIONS, given, { doing: 'create task quadratic' });
    const spec: ParamSpec = { path: 'w', shape: [dim], dtype: 'float32' };
    return {
      name: 'quadratic',
      specs: new Map([['w', spec]]),
      noise: {
        init: new Map([['w', { kind: 'normal', shape: [dim] }]]),
        ...(noise === 0 ? {} : { loss: new Map([['minimum', { kind: 'normal', shape: [dim] }]]) }),
      },
      dynamic: new Map([
        ['curvature', { shape: [dim], dtype: 'float32' }],
        ['minimum', { shape: [dim], dtype: 'float32' }],
        ...(rotated ? [['directions', { shape: [dim, dim], dtype: 'float32' }] as const] : []),
      ]),
      sampleDynamic: (key): Arrays =>
        new Map([
          [
            'curvature',
            {
              shape: [dim],
              dtype: 'float32',
              data: logUniform(fold(key, 'curvature'), dim, { min: 1 / condition, max: 1 }),
            },
          ],
          ['minimum', { shape: [dim], dtype: 'float32', data: normal(fold(key, 'minimum'), dim) }],
          ...(rotated
            ? [
                [
                  'directions',
                  { shape: [dim, dim], dtype: 'float32', data: randomRotation(fold(key, 'directions'), dim) },
                ] as const,
              ]
            : []),
        ]),
      init: ({ noise }) => new Map([['w', param(noise, 'w')]]),
      loss: ({ params, dynamic, noise: drawn }) => {
        const still = tf.sub(param(params, 'w'), param(dynamic, 'minimum'));
        const moved = noise === 0 ? still : tf.sub(still, tf.mul(param(drawn, 'minimum'), noise));
        const z = rotated
          ? tf.reshape(tf.matMul(asMatrix(param(dynamic, 'directions')), tf.reshape(moved, [dim, 1])), [dim])
          : moved;
        return { loss: tf.mul(tf.sum(tf.mul(param(dynamic, 'curvature'), tf.mul(z, z))), 0.5) };
      },
      normalize: (loss) => boundedLoss(loss, WORST * dim),
    };
  },
};

/**
 * A random orthogonal matrix `[dim, dim]`, row-major: the product of reflections along as many Gaussian vectors as a uniformly
 * distributed one takes, up to sixteen of them. Steps that round the same way everywhere.
 *
 * **Source** G. W. Stewart, "The efficient generation of random orthogonal matrices", SIAM J. Numer. Anal. 17 (1980).
 * **Differs** in stopping after sixteen reflections along full vectors: cheap, and as good a hiding of the axes.
 */
function randomRotation(key: Key, dim: number): Float32Array {
  const matrix = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i += 1) matrix[i * dim + i] = 1;
  for (let reflection = 0; reflection < Math.min(dim, 16); reflection += 1) {
    const along = normal(fold(key, reflection), dim);
    const square = along.reduce((sum, x) => sum + x * x, 0);
    for (let row = 0; row < dim; row += 1) {
      const line = matrix.subarray(row * dim, (row + 1) * dim);
      const scale = (2 * line.reduce((sum, x, i) => sum + x * (along[i] ?? 0), 0)) / square;
      line.forEach((x, i) => {
        line[i] = x - scale * (along[i] ?? 0);
      });
    }
  }
  return Float32Array.from(matrix);
}
