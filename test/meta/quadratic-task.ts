import * as tf from '@tensorflow/tfjs-core';
import type { Task } from '../../tasks/task.ts';

/** loss = curvature / 2 * |w|^2 in two dimensions, w drawn from a normal distribution: gradient descent with rate 1 / curvature ends in one step. */
export function quadraticTask(curvature: number): Task {
  return {
    name: 'bowl',
    specs: new Map([['w', { path: 'w', shape: [2], dtype: 'float32' }]]),
    noise: { init: new Map([['w', { kind: 'normal', shape: [2] }]]) },
    dynamic: new Map(),
    sampleDynamic: () => new Map(),
    init: ({ noise }) => {
      const w = noise.get('w');
      if (!w) throw new Error('expected noise for w');
      return new Map([['w', w]]);
    },
    loss: ({ params }) => {
      const w = params.get('w');
      if (!w) throw new Error('expected w');
      return { loss: tf.mul(curvature / 2, tf.sum(tf.square(w))) };
    },
    normalize: (loss) => loss,
  };
}
