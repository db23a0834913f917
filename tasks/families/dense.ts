import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { size } from '../../jit/trace/size.ts';
import type { Group } from '../../jit/trace/structure.ts';
import type { NoiseSpec, ParamSpec, ParamSpecs, Role, Tensors } from '../../lopt/optimizer.ts';
import { choiceOption } from '../../lopt/options.ts';
import { ACTIVATIONS, type Activation, activate } from './activations.ts';

/**
 * A network of dense layers, each linear, then a layer norm where there is one, then the activation; the last one is linear only.
 *
 * **Source** the image MLPs of L. Metz et al., "VeLO: Training versatile learned optimizers by scaling up", arXiv 2211.09760: kernels
 * start as a truncated normal of scale 1 / sqrt(fan-in), biases at 0 (Haiku's defaults).
 */
export interface DenseShape {
  readonly inputs: number;
  /** Widths of the hidden layers. */
  readonly hidden: readonly number[];
  readonly outputs: number;
  readonly activation: Activation;
  readonly norm: 'none' | 'layer';
}

/** Options of every family whose network has hidden layers. */
export const LAYER_OPTIONS = {
  activation: choiceOption({ default: 'relu', choices: ACTIVATIONS, meaning: 'function after each hidden layer' }),
  norm: choiceOption({
    default: 'none',
    choices: ['none', 'layer'],
    meaning: 'normalisation between the linear part of a hidden layer and its activation',
  }),
};

const LAYER_NORM_EPSILON = 1e-5;

/**
 * Parameters in order: for each layer n `layer<n>/kernel` [in, out] and `layer<n>/bias` [out], after it, where the layer is normalised,
 * `norm<n>/scale` and `norm<n>/offset` [out]. The fan-in of a bias, scale or offset is 1.
 */
export function denseSpecs({ inputs, hidden, outputs, norm }: DenseShape): ParamSpecs {
  const specs = new Map<string, ParamSpec>();
  const add = (path: string, shape: readonly number[], facts: Pick<ParamSpec, 'role' | 'fanIn' | 'fanOut'>): void => {
    specs.set(path, { path, shape, dtype: 'float32', ...facts });
  };
  [...hidden, outputs].forEach((fanOut, layer) => {
    const fanIn = hidden[layer - 1] ?? inputs;
    const last = layer === hidden.length;
    const role: Role = last ? 'output' : layer === 0 ? 'input' : 'hidden';
    add(`layer${layer}/kernel`, [fanIn, fanOut], { role, fanIn, fanOut });
    add(`layer${layer}/bias`, [fanOut], { role: 'bias', fanIn: 1, fanOut });
    if (last || norm === 'none') return;
    add(`norm${layer}/scale`, [fanOut], { role: 'norm', fanIn: 1, fanOut });
    add(`norm${layer}/offset`, [fanOut], { role: 'norm', fanIn: 1, fanOut });
  });
  return specs;
}

/** The noise that `initDense` takes: a truncated normal for each kernel, named as the kernel. */
export function denseNoise(specs: ParamSpecs): Group<NoiseSpec> {
  return new Map(
    [...specs.values()]
      .filter(({ path }) => path.endsWith('/kernel'))
      .map(({ path, shape }) => [path, { kind: 'truncatedNormal', shape }]),
  );
}

/** Traced: initial parameters from the noise that `denseNoise` asks for. */
export function initDense(specs: ParamSpecs, noise: Tensors): Tensors {
  return new Map(
    [...specs.values()].map(({ path, shape }) => {
      const drawn = noise.get(path);
      if (drawn !== undefined) return [path, tf.div(drawn, tf.sqrt(size(drawn, [0])))];
      return [path, path.endsWith('/scale') ? tf.ones([...shape]) : tf.zeros([...shape])];
    }),
  );
}

/** Traced: outputs `[row, output]` of the network for inputs `[row, input]`. */
export function applyDense(params: Tensors, inputs: Tensor, { hidden, activation, norm }: DenseShape): Tensor {
  let x = inputs;
  for (let layer = 0; layer <= hidden.length; layer += 1) {
    x = tf.add(
      tf.matMul(asMatrix(x), asMatrix(param(params, `layer${layer}/kernel`))),
      param(params, `layer${layer}/bias`),
    );
    if (layer === hidden.length) break;
    if (norm === 'layer') x = layerNorm(x, param(params, `norm${layer}/scale`), param(params, `norm${layer}/offset`));
    x = activate(x, activation);
  }
  return x;
}

function layerNorm(x: Tensor, scale: Tensor, offset: Tensor): Tensor {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.mul(centred, centred), -1, true);
  return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, LAYER_NORM_EPSILON))), scale), offset);
}

/** A parameter by path. @throws RangeError when it is missing. */
export function param(params: Tensors, path: string): Tensor {
  const tensor = params.get(path);
  if (tensor === undefined)
    throw new RangeError(`Cannot find parameter ${path}: expected it among ${[...params.keys()].join(', ')}`);
  return tensor;
}

/** TensorFlow.js types matrices apart from tensors; ours are known by their shapes. */
export function asMatrix(x: Tensor): tf.Tensor2D {
  return x as tf.Tensor2D;
}
