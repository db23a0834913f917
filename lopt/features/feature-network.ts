/**
 * The network that sees one parameter's features and gives its step: the same small multi-layer perceptron for every parameter.
 * Features are rows, [feature, parameter]: a layer is then one product with a small matrix on the left, several times faster than
 * with the parameters as rows.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';

export const ACTIVATIONS = ['relu', 'tanh'] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** `kernel` [in, out], `bias` [out]. */
export interface Layer {
  readonly kernel: Tensor;
  readonly bias: Tensor;
}

/**
 * Features and their part of the first layer's kernel [feature, out]. `features` is [feature, ...parameter]; axes along which they
 * are constant may have extent 1: they then pass through the layer before they are expanded.
 */
export interface FeatureBlock {
  readonly features: Tensor;
  readonly kernel: Tensor;
}

/**
 * The first layer before its activation, as [out, ...parameter]. Where `epsilon` is given, each feature is first divided by its root
 * mean square over the tensor (epsilon added to the mean square); this is folded into the kernel, which is far smaller than the features.
 * The first block spans every axis of the parameter.
 */
export function firstLayer(
  blocks: readonly FeatureBlock[],
  { bias, epsilon }: { readonly bias: Tensor; readonly epsilon?: number },
): Tensor {
  const parts = blocks.map(({ features, kernel }, index) => {
    const rows = tf.reshape(features, [features.shape[0] ?? 1, -1]);
    const scaled = epsilon === undefined ? kernel : tf.mul(kernel, rmsScale(rows, { axes: [1], epsilon }));
    const product = tf.matMul(scaled, rows, true);
    // The last block is the smallest where there are several: the bias costs least there.
    const outputs = index === blocks.length - 1 ? tf.add(product, tf.expandDims(bias, 1)) : product;
    return tf.reshape(outputs, [kernel.shape[1] ?? 1, ...features.shape.slice(1)]);
  });
  return parts.reduce((sum, part) => tf.add(sum, part));
}

/** The activation, then the other layers: [in, ...parameter] to [out, parameter]. No activation after the last layer. */
export function otherLayers(first: Tensor, layers: readonly Layer[], activation: Activation): Tensor {
  const activate = activation === 'relu' ? tf.relu : tf.tanh;
  const rows: Tensor = tf.reshape(first, [first.shape[0] ?? 1, -1]);
  return layers.reduce(
    (x, { kernel, bias }) => tf.add(tf.matMul(kernel, activate(x), true), tf.expandDims(bias, 1)),
    rows,
  );
}

/** 1 / sqrt(epsilon + mean of squares) over some axes, which keep extent 1: what a tensor is multiplied by to have root mean square 1. */
export function rmsScale(
  x: Tensor,
  { axes, epsilon }: { readonly axes: readonly number[]; readonly epsilon: number },
): Tensor {
  return tf.rsqrt(tf.add(tf.mean(tf.square(x), [...axes], true), epsilon));
}

/** Consecutive pieces of these extents along the first axis. */
export function splitRows<const S extends readonly number[]>(
  x: Tensor,
  extents: S,
): { readonly [K in keyof S]: Tensor } {
  // One boundary: tf.split gives one tensor for each extent.
  return tf.split(x, [...extents], 0) as { readonly [K in keyof S]: Tensor };
}
