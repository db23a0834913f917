/**
 * The network of Celo2: features, normalisers, layers, orthogonalisation (source and checks: celo2.ts).
 *
 * **Differs** from the published code in the order of float32 operations only: the feature normaliser is folded into the first layer's
 * weights for tensors of rank up to 2, and features that are constant along an axis pass through the first layer before they are
 * expanded. The last layer's third output is in theta and is never used, as there; nor is its second where expMult is 0.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  accumulatorClass,
  atLeastVector,
  updateAccumulators,
  type AccumulatorClass,
  type AccumulatorTensors,
} from '../features/accumulators.ts';
import {
  ACTIVATIONS,
  firstLayer,
  otherLayers,
  rmsScale,
  splitRows,
  type FeatureBlock,
  type Layer,
} from '../features/feature-network.ts';
import { momentFeatures } from '../features/moment-features.ts';
import { newtonSchulz } from '../features/newton-schulz.ts';
import { numeric, numericList, numericTerm, type NumericTensors } from '../numeric.ts';
import type { ParamSpec, Tensors, ThetaLeaf } from '../optimizer.ts';
import { booleanOption, choiceOption, integerOption, refuseOption, type OptionsOf } from '../options.ts';
import { denseLeaves, layerOf, layerRecord, layersOf, leafOf, sharedTensor } from './dense-layers.ts';
import type { Stepped } from './learned-design.ts';

const PUBLISHED = 'amoudgl/celo Celo2';
const EPSILON = 1e-9;
const GRADIENT_CLIP = 1000;
const FEATURE_CLIP = 0.1;
const NEWTON_SCHULZ = { steps: 5, epsilon: 1e-8 };

/** Options of the network. */
export const NETWORK_OPTIONS = {
  hidden: integerOption({ default: 8, min: 1, meaning: 'width of the hidden layers', source: PUBLISHED }),
  layers: integerOption({ default: 2, min: 1, meaning: 'number of hidden layers', source: PUBLISHED }),
  activation: choiceOption({
    choices: ACTIVATIONS,
    default: 'relu',
    meaning: 'of the hidden layers',
    source: PUBLISHED,
  }),
  stepMult: numeric({ default: 1e-3, min: 0, meaning: 'step size', source: PUBLISHED }),
  expMult: numericTerm({
    default: 0,
    meaning: 'factor of the log magnitude of a step; 0 leaves the magnitude out',
    source: PUBLISHED,
  }),
  weightDecay: numeric({
    default: 0,
    min: 0,
    meaning: 'decoupled decay: p loses step size * weightDecay * p besides the step',
    source: PUBLISHED,
  }),
  momentumDecays: numericList({
    default: [0.9, 0.99, 0.999],
    min: 0,
    max: 1,
    meaning: 'decays of the momenta',
    source: PUBLISHED,
  }),
  rmsDecays: numericList({
    default: [0.95],
    length: 1,
    min: 0,
    max: 1,
    meaning: 'decay of the average of g^2',
    source: PUBLISHED,
  }),
  factoredDecays: numericList({
    default: [0.9, 0.99, 0.999],
    min: 0,
    max: 1,
    meaning: 'decays of the factored averages of g^2; as many as momentumDecays',
    source: PUBLISHED,
  }),
  normalizeInput: booleanOption({ default: true, meaning: 'features have root mean square 1', source: PUBLISHED }),
  normalizeOutput: booleanOption({ default: true, meaning: 'steps have root mean square 1', source: PUBLISHED }),
};

/** Options of the network, read. */
export type NetworkOptions = OptionsOf<typeof NETWORK_OPTIONS> & { readonly orthogonalize: boolean };

/** Refuses numbers of decays that don't go together. @throws RangeError */
export function checkNetworkOptions(name: string, { momentumDecays, factoredDecays }: NetworkOptions): void {
  if (factoredDecays.length !== momentumDecays.length)
    refuseOption(
      { doing: `create ${name}`, path: 'factoredDecays' },
      `as many decays as momentumDecays has (${momentumDecays.length})`,
      factoredDecays,
    );
}

/** Groups of features in the published order, with the number of rows of each for n decays; those after `scaledGradient` need rank 2. */
function featureGroups(n: number): readonly (readonly [name: string, rows: number])[] {
  return [
    ['gradient', 1],
    ['clippedGradient', 1],
    ['parameter', 1],
    ['momentum', n],
    ['secondMoment', 1],
    ['scaledMomentum', n],
    ['rsqrt', 1],
    ['factoredGradient', n],
    ['scaledGradient', 1],
    ['rows', n],
    ['columns', n],
    ['rsqrtRows', n],
    ['rsqrtColumns', n],
    ['factoredMomentum', n],
  ];
}

const VECTOR_GROUPS = 9;

/** Theta's leaves: the first kernel in one piece a feature group, `layer0/kernel/<group>`, then dense layers. */
export function celo2Theta({ hidden, layers, momentumDecays }: NetworkOptions): readonly ThetaLeaf[] {
  const groups = featureGroups(momentumDecays.length);
  const features = groups.reduce((total, [, rows]) => total + rows, 0);
  const prefix = 'ff_mod_stack | ~ | ';
  return [
    ...groups.map(([name, rows], index): ThetaLeaf => ({
      path: `layer0/kernel/${name}`,
      shape: [rows, hidden],
      init: { kind: 'truncatedNormal', scale: 1 / Math.sqrt(features) },
      published: `${prefix}w0__${index}`,
    })),
    { path: 'layer0/bias', shape: [hidden], init: { kind: 'zeros' }, published: `${prefix}b0` },
    ...denseLeaves([...new Array<number>(layers).fill(hidden), 3], {
      from: 1,
      published: (index) => ({ kernel: `${prefix}w${index}`, bias: `${prefix}b${index}` }),
    }),
  ];
}

/** What the network path branches on. */
export interface NetworkClass extends AccumulatorClass {
  /** More rows than columns (last two axes). */
  readonly tall: boolean;
}

/** The class of a parameter on the network path. */
export function networkClass(spec: ParamSpec): NetworkClass {
  const base = accumulatorClass(spec);
  const [rows = 1, columns = 1] = spec.shape.slice(-2);
  const tall = base.rank >= 2 && rows > columns;
  return { ...base, key: tall ? `${base.key}, tall` : base.key, tall };
}

/** What all tensors on the network path share at a step. */
export function networkShared(
  { layers, momentumDecays }: NetworkOptions,
  numerics: NumericTensors<typeof NETWORK_OPTIONS>,
  values: Tensors,
): Record<string, Tensor> {
  const kernelOf = (name: string): Tensor => leafOf(values, `layer0/kernel/${name}`);
  const names = featureGroups(momentumDecays.length).map(([name]) => name);
  const vectorKernel = tf.concat(names.slice(0, VECTOR_GROUPS).map(kernelOf), 0);
  const hidden = Array.from({ length: layers }, (_, index) => layerOf(values, index + 1));
  const { stepMult, expMult, weightDecay } = numerics;
  return {
    vectorKernel,
    matrixKernel: tf.concat([vectorKernel, kernelOf('factoredMomentum')], 0),
    rowKernel: tf.concat([kernelOf('rows'), kernelOf('rsqrtRows')], 0),
    columnKernel: tf.concat([kernelOf('columns'), kernelOf('rsqrtColumns')], 0),
    bias0: leafOf(values, 'layer0/bias'),
    ...layerRecord(hidden.map((layer, index) => (index === layers - 1 ? usedOutputs(layer, expMult.value) : layer))),
    momentumDecays: numerics.momentumDecays.value,
    rmsDecays: numerics.rmsDecays.value,
    factoredDecays: numerics.factoredDecays.value,
    stepMult: stepMult.value,
    keep: tf.sub(1, tf.mul(stepMult.value, weightDecay.value)),
  };
}

/** The outputs of the last layer that count: the direction, and the log magnitude (times its factor) where it is on. */
function usedOutputs({ kernel, bias }: { kernel: Tensor; bias: Tensor }, expMult: Tensor | undefined): Layer {
  const inputs = kernel.shape[0] ?? 1;
  if (expMult === undefined) return { kernel: tf.slice(kernel, [0, 0], [inputs, 1]), bias: tf.slice(bias, [0], [1]) };
  const factors = tf.stack([tf.onesLike(expMult), expMult]);
  return {
    kernel: tf.mul(tf.slice(kernel, [0, 0], [inputs, 2]), factors),
    bias: tf.mul(tf.slice(bias, [0], [2]), factors),
  };
}

/** One tensor's step on the network path. */
export function networkStep(
  cls: NetworkClass,
  tensors: Readonly<Record<'p' | 'g', Tensor>> & AccumulatorTensors,
  shared: Readonly<Record<string, Tensor>>,
  options: NetworkOptions,
): Stepped {
  const { p, g, ...accumulators } = tensors;
  const gradient = tf.clipByValue(atLeastVector(g), -GRADIENT_CLIP, GRADIENT_CLIP);
  const { blocks, state } = featuresOf(cls, { p: atLeastVector(p), g: gradient, accumulators }, shared);
  const bias = sharedTensor(shared, 'bias0');
  const first = options.normalizeInput ? normalizedLayer(cls, blocks, bias) : firstLayer(blocks, { bias });
  const output = otherLayers(first, layersOf(shared, options.layers), options.activation);
  const rows = output.shape[0] === 1 ? [output] : splitRows(output, [1, 1]);
  const [direction = output, logMagnitude] = rows;
  const signed = logMagnitude === undefined ? direction : tf.mul(direction, tf.exp(logMagnitude));
  const shaped: Tensor = tf.reshape(signed, gradient.shape);
  const matrix = cls.rank >= 2;
  const u = matrix && options.orthogonalize ? newtonSchulz(shaped, { tall: cls.tall, ...NEWTON_SCHULZ }) : shaped;
  const stepMult = sharedTensor(shared, 'stepMult');
  // One small factor (a number a matrix) instead of two passes over the tensor.
  const size = options.normalizeOutput
    ? tf.mul(stepMult, rmsScale(u, { axes: lastTwoAxes(u.rank), epsilon: EPSILON }))
    : stepMult;
  const step = tf.reshape(tf.mul(u, size), p.shape);
  return { p: tf.sub(tf.mul(sharedTensor(shared, 'keep'), p), step), ...state };
}

/** Feature blocks with their kernels, and the next accumulators. */
function featuresOf(
  cls: NetworkClass,
  { p, g, accumulators }: { p: Tensor; g: Tensor; accumulators: AccumulatorTensors },
  shared: Readonly<Record<string, Tensor>>,
): { readonly blocks: readonly FeatureBlock[]; readonly state: Record<string, Tensor> } {
  const { momentum, secondMoment, factored, state } = updateAccumulators(accumulators, g, {
    decays: {
      momentum: sharedTensor(shared, 'momentumDecays'),
      secondMoment: sharedTensor(shared, 'rmsDecays'),
      factored: sharedTensor(shared, 'factoredDecays'),
    },
    axes: cls.factored,
  });
  const features = momentFeatures(
    { g, momentum, secondMoment, factored },
    // Only the rows and columns of matrices are used, which have no diagonal.
    { epsilon: 1e-8, diagonalEpsilon: 1e-6 },
  );
  const elements = [
    tf.expandDims(g, 0),
    tf.clipByValue(tf.expandDims(g, 0), -FEATURE_CLIP, FEATURE_CLIP),
    tf.expandDims(p, 0),
    momentum,
    secondMoment,
    features.scaledMomentum,
    features.rsqrt,
    features.factoredGradient,
    tf.mul(tf.expandDims(g, 0), features.rsqrt),
  ];
  if (features.columns === undefined)
    return { blocks: [{ features: tf.concat(elements, 0), kernel: sharedTensor(shared, 'vectorKernel') }], state };
  return {
    blocks: [
      {
        features: tf.concat([...elements, features.factoredMomentum], 0),
        kernel: sharedTensor(shared, 'matrixKernel'),
      },
      { features: features.rows, kernel: sharedTensor(shared, 'rowKernel') },
      { features: features.columns, kernel: sharedTensor(shared, 'columnKernel') },
    ],
    state,
  };
}

/** The first layer of features that have root mean square 1 over the last two axes of the parameter. */
function normalizedLayer({ rank }: NetworkClass, blocks: readonly FeatureBlock[], bias: Tensor): Tensor {
  if (rank <= 2) return firstLayer(blocks, { bias, epsilon: EPSILON });
  // One factor a matrix of the tensor can't be folded into one kernel.
  const scaled = blocks.map(({ features, kernel }) => ({
    features: tf.mul(features, rmsScale(features, { axes: lastTwoAxes(features.rank), epsilon: EPSILON })),
    kernel,
  }));
  return firstLayer(scaled, { bias });
}

/** The last two axes; of a vector its only one. */
function lastTwoAxes(rank: number): readonly number[] {
  return rank === 1 ? [0] : [rank - 2, rank - 1];
}
