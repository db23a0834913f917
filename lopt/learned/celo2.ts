/**
 * Celo2: a small network's direction for every parameter, orthogonalised and normalised matrix by matrix; vectors and embeddings take
 * an Adam path. Celo2-base: the normalised network alone, for every tensor.
 *
 * **Source** Moudgil, Knyazev & Belilovsky; amoudgl/celo (celo2, celo2_optax), with accumulators and features of google/learned_optimization.
 * **Checked against** that code (test/goldens/celo2, celo2_base, strong_celo2, strong_celo2_base).
 * **Differs** in the order of float32 operations (celo2-network.ts). Routing goes by role, without roles by rank (published: by a pattern
 * on the path, which `adamPattern` is). The published `bias_correction` of the network's accumulators, off by default there, isn't offered.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { mapTensors } from '../../jit/trace/map-tensors.ts';
import { flatten } from '../../jit/trace/structure.ts';
import { atLeastVector, initAccumulators } from '../features/accumulators.ts';
import { biasCorrection, movingAverage } from '../features/moments.ts';
import { numeric, readNumerics, type NumericTensors } from '../numeric.ts';
import type { ParamSpec, TensorClass } from '../optimizer.ts';
import { booleanOption, listOption, optional, regularExpression, textOption, type OptionsOf } from '../options.ts';
import type { LearnedEntry } from '../registry-entry.ts';
import { stateRecords } from '../state.ts';
import {
  celo2Theta,
  checkNetworkOptions,
  NETWORK_OPTIONS,
  networkClass,
  networkShared,
  networkStep,
  type NetworkClass,
} from './celo2-network.ts';
import { sharedTensor } from './dense-layers.ts';
import { learned, type LearnedRule, type Stepped } from './learned-design.ts';

const PUBLISHED = 'amoudgl/celo Celo2';

const BASE_OPTIONS = {
  ...NETWORK_OPTIONS,
  orthogonalize: booleanOption({
    default: false,
    meaning: 'orthogonalise the network’s output, matrix by matrix',
    source: PUBLISHED,
  }),
};

const OPTIONS = {
  ...NETWORK_OPTIONS,
  orthogonalize: booleanOption({
    default: true,
    meaning: 'orthogonalise the network’s output, matrix by matrix',
    source: PUBLISHED,
  }),
  adamTensors: optional(
    listOption({
      default: [],
      element: textOption({ default: '', meaning: 'path' }),
      meaning:
        'paths of the tensors on the Adam path; null: by role (bias, norm, embedding), without role by rank (below 2)',
    }),
  ),
  adamPattern: optional(
    textOption({
      default: '',
      meaning: 'regular expression: tensors whose path it matches are on the Adam path; null: as adamTensors says',
      source: PUBLISHED,
    }),
  ),
  adamBeta1: numeric({
    default: 0.9,
    min: 0,
    below: 1,
    meaning: 'Adam path: decay of the average of g',
    source: PUBLISHED,
  }),
  adamBeta2: numeric({
    default: 0.95,
    min: 0,
    below: 1,
    meaning: 'Adam path: decay of the average of g^2',
    source: `${PUBLISHED}, factory`,
  }),
  adamEps: numeric({
    default: 1e-8,
    min: 0,
    meaning: 'Adam path: added to the average of g^2 inside the root',
    source: PUBLISHED,
  }),
  adamLrMult: numeric({ default: 20, min: 0, meaning: 'Adam path: its step size over stepMult', source: PUBLISHED }),
  adamBiasCorrection: booleanOption({
    default: false,
    meaning: 'Adam path: correct the averages for their start at zero',
    source: PUBLISHED,
  }),
};

type Options = OptionsOf<typeof OPTIONS>;

const SOURCE = 'Moudgil, Knyazev & Belilovsky; amoudgl/celo';
const NETWORK_STATE = 'momentum x 3, secondMoment, row and column x 3 (rank 2 and more) or diagonal x 3';

export const CELO2_BASE: LearnedEntry = learned({
  name: 'celo2-base',
  source: SOURCE,
  summary: 'a small network over momenta and second moments, its output normalised matrix by matrix',
  options: BASE_OPTIONS,
  statePerParameter: NETWORK_STATE,
  rule(options) {
    checkNetworkOptions('celo2-base', options);
    return celo2Rule(options, {
      onAdamPath: () => false,
      shared: (at) => networkShared(options, readNumerics(BASE_OPTIONS, options, at), at.values),
    });
  },
});

export const CELO2: LearnedEntry = learned({
  name: 'celo2',
  source: SOURCE,
  summary: 'celo2-base with orthogonalised steps for matrices and an Adam path for vectors and embeddings',
  options: OPTIONS,
  statePerParameter: `${NETWORK_STATE}; on the Adam path m, v`,
  rule(options) {
    checkNetworkOptions('celo2', options);
    return celo2Rule(options, {
      onAdamPath: adamRoute(options),
      shared(at) {
        const numerics = readNumerics(OPTIONS, options, at);
        return { ...networkShared(options, numerics, at.values), ...adamShared(options, numerics, at.step) };
      },
    });
  },
});

/** Tensors go through the network, class by class, or take the Adam path. */
type Celo2Class = (NetworkClass & { readonly adam: false }) | (TensorClass & { readonly adam: true });

function celo2Rule(
  options: OptionsOf<typeof BASE_OPTIONS>,
  {
    onAdamPath,
    shared,
  }: {
    readonly onAdamPath: (spec: ParamSpec) => boolean;
    readonly shared: (at: Parameters<LearnedRule['update']>[0]) => Record<string, Tensor>;
  },
): LearnedRule {
  const classOf = (spec: ParamSpec): Celo2Class =>
    onAdamPath(spec) ? { key: 'Adam path', adam: true } : { ...networkClass(spec), adam: false };
  const decays = options.momentumDecays.length;
  const counts = { momentum: decays, secondMoment: options.rmsDecays.length, factored: decays };
  return {
    theta: celo2Theta(options),
    classOf,
    init: ({ params, specs }) =>
      flatten(
        mapTensors({ specs, classOf }, { p: params }, (cls, { p }) =>
          cls.adam
            ? { m: tf.zerosLike(p), v: tf.zerosLike(p) }
            : initAccumulators(atLeastVector(p), { axes: cls.factored, counts }),
        ),
      ),
    update(input) {
      const { params, grads, state, specs } = input;
      const { p, ...next } = mapTensors(
        { specs, classOf, shared: shared(input) },
        { p: params, g: grads, ...stateRecords(state, STATES) },
        (cls, tensors, scalars) =>
          cls.adam ? adamStep(tensors, scalars) : networkStep(cls, tensors, scalars, options),
      );
      return { params: p, state: flatten(next) };
    },
  };
}

const STATES = ['momentum', 'secondMoment', 'row', 'column', 'diagonal', 'm', 'v'] as const;

/** Which tensors take the Adam path: those listed or matched; where neither is given, by role, else by rank. */
function adamRoute({ adamTensors, adamPattern }: Options): (spec: ParamSpec) => boolean {
  if (adamTensors === null && adamPattern === null) {
    return ({ role, shape }) =>
      role === undefined ? shape.length < 2 : role === 'bias' || role === 'norm' || role === 'embedding';
  }
  const pattern =
    adamPattern === null ? undefined : regularExpression(adamPattern, { doing: 'create celo2', path: 'adamPattern' });
  const listed = new Set(adamTensors);
  return ({ path }) => listed.has(path) || (pattern?.test(path) ?? false);
}

/** Scalars of the Adam path. Betas enter as float32 and 1 - beta is their float32 difference, as published. */
function adamShared(
  { adamBiasCorrection }: Options,
  numerics: NumericTensors<typeof OPTIONS>,
  step: Tensor,
): Record<string, Tensor> {
  const { stepMult, weightDecay, adamBeta1, adamBeta2, adamEps, adamLrMult } = numerics;
  const size = tf.mul(stepMult.value, adamLrMult.value);
  const k = tf.add(tf.cast(step, 'float32'), 1);
  const correction = (beta: Tensor): Tensor => (adamBiasCorrection ? biasCorrection(tf.log(beta), k) : tf.scalar(1));
  return {
    adamBeta1: adamBeta1.value,
    adamBeta2: adamBeta2.value,
    adamStepSize: tf.div(size, correction(adamBeta1.value)),
    adamCorrection: correction(adamBeta2.value),
    adamEps: adamEps.value,
    adamKeep: tf.sub(1, tf.mul(size, weightDecay.value)),
  };
}

/** One tensor's step on the Adam path; epsilon is inside the root, as published. */
function adamStep(
  tensors: Readonly<Record<'p' | 'g' | 'm' | 'v', Tensor>>,
  shared: Readonly<Record<string, Tensor>>,
): Stepped {
  const { p, g } = tensors;
  const average = (old: Tensor, x: Tensor, beta: string): Tensor => {
    const decay = sharedTensor(shared, beta);
    return movingAverage(old, x, { decay, complement: tf.sub(1, decay) });
  };
  const m = average(tensors.m, g, 'adamBeta1');
  const v = average(tensors.v, tf.square(g), 'adamBeta2');
  const corrected = tf.div(v, sharedTensor(shared, 'adamCorrection'));
  const direction = tf.mul(m, tf.rsqrt(tf.add(corrected, sharedTensor(shared, 'adamEps'))));
  const kept = tf.mul(sharedTensor(shared, 'adamKeep'), p);
  return { p: tf.sub(kept, tf.mul(sharedTensor(shared, 'adamStepSize'), direction)), m, v };
}
