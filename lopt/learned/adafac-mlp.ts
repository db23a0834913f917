/**
 * AdafacMLP ("small_fc_lopt"): every parameter's step is given by one small network from features made of its gradient, momenta,
 * second moments and Adafactor-like factored second moments, and of the time.
 *
 * **Source** Metz, Harrison, Freeman et al. 2022, "Practical tradeoffs between memory, compute, and performance in learned
 * optimizers", arXiv 2203.11860; google/learned_optimization (learned_optimizers/adafac_mlp_lopt.py).
 * **Checked against** that code (test/goldens/adafac_mlp_h4, adafac_mlp_h32, strong_adafac_h8, strong_adafac_h32).
 * **Differs** in the order of float32 operations only: the feature normaliser and the two multipliers are folded into the network's
 * weights, and features that are constant along an axis pass through the first layer before they are expanded.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { mapTensors } from '../../jit/trace/map-tensors.ts';
import { flatten } from '../../jit/trace/structure.ts';
import {
  accumulatorClass,
  atLeastVector,
  initAccumulators,
  updateAccumulators,
  type AccumulatorClass,
  type AccumulatorTensors,
} from '../features/accumulators.ts';
import { firstLayer, otherLayers, splitRows } from '../features/feature-network.ts';
import { momentFeatures } from '../features/moment-features.ts';
import { TIME_FEATURES, timeEmbedding } from '../features/time-embedding.ts';
import { numeric, numericList, readNumerics } from '../numeric.ts';
import type { ThetaLeaf, UpdateInput } from '../optimizer.ts';
import { integerOption, refuseOption, type OptionsOf } from '../options.ts';
import { stateRecords } from '../state.ts';
import { denseLeaves, layerOf, layerRecord, layersOf, leafOf } from './dense-layers.ts';
import { learned, type Stepped } from './learned-design.ts';

const NAME = 'adafac-mlp';
const PUBLISHED = 'google/learned_optimization AdafacMLPLOpt';

const OPTIONS = {
  hidden: integerOption({ default: 4, min: 1, meaning: 'width of the hidden layers', source: PUBLISHED }),
  layers: integerOption({ default: 2, min: 1, meaning: 'number of hidden layers', source: PUBLISHED }),
  stepMult: numeric({ default: 1e-3, min: 0, meaning: 'factor of every step', source: PUBLISHED }),
  expMult: numeric({ default: 1e-3, meaning: 'factor of the log magnitude of a step', source: PUBLISHED }),
  momentumDecays: numericList({
    default: [0.9, 0.99, 0.999],
    min: 0,
    below: 1,
    meaning: 'decays of the momenta before theta changes them',
    source: PUBLISHED,
  }),
  rmsDecays: numericList({
    default: [0.999],
    length: 1,
    min: 0,
    below: 1,
    meaning: 'decay of the average of g^2 before theta changes it',
    source: PUBLISHED,
  }),
  factoredDecays: numericList({
    default: [0.9, 0.99, 0.999],
    min: 0,
    below: 1,
    meaning: 'decays of the factored averages of g^2 before theta changes them; as many as momentumDecays',
    source: PUBLISHED,
  }),
};

const STATES = ['momentum', 'secondMoment', 'row', 'column', 'diagonal'] as const;

type Options = OptionsOf<typeof OPTIONS>;

export const ADAFAC_MLP = learned({
  name: NAME,
  source: 'Metz et al. 2022, arXiv 2203.11860; google/learned_optimization',
  summary: 'a small network over momenta, second moments, factored second moments and time; learned decays',
  options: OPTIONS,
  statePerParameter: 'momentum x 3, secondMoment, row and column x 3 (rank 2 and more) or diagonal x 3',
  rule(options) {
    const decays = options.momentumDecays.length;
    if (options.factoredDecays.length !== decays)
      refuseOption(
        { doing: `create ${NAME}`, path: 'factoredDecays' },
        `as many decays as momentumDecays has (${decays})`,
        options.factoredDecays,
      );
    const counts = { momentum: decays, secondMoment: options.rmsDecays.length, factored: decays };
    return {
      theta: thetaOf(options, decays),
      classOf: accumulatorClass,
      init: ({ params, specs }) =>
        flatten(
          mapTensors({ specs, classOf: accumulatorClass }, { p: params }, ({ factored }, { p }) =>
            initAccumulators(atLeastVector(p), { axes: factored, counts }),
          ),
        ),
      update({ params, grads, state, specs, ...at }) {
        const { p, ...next } = mapTensors(
          { specs, classOf: accumulatorClass, shared: sharedOf(options, at) },
          { p: params, g: grads, ...stateRecords(state, STATES) },
          (cls, { p, g, ...accumulators }, shared) =>
            stepOf(cls, { p, g, accumulators, shared, layers: options.layers }),
        );
        return { params: p, state: flatten(next) };
      },
    };
  },
});

function thetaOf({ hidden, layers }: Options, decays: number): readonly ThetaLeaf[] {
  const features = 4 + 8 * decays + TIME_FEATURES;
  const decayLeaf = (path: string, count: number, published: string): ThetaLeaf => ({
    path: `decays/${path}`,
    shape: [count],
    init: { kind: 'zeros' },
    published,
  });
  return [
    decayLeaf('momentum', decays, 'momentum_decays'),
    decayLeaf('secondMoment', 1, 'rms_decays'),
    decayLeaf('factored', decays, 'adafactor_decays'),
    ...denseLeaves([features, ...new Array<number>(layers).fill(hidden), 2], {
      published: (index) => ({ kernel: `nn | ~ | w${index}`, bias: `nn | ~ | b${index}` }),
    }),
  ];
}

/** What all tensors share at a step; besides these the layers after the first, as `layerRecord` gives them. */
interface Shared extends Readonly<Record<string, Tensor>> {
  readonly momentumDecays: Tensor;
  readonly rmsDecays: Tensor;
  readonly factoredDecays: Tensor;
  readonly kernel0: Tensor;
  readonly rowKernel: Tensor;
  readonly columnKernel: Tensor;
  readonly diagonalKernel: Tensor;
  readonly bias0: Tensor;
}

/** What all tensors share at a step: effective decays, and the network with everything folded in that doesn't depend on the tensor. */
function sharedOf(options: Options, at: Pick<UpdateInput, 'values' | 'step' | 'horizon'>): Shared {
  const { values, step } = at;
  const numerics = readNumerics(OPTIONS, options, at);
  const n = options.momentumDecays.length;
  const first = layerOf(values, 0);
  // Rows of the first kernel: g, p, m, r, m s, s, fac g | R | C | rsqrt R | rsqrt C | m rho gamma | time.
  const extents = [4 + 3 * n, n, n, n, n, n, TIME_FEATURES] as const;
  const [head, row, column, rsqrtRow, rsqrtColumn, last, time] = splitRows(first.kernel, extents);
  const rowKernel = tf.concat([row, rsqrtRow], 0);
  const columnKernel = tf.concat([column, rsqrtColumn], 0);
  const hidden = Array.from({ length: options.layers }, (_, index) => layerOf(values, index + 1));
  const output = hidden.at(-1) ?? first;
  const multipliers = tf.stack([numerics.stepMult.value, numerics.expMult.value]);
  return {
    momentumDecays: learnedDecays(numerics.momentumDecays.value, leafOf(values, 'decays/momentum')),
    rmsDecays: learnedDecays(numerics.rmsDecays.value, leafOf(values, 'decays/secondMoment')),
    factoredDecays: learnedDecays(numerics.factoredDecays.value, leafOf(values, 'decays/factored')),
    kernel0: tf.concat([head, last], 0),
    rowKernel,
    columnKernel,
    // Without factors R and C are one and the same, and so are their features.
    diagonalKernel: tf.add(rowKernel, columnKernel),
    bias0: tf.add(first.bias, tf.reshape(tf.matMul(tf.expandDims(timeEmbedding(step), 0), time), [-1])),
    ...layerRecord([
      ...hidden.slice(0, -1),
      { kernel: tf.mul(output.kernel, multipliers), bias: tf.mul(output.bias, multipliers) },
    ]),
  };
}

/** 1 - (1 - decay) exp(10 theta), with the published order of float32 operations. */
function learnedDecays(initial: Tensor, theta: Tensor): Tensor {
  const parameter = tf.div(tf.log(tf.sub(1, initial)), 10);
  return tf.sub(1, tf.exp(tf.mul(10, tf.add(parameter, theta))));
}

/** One tensor's step. */
function stepOf(
  { factored: axes }: AccumulatorClass,
  {
    p,
    g,
    accumulators,
    shared,
    layers,
  }: { p: Tensor; g: Tensor; accumulators: AccumulatorTensors; shared: Shared; layers: number },
): Stepped {
  const [param, gradient] = [atLeastVector(p), atLeastVector(g)];
  const { momentumDecays, rmsDecays, factoredDecays } = shared;
  const { momentum, secondMoment, factored, state } = updateAccumulators(accumulators, gradient, {
    decays: { momentum: momentumDecays, secondMoment: rmsDecays, factored: factoredDecays },
    axes,
  });
  const features = momentFeatures(
    { g: gradient, momentum, secondMoment, factored },
    { epsilon: 1e-6, diagonalEpsilon: 1e-6 },
  );
  const elements = tf.concat(
    [
      tf.expandDims(gradient, 0),
      tf.expandDims(param, 0),
      momentum,
      secondMoment,
      features.scaledMomentum,
      features.rsqrt,
      features.factoredGradient,
      features.factoredMomentum,
    ],
    0,
  );
  const { rows, columns } = features;
  const averages =
    columns === undefined
      ? [{ features: rows, kernel: shared.diagonalKernel }]
      : [
          { features: rows, kernel: shared.rowKernel },
          { features: columns, kernel: shared.columnKernel },
        ];
  const first = firstLayer([{ features: elements, kernel: shared.kernel0 }, ...averages], {
    bias: shared.bias0,
    epsilon: 1e-5,
  });
  const output = otherLayers(first, layersOf(shared, layers), 'relu');
  const [direction, logMagnitude] = splitRows(output, [1, 1]);
  const step = tf.mul(direction, tf.exp(logMagnitude));
  return { p: tf.sub(p, tf.reshape(step, p.shape)), ...state };
}
