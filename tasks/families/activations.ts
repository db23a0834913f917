import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** Activation functions by name. `gelu` is the tanh form of D. Hendrycks, K. Gimpel, arXiv 1606.08415. */
const FUNCTIONS = {
  relu: (x: Tensor): Tensor => tf.relu(x),
  tanh: (x: Tensor): Tensor => tf.tanh(x),
  sigmoid: (x: Tensor): Tensor => tf.sigmoid(x),
  silu: (x: Tensor): Tensor => tf.mul(x, tf.sigmoid(x)),
  gelu: (x: Tensor): Tensor => {
    const cubic = tf.mul(tf.mul(x, x), tf.mul(x, 0.044715));
    const inner = tf.mul(tf.add(x, cubic), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  },
  softplus: (x: Tensor): Tensor => tf.softplus(x),
} as const;

export type Activation = keyof typeof FUNCTIONS;

export const ACTIVATIONS = ['relu', 'tanh', 'sigmoid', 'silu', 'gelu', 'softplus'] as const satisfies Activation[];

/** Traced: an activation applied to every element. */
export function activate(x: Tensor, activation: Activation): Tensor {
  return FUNCTIONS[activation](x);
}
