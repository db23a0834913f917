import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rootKey } from '../../../jit/random/key.ts';
import { TfjsOptimizer } from '../../../lopt/adapters/tfjs.ts';
import type { Optimizer } from '../../../lopt/optimizer.ts';
import { OPTIMIZERS, createLearned, createOptimizer } from '../../../lopt/registry.ts';

/** Every optimizer of the registry, learned ones with a random theta. */
const ALL: readonly (readonly [string, Optimizer])[] = OPTIMIZERS.map(({ name, family }) => [
  name,
  family === 'learned'
    ? createLearned(name).optimizer(createLearned(name).initTheta(rootKey(1)))
    : createOptimizer(name),
]);

const variables: tf.Variable[] = [];

/** A variable that is disposed of after the test. */
export function variable(values: number[], shape: number[], name: string): tf.Variable {
  const made = tf.variable(tf.tensor(values, shape), true, name);
  variables.push(made);
  return made;
}
afterEach(() => {
  for (const made of variables.splice(0)) made.dispose();
});

/** Elements of a tensor. */
export const numbers = async (tensor: tf.Tensor): Promise<number[]> => [...(await tensor.data())];

/** Sum of a variable, whose gradient is 1 everywhere. */
export const sum = (of: tf.Variable) => (): tf.Scalar => tf.sum(of).asScalar();

/** Decimals: a float32 step of about 0.1 may be off by a few units in the last place. */
export const CLOSE = 6;

/**
 * What the adapter does on a backend, by its name in TensorFlow.js. `denseOnly`: for a backend that has the gradients neither of
 * convolutions nor of embeddings.
 */
export function adapterSuite(backend: string, { denseOnly }: { readonly denseOnly: boolean }): void {
  beforeEach(async () => {
    await tf.setBackend(backend);
  });

  test('minimize gives the closed form of Adam and returns the cost only when asked', async () => {
    const optimizer = new TfjsOptimizer(createOptimizer('adam', { lr: 0.1, eps: 1e-8 }));
    const w = variable([0, 0], [2, 1], 'embedding');
    // Pitfall R10: gradients [1, 0], then [0, 0] twice. A row without a gradient never moves; one that had one goes on.
    const steps = [1, 0, 0].map(
      (first) => (): tf.Scalar => tf.sum(tf.mul(w, tf.tensor([first, 0], [2, 1]))).asScalar(),
    );
    const expected = [-0.1, -0.16700582, -0.21880152];
    for (const [index, step] of steps.entries()) {
      const cost = optimizer.minimize(step, index === 0, [w]);
      if (index === 0) expect(cost?.dataSync()[0]).toBe(0);
      else expect(cost).toBe(null);
      cost?.dispose();
      const [row0, row1] = await numbers(w);
      expect(row0).toBeCloseTo(expected[index] ?? Number.NaN, CLOSE);
      expect(row1).toBe(0);
    }
    expect(optimizer.iterations).toBe(3);
    optimizer.dispose();
  });

  // Pitfall R47.
  test('state follows the variable while layers are frozen and thawed, each with a count of its own', async () => {
    const optimizer = new TfjsOptimizer(createOptimizer('adam', { lr: 0.1 }));
    const a = variable([0, 0], [2], 'a');
    const b = variable([0, 0, 0], [3], 'b');
    optimizer.minimize(sum(a), false, [a]);
    optimizer.minimize(sum(b), false, [b]);
    optimizer.minimize(sum(a), false, [a]);
    for (const value of await numbers(a)) expect(value).toBeCloseTo(-0.2, CLOSE);
    for (const value of await numbers(b)) expect(value).toBeCloseTo(-0.1, CLOSE);
    // Together, with two counts: still a step of lr each, since all gradients are 1.
    optimizer.minimize(() => tf.add(tf.sum(a), tf.sum(b)).asScalar(), false, [b, a]);
    for (const value of await numbers(a)) expect(value).toBeCloseTo(-0.3, CLOSE);
    for (const value of await numbers(b)) expect(value).toBeCloseTo(-0.2, CLOSE);
    optimizer.dispose();
  });

  test('a norm over all gradients is over all of them also where step counts differ', async () => {
    const clipping = createOptimizer('gradient-clipping', {
      kind: 'global-norm',
      threshold: 1,
      base: { name: 'sgd', lr: 1 },
    });
    const optimizer = new TfjsOptimizer(clipping);
    const a = variable([0], [1], 'a');
    const b = variable([0], [1], 'b');
    optimizer.minimize(() => tf.mul(3, tf.sum(a)).asScalar(), false, [a]);
    expect((await numbers(a))[0]).toBeCloseTo(-1, CLOSE);
    // Gradient (3, 4) has norm 5.
    optimizer.minimize(() => tf.add(tf.mul(3, tf.sum(a)), tf.mul(4, tf.sum(b))).asScalar(), false, [a, b]);
    expect((await numbers(a))[0]).toBeCloseTo(-1.6, CLOSE);
    expect((await numbers(b))[0]).toBeCloseTo(-0.8, CLOSE);
    optimizer.dispose();
  });

  test('a variable without a gradient takes no step and no decay', async () => {
    const optimizer = new TfjsOptimizer(createOptimizer('adamw', { lr: 0.1, weightDecay: 0.5 }));
    const used = variable([2], [1], 'used');
    const unused = variable([2], [1], 'unused');
    optimizer.minimize(sum(used), false, [used, unused]);
    // Pitfall R01: p (1 - lr wd) - lr u with u = 1.
    expect((await numbers(used))[0]).toBeCloseTo(1.8, CLOSE);
    expect(await numbers(unused)).toEqual([2]);
    optimizer.applyGradients({});
    expect(await numbers(unused)).toEqual([2]);
    expect(optimizer.iterations).toBe(2);
    optimizer.dispose();
  });

  // Pitfall R48.
  test.each(ALL)('%s holds its state and nothing more, and gives all of it back', (_, rule) => {
    const w = variable([1, 2, 3, 4, 5, 6], [2, 3], 'w');
    const loss = (): tf.Scalar => tf.sum(tf.square(w)).asScalar();
    const start = tf.memory().numTensors;
    new TfjsOptimizer(rule, { horizon: 200 }).dispose();
    expect(tf.memory().numTensors).toBe(start);
    const optimizer = new TfjsOptimizer(rule, { horizon: 200 });
    expect(tf.memory().numTensors).toBe(start);
    const counts: number[] = [];
    for (let step = 1; step <= 20; step += 1) {
      optimizer.minimize(loss, false, [w]);
      if (step === 5)
        expect(() =>
          optimizer.minimize(() => {
            tf.square(w);
            throw new Error('no loss');
          }),
        ).toThrow('no loss');
      if ([1, 10, 20].includes(step)) counts.push(tf.memory().numTensors);
    }
    expect(new Set(counts).size).toBe(1);
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(start);
  });

  test.each(ALL)('%s continues from its weights to the same bits, in variables of other names', async (_, rule) => {
    const start = [1, -2, 3, -4, 5, -6];
    const pair = (name: string) => [variable(start, [3, 2], `${name}/w`), variable([0, 1], [2], `${name}/b`)] as const;
    const step = (optimizer: TfjsOptimizer, [w, b]: readonly [tf.Variable, tf.Variable]): void => {
      optimizer.minimize(() => tf.add(tf.sum(tf.square(w)), tf.sum(tf.sin(b))).asScalar(), false, [w, b]);
    };
    const first = pair('first');
    const whole = new TfjsOptimizer(rule, { horizon: 20 });
    for (let k = 0; k < 3; k += 1) step(whole, first);
    const saved = await whole.getWeights();
    const copies = saved.map(({ name, tensor }) => ({ name, tensor: tf.clone(tensor) }));
    const second = pair('second');
    for (const [index, made] of second.entries()) made.assign(first[index] ?? made);
    for (let k = 0; k < 3; k += 1) step(whole, first);

    const resumed = new TfjsOptimizer(rule, { horizon: 20 });
    await resumed.setWeights(copies);
    for (const { tensor } of copies) tensor.dispose();
    expect(resumed.iterations).toBe(3);
    for (let k = 0; k < 3; k += 1) step(resumed, second);
    for (const [index, made] of second.entries())
      expect(await numbers(made)).toEqual(await numbers(first[index] ?? made));
    whole.dispose();
    resumed.dispose();
    for (const { tensor } of saved.slice(0, 2)) tensor.dispose();
  });

  test('layers are trained by model.fit as by the Adam of TensorFlow.js', async () => {
    const ours = new TfjsOptimizer(createOptimizer('adam', { lr: 0.01, eps: 1e-7 }), { horizon: 100 });
    const losses = await fit(ours, { denseOnly });
    expect(ours.iterations).toBe(24);
    ours.dispose();
    const theirs = tf.train.adam(0.01, 0.9, 0.999, 1e-7);
    const expected = await fit(theirs, { denseOnly });
    theirs.dispose();
    expect(losses).toHaveLength(12);
    // Two forms of the same bias correction in float32, over 24 steps.
    for (const [epoch, loss] of losses.entries()) expect(loss).toBeCloseTo(expected[epoch] ?? Number.NaN, 3);
    expect(losses.at(-1)).toBeLessThan(0.9 * (losses[0] ?? 0));
  });

  test('a learned optimizer trains by model.fit and leaves nothing behind', async () => {
    const before = tf.memory().numTensors;
    const celo2 = ALL.find(([name]) => name === 'celo2')?.[1];
    if (celo2 === undefined) throw new Error('expected celo2 in the registry');
    const optimizer = new TfjsOptimizer(celo2, { horizon: 24 });
    const losses = await fit(optimizer, { denseOnly });
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(new Set(losses).size).toBe(12);
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
}

/** Losses of a small classifier over 12 epochs of 2 batches: whether the first word of six is below three. */
async function fit(optimizer: tf.Optimizer, { denseOnly }: { readonly denseOnly: boolean }): Promise<number[]> {
  const seeded = (seed: number) => tf.initializers.glorotUniform({ seed });
  const model = tf.sequential();
  if (denseOnly) {
    // The wasm backend has neither the gradient of a convolution's filters nor that of an embedding.
    model.add(tf.layers.dense({ inputShape: [6], units: 8, activation: 'tanh', kernelInitializer: seeded(3) }));
  } else {
    model.add(tf.layers.embedding({ inputDim: 7, outputDim: 6, inputLength: 6, embeddingsInitializer: seeded(3) }));
    model.add(tf.layers.reshape({ targetShape: [6, 6, 1] }));
    model.add(tf.layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu', kernelInitializer: seeded(4) }));
  }
  if (!denseOnly) model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 2, activation: 'softmax', kernelInitializer: seeded(5) }));
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const words = Array.from({ length: 32 }, (_, row) =>
    Array.from({ length: 6 }, (_, column) => (row * 5 + column * column * row) % 7),
  );
  const xs = tf.tensor2d(words);
  const ys = tf.tensor2d(words.map(([first = 0]) => (first < 3 ? [1, 0] : [0, 1])));
  const { history } = await model.fit(xs, ys, {
    epochs: 12,
    batchSize: 16,
    shuffle: false,
    // tfjs-node draws a progress bar otherwise.
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the package doesn't export the enum
    verbose: 0,
  });
  model.dispose();
  tf.dispose([xs, ys]);
  return (history['loss'] ?? []).map(Number);
}
