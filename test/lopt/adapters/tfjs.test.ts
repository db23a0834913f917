import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { TfjsOptimizer } from '../../../lopt/adapters/tfjs.ts';
import type { Optimizer } from '../../../lopt/optimizer.ts';
import { createOptimizer } from '../../../lopt/registry.ts';
import { CLOSE, adapterSuite, numbers, sum, variable } from './tfjs-suite.ts';

beforeAll(() => {
  setWasmPaths(fileURLToPath(new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url)));
});

describe('on cpu', () => adapterSuite('cpu', { denseOnly: false }));
describe('on wasm', () => adapterSuite('wasm', { denseOnly: true }));

/** Steps by the loss itself: p - loss. Its weights are half the parameters. */
const BY_LOSS: Optimizer = {
  name: 'by-loss',
  options: {},
  needs: ['loss'],
  values: new Map(),
  valueRoles: new Map(),
  classOf: () => ({ key: 'any' }),
  init: () => new Map(),
  update: ({ params, state, loss }) => ({
    params: new Map([...params].map(([path, p]) => [path, loss === undefined ? p : tf.sub(p, loss)])),
    state,
  }),
  weights: ({ params }) => new Map([...params].map(([path, p]) => [path, tf.mul(p, 0.5)])),
};

describe('what it refuses and takes', () => {
  beforeEach(async () => {
    await tf.setBackend('cpu');
  });

  test('minimize captures the loss; applyGradients takes it', async () => {
    const optimizer = new TfjsOptimizer(BY_LOSS);
    const w = variable([1, 2], [2], 'w');
    optimizer.minimize(sum(w), false, [w]);
    expect(await numbers(w)).toEqual([-2, -1]);
    const grads = { w: tf.ones([2]) };
    optimizer.applyGradients(grads, tf.scalar(10));
    expect(await numbers(w)).toEqual([-12, -11]);
    expect(() => optimizer.applyGradients(grads)).toThrow(
      'Cannot apply gradients with by-loss: it uses the loss, so expected minimize, or the loss as second argument, but got none',
    );
    const weights = optimizer.weights();
    expect(await numbers(weights['w'] ?? w)).toEqual([-6, -5.5]);
    tf.dispose([grads, weights]);
    optimizer.dispose();
  });

  // Pitfall R50.
  test('an int32 variable is refused before anything has moved', async () => {
    const optimizer = new TfjsOptimizer(createOptimizer('sgd', { lr: 0.1 }));
    const w = variable([1, 2], [2], 'w');
    const counts = tf.variable(tf.tensor1d([1, 2], 'int32'), true, 'counts');
    const message =
      'Cannot update variable counts: expected float32 but got int32. Leave it out of varList, or make it with trainable false';
    expect(() =>
      optimizer.minimize(() => tf.sum(tf.mul(w, tf.cast(counts, 'float32'))).asScalar(), false, [w, counts]),
    ).toThrow(message);
    const grads = { w: tf.ones([2]), counts: tf.ones([2]) };
    expect(() => optimizer.applyGradients(grads)).toThrow(message);
    expect(await numbers(w)).toEqual([1, 2]);
    tf.dispose([grads, counts]);
    optimizer.dispose();
  });

  test('gradients of unknown variables and of other shapes are refused', () => {
    const optimizer = new TfjsOptimizer(createOptimizer('sgd'));
    variable([1, 2], [2], 'w');
    const grads = [tf.ones([2]), tf.ones([3])] as const;
    expect(() => optimizer.applyGradients({ v: grads[0] })).toThrow(
      'Cannot apply gradients: expected the names of variables but got v, which is none',
    );
    expect(() => optimizer.applyGradients([{ name: 'w', tensor: grads[1] }])).toThrow(
      'Cannot apply gradients: expected the gradient of w to have shape [2] but got [3]',
    );
    tf.dispose([...grads]);
  });

  test('weights of another model or optimizer are refused, and what was there stays', async () => {
    const adam = new TfjsOptimizer(createOptimizer('adam', { lr: 0.1 }));
    const w = variable([1, 2], [2], 'w');
    adam.minimize(sum(w), false, [w]);
    const saved = await adam.getWeights();
    const v = variable([1, 2, 3], [3], 'v');
    const fresh = new TfjsOptimizer(createOptimizer('adam'));
    await fresh.setWeights(saved);
    expect(() => fresh.minimize(sum(v), false, [v])).toThrow(
      "Cannot restore the optimizer's state: expected variable 0, in order of first use, to have shape [2] but got v of shape [3]",
    );
    expect(await numbers(v)).toEqual([1, 2, 3]);
    const momentum = new TfjsOptimizer(createOptimizer('momentum', { lr: 0.1 }));
    momentum.minimize(sum(w), false, [w]);
    await expect(momentum.setWeights(saved)).rejects.toThrow(
      "Cannot restore the optimizer's state: expected variable 0, in order of first use, to have momentum [2] but the saved state has m [2], v [2]",
    );
    momentum.minimize(sum(w), false, [w]);
    expect(momentum.iterations).toBe(2);
    await expect(momentum.setWeights(saved.slice(1))).rejects.toThrow(
      "Cannot read the optimizer's weights: expected a tensor named iter but got variables, 0/m, 0/v",
    );
    await expect(momentum.setWeights([...saved, { name: '7/m', tensor: w }])).rejects.toThrow(
      "Cannot read the optimizer's weights: expected the state of one of 1 variables, such as 0/m, or shared state but got 7/m",
    );
    for (const { tensor } of saved.slice(0, 2)) tensor.dispose();
    for (const optimizer of [adam, fresh, momentum]) optimizer.dispose();
  });

  test('variables may be described: paths and roles reach the rule, and must differ', () => {
    const seen: unknown[] = [];
    const watching: Optimizer = {
      ...BY_LOSS,
      update(input) {
        seen.push([...input.specs.values()]);
        return BY_LOSS.update(input);
      },
    };
    // With a horizon given, nothing is traced to find out whether it is used.
    const optimizer = new TfjsOptimizer(watching, {
      horizon: 1,
      describe: ({ name, shape }) => ({ path: name.replace(/_\d+$/, ''), role: shape.length < 2 ? 'bias' : 'hidden' }),
    });
    const b = variable([1, 2], [2], 'b_7');
    optimizer.minimize(sum(b), false, [b]);
    expect(seen).toEqual([[{ path: 'b', role: 'bias', shape: [2], dtype: 'float32' }]]);
    const other = variable([1, 2], [2], 'b_8');
    expect(() => optimizer.minimize(sum(other), false, [other])).toThrow(
      'Cannot update: expected variables to have different paths but b_7 and b_8 are both b',
    );
    optimizer.dispose();
  });

  test('an optimizer that needs what TensorFlow.js cannot give, or a horizon, says so', () => {
    const needing =
      (...needs: Optimizer['needs']) =>
      () =>
        new TfjsOptimizer({ ...BY_LOSS, needs });
    expect(needing('hvp')).toThrow(
      'Cannot use by-loss with TensorFlow.js: by-loss needs hvp, which only a traced task can give',
    );
    expect(needing('validLoss')).toThrow(
      "Cannot use by-loss with TensorFlow.js: it needs a validation loss, which minimize doesn't have",
    );
    expect(needing({ noise: { kind: 'normal', shape: [] }, name: 'dither', for: 'update' })).toThrow(
      'Cannot use by-loss with TensorFlow.js: it draws random numbers, so expected option noise but got none',
    );
    const falling = createOptimizer('sgd', { lr: { schedule: 'linear', initial: 1, end: 0 } });
    expect(() => new TfjsOptimizer(falling)).toThrow(
      'Cannot use sgd with TensorFlow.js: expected horizon, the number of steps of the whole training, which sgd uses, but got none',
    );
    expect(() => new TfjsOptimizer(falling, { horizon: 0 })).toThrow(
      'Cannot use sgd with TensorFlow.js: expected horizon, the number of steps of the whole training, to be a positive number but got 0',
    );
  });

  test('a variable without elements is left alone', async () => {
    const optimizer = new TfjsOptimizer(createOptimizer('adam', { lr: 0.1 }));
    const [w, none] = [variable([1], [1], 'w'), variable([], [0, 3], 'none')];
    optimizer.minimize(() => tf.add(tf.sum(w), tf.sum(none)).asScalar(), false, [none, w]);
    expect((await numbers(w))[0]).toBeCloseTo(0.9, CLOSE);
    optimizer.dispose();
  });

  test('the config says which optimizer it is', () => {
    const optimizer = new TfjsOptimizer(createOptimizer('sgd', { lr: 0.5 }), { horizon: 7 });
    expect(optimizer.getConfig()).toMatchObject({ name: 'sgd', options: { lr: 0.5 }, horizon: 7 });
    expect(optimizer.getClassName()).toBe('LoptOptimizer');
  });
});
