// A task of your own: one module, plain JavaScript. Run it with
//
//     lopt train --task examples/my-task.js --optimizer adam
//
// Here: a small network learns a smooth function of two variables from points on a grid.
// docs/add-a-task.md says what each member is for.
import * as tf from '@tensorflow/tfjs-core';

const SIDE = 40;
const POINTS = SIDE * SIDE;
const HIDDEN = 16;

const inputs = new Float32Array(2 * POINTS);
const targets = new Float32Array(POINTS);
for (let row = 0; row < POINTS; row += 1) {
  const x = (2 * (row % SIDE)) / (SIDE - 1) - 1;
  const y = (2 * Math.floor(row / SIDE)) / (SIDE - 1) - 1;
  inputs.set([x, y], 2 * row);
  targets[row] = x * x - y + 2 * x * y;
}

// Every tenth of the rows by its last digit: seven to train on, one for each of the other splits. 1,600 rows and steps of 7 that
// share no factor, so neighbours on the grid go to different splits.
const FIRST = { train: 0, innerValid: 7, outerValid: 8, test: 9 };
const rowOf = (split, index) => {
  const shares = split === 'train' ? 7 : 1;
  const place = 10 * Math.floor(index / shares) + FIRST[split] + (index % shares);
  return (place * 7) % POINTS;
};

const specs = new Map(
  [
    { path: 'hidden/kernel', shape: [2, HIDDEN], role: 'input', fanIn: 2, fanOut: HIDDEN },
    { path: 'hidden/bias', shape: [HIDDEN], role: 'bias', fanIn: 1, fanOut: HIDDEN },
    { path: 'out/kernel', shape: [HIDDEN, 1], role: 'output', fanIn: HIDDEN, fanOut: 1 },
    { path: 'out/bias', shape: [1], role: 'bias', fanIn: 1, fanOut: 1 },
  ].map((spec) => [spec.path, { ...spec, dtype: 'float32' }]),
);

export default {
  name: 'grid-regression',
  specs,
  // Random numbers come in from outside, by name.
  noise: {
    init: new Map([
      ['hidden/kernel', { kind: 'normal', shape: [2, HIDDEN] }],
      ['out/kernel', { kind: 'normal', shape: [HIDDEN, 1] }],
    ]),
  },
  // Nothing varies from one training run to another.
  dynamic: new Map(),
  sampleDynamic: () => new Map(),
  init: ({ noise }) =>
    new Map([
      ['hidden/kernel', noise.get('hidden/kernel')],
      ['hidden/bias', tf.zeros([HIDDEN])],
      ['out/kernel', tf.mul(noise.get('out/kernel'), 1 / Math.sqrt(HIDDEN))],
      ['out/bias', tf.zeros([1])],
    ]),
  loss: ({ params, batch }) => {
    const hidden = tf.tanh(
      tf.add(tf.matMul(batch.get('inputs'), params.get('hidden/kernel')), params.get('hidden/bias')),
    );
    const output = tf.add(tf.matMul(hidden, params.get('out/kernel')), params.get('out/bias'));
    const error = tf.sub(output, batch.get('targets'));
    return { loss: tf.mean(tf.mul(error, error)), meanError: tf.mean(tf.abs(error)) };
  },
  // What meta-training compares: bounded, and the worst value for NaN.
  normalize: (loss) => tf.where(tf.isNaN(loss), tf.scalar(10), tf.clipByValue(loss, 0, 10)),
  data: {
    dataSet: 'grid',
    batchSize: 32,
    // These stay where the computing is done; a batch is picked out of them by row.
    resident: new Map([
      ['inputs', { shape: [POINTS, 2], dtype: 'float32', data: inputs }],
      ['targets', { shape: [POINTS, 1], dtype: 'float32', data: targets }],
    ]),
    size: (split) => (split === 'train' ? 7 : 1) * (POINTS / 10),
    row: rowOf,
    batch: ({ resident, rows }) =>
      new Map([
        ['inputs', tf.gather(resident.get('inputs'), rows)],
        ['targets', tf.gather(resident.get('targets'), rows)],
      ]),
  },
};
