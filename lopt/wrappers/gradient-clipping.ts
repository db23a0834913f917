/**
 * Gradient clipping before any optimizer: by value, by the norm of all gradients together, by the norm or the root mean square of each.
 *
 * **Source** Pascanu, Mikolov & Bengio 2013, arXiv 1211.5063; optax clip, clip_by_global_norm, clip_by_block_rms.
 * **Checked against** optax 0.2.8 over sgd (test/goldens/hand/gradient-clipping--value, --global-norm, --block-rms).
 * **Differs** adaptive clipping (AGC) is not offered. A NaN gradient stays NaN and, under global-norm, makes all others NaN, as in optax.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { mapTensors } from '../../jit/trace/map-tensors.ts';
import { numeric } from '../numeric.ts';
import type { ParamSpecs, TensorClass, Tensors } from '../optimizer.ts';
import { choiceOption } from '../options.ts';
import { wrapper } from './wrapper.ts';

const KINDS = ['value', 'global-norm', 'tensor-norm', 'block-rms'] as const;
type Kind = (typeof KINDS)[number];

export const GRADIENT_CLIPPING = wrapper({
  name: 'gradient-clipping',
  source: 'Pascanu, Mikolov & Bengio 2013, arXiv 1211.5063; optax',
  summary:
    'gradients clipped by value, by their common norm or by each one’s norm or root mean square, before the base',
  defaultBase: 'sgd',
  options: {
    kind: choiceOption({ choices: KINDS, default: 'global-norm', meaning: 'what is held below the threshold' }),
    threshold: numeric({ default: 1, above: 0, meaning: 'largest absolute value, norm or root mean square' }),
  },
  grads({ grads, specs }, { options: { kind }, numerics: { threshold } }) {
    const shared = {
      threshold: threshold.value,
      ...(kind === 'global-norm' ? { norm: globalNorm(grads, specs) } : {}),
    };
    return mapTensors({ specs, classOf, shared }, { g: grads }, (_, { g }, { threshold, norm }) => ({
      g: clipped(g, kind, { threshold, norm }),
    })).g;
  },
});

const classOf = (): TensorClass => ({ key: 'any' });

function clipped(
  g: Tensor,
  kind: Kind,
  { threshold, norm }: { readonly threshold: Tensor; readonly norm: Tensor | undefined },
): Tensor {
  if (kind === 'value') return tf.minimum(tf.maximum(g, tf.neg(threshold)), threshold);
  const size = kind === 'block-rms' ? tf.sqrt(tf.mean(tf.square(g))) : (norm ?? tf.sqrt(tf.sum(tf.square(g))));
  // threshold / max(size, threshold) is exactly 1 below the threshold and never divides by zero.
  return tf.mul(g, tf.div(threshold, tf.maximum(size, threshold)));
}

/** The 2-norm of all gradients concatenated. */
function globalNorm(grads: Tensors, specs: ParamSpecs): Tensor {
  const { squares } = mapTensors({ specs, classOf }, { g: grads }, (_, { g }) => ({ squares: tf.sum(tf.square(g)) }));
  return tf.sqrt(tf.sum(tf.stack([...(squares ?? new Map<string, Tensor>()).values()])));
}
