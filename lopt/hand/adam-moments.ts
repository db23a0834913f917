/** What Adam's family shares: moving averages of the gradient and of its square, and the options for them. */
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { biasCorrection, movingAverage } from '../features/moments.ts';
import type { NumericTensors } from '../numeric.ts';
import { decay, epsilon, learningRate } from './options.ts';

/** Options of the family, with its defaults. */
export const ADAM_OPTIONS = {
  lr: learningRate(1e-3),
  beta1: decay(0.9, 'decay of the average of g'),
  beta2: decay(0.999, 'decay of the average of g^2'),
  eps: epsilon(1e-8),
};

/** Scalars that follow from the decays and eps at step k (1-based); `correction2` is what v is divided by. */
export function momentScalars(
  { beta1, beta2, eps }: Pick<NumericTensors<typeof ADAM_OPTIONS>, 'beta1' | 'beta2' | 'eps'>,
  k: Tensor,
): Record<'beta1' | 'complement1' | 'beta2' | 'complement2' | 'correction2' | 'eps', Tensor> {
  return {
    beta1: beta1.value,
    complement1: beta1.complement,
    beta2: beta2.value,
    complement2: beta2.complement,
    correction2: biasCorrection(beta2.log, k),
    eps: eps.value,
  };
}

/** The averages after one more gradient: `m` of g, `v` of g^2; neither is bias-corrected. */
export function updateMoments(
  old: { readonly m: Tensor; readonly v: Tensor },
  g: Tensor,
  shared: Pick<ReturnType<typeof momentScalars>, 'beta1' | 'complement1' | 'beta2' | 'complement2'>,
): { readonly m: Tensor; readonly v: Tensor } {
  return {
    m: movingAverage(old.m, g, { decay: shared.beta1, complement: shared.complement1 }),
    v: movingAverage(old.v, tf.square(g), { decay: shared.beta2, complement: shared.complement2 }),
  };
}
