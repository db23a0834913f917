import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as tf from '@tensorflow/tfjs';
import { createEngine } from '../../../jit/engines/create-engine.ts';
import type { Engine } from '../../../jit/engines/engine.ts';
import { rootKey } from '../../../jit/random/key.ts';
import { type ArrayRun, startRun } from '../../../lopt/adapters/arrays.ts';
import type { RunState } from '../../../lopt/adapters/run-state.ts';
import type { Optimizer } from '../../../lopt/optimizer.ts';
import { OPTIMIZERS, createLearned, createOptimizer } from '../../../lopt/registry.ts';
import { drawNoises } from '../../../tasks/noise.ts';

const engines = new Map<string, Engine>();
beforeAll(async () => {
  engines.set('onnx', await createEngine('onnx', { threads: 1 }));
  engines.set('eager', await createEngine('eager', { device: 'cpu' }));
});
afterAll(async () => {
  for (const engine of engines.values()) await engine.dispose();
});
function engineOf(name: string): Engine {
  const engine = engines.get(name);
  if (engine === undefined) throw new Error(`expected an engine ${name}`);
  return engine;
}

/** A float32 step of about 0.1 may be off by a few units in the last place. */
const CLOSE = 6;
const values = (array: Float32Array | undefined): number[] => [...(array ?? [])];

/** Parameters after each gradient in turn, one scalar parameter of shape [1] or []. */
async function trajectory(
  optimizer: Optimizer,
  {
    p,
    grads,
    shape,
    engine,
  }: { readonly p: number; readonly grads: readonly number[]; readonly shape: number[]; readonly engine: string },
): Promise<number[]> {
  const run = startRun(optimizer, {
    params: { p: Float32Array.of(p) },
    shapes: { p: shape },
    horizon: 10,
    engine: engineOf(engine),
  });
  const out: number[] = [];
  for (const grad of grads) {
    await run.update({ grads: { p: Float32Array.of(grad) }, loss: 1 });
    out.push(run.params['p']?.[0] ?? Number.NaN);
  }
  await run.dispose();
  return out;
}

describe.each(['onnx', 'eager'])('on %s', (engine) => {
  test.each([[[1]], [[]]])('closed forms, shape %j', async (shape) => {
    // Pitfall R01: decoupled decay before the move.
    const adamw = await trajectory(createOptimizer('adamw', { lr: 0.1, weightDecay: 0.5 }), {
      p: 2,
      grads: [1, 1],
      shape,
      engine,
    });
    expect(adamw[0]).toBeCloseTo(1.8, 5);
    expect(adamw[1]).toBeCloseTo(1.61, 5);
    // Pitfall R45: beta1 0 is a value like any other; so is lr 0.
    const adam = await trajectory(createOptimizer('adam', { lr: 0.1, beta1: 0, beta2: 0.999, eps: 1e-8 }), {
      p: 1,
      grads: [1, 2],
      shape,
      engine,
    });
    expect(adam[0]).toBeCloseTo(0.9, CLOSE);
    expect(adam[1]).toBeCloseTo(0.77352787, CLOSE);
    expect(await trajectory(createOptimizer('adam', { lr: 0 }), { p: 1, grads: [1, 2], shape, engine })).toEqual([
      1, 1,
    ]);
  });

  // Pitfall R19.
  test('views into larger buffers and shared memory are read, never written', async () => {
    const big = Float32Array.of(9, 9, 1, 2, 9);
    const start = Float32Array.of(9, 5, 5, 9);
    const sgd = createOptimizer('sgd', { lr: 0.1 });
    const params = { p: start.subarray(1, 3) };
    const run = startRun(sgd, { params, shapes: { p: [2] }, engine: engineOf(engine) });
    await run.update({ grads: { p: big.subarray(2, 4) } });
    expect(values(run.params['p'])).toEqual([Math.fround(4.9), Math.fround(4.8)]);
    expect(values(big)).toEqual([9, 9, 1, 2, 9]);
    expect(values(start)).toEqual([9, 5, 5, 9]);
    expect(params.p).toHaveLength(2);
    await run.dispose();

    const shared = (...numbers: number[]): Float32Array => {
      const array = new Float32Array(new SharedArrayBuffer(4 * numbers.length));
      array.set(numbers);
      return array;
    };
    const grad = shared(1, 2);
    const other = startRun(sgd, { params: { p: shared(5, 5) }, shapes: { p: [2] }, engine: engineOf(engine) });
    await other.update({ grads: { p: grad } });
    expect(values(other.params['p'])).toEqual([Math.fround(4.9), Math.fround(4.8)]);
    expect(values(grad)).toEqual([1, 2]);
    await other.dispose();
  });

  test.each(OPTIMIZERS.map(({ name }) => name))(
    '%s: state through JSON continues to the same bits; nothing is compiled after the first update',
    async (name) => {
      const entry = OPTIMIZERS.find((candidate) => candidate.name === name);
      const learned = entry?.family === 'learned' ? createLearned(name) : undefined;
      const optimizer = learned?.optimizer(learned.initTheta(rootKey(3))) ?? createOptimizer(name);
      const compiling = counting(engineOf(engine));
      const shapes = { 'dense/kernel': [3, 2], 'dense/bias': [2], scale: [] };
      const params = {
        'dense/kernel': Float32Array.of(1, -2, 3, -4, 5, -6),
        'dense/bias': Float32Array.of(0, 1),
        scale: Float32Array.of(2),
      };
      const step = async (run: ArrayRun): Promise<void> => {
        const grads = Object.fromEntries(
          Object.entries(run.params).map(([path, p]) => [path, p.map((x) => 2 * x - 1)]),
        );
        await run.update({ grads, loss: 1 / (1 + run.step) });
      };
      const whole = startRun(optimizer, { params, shapes, horizon: 10, engine: compiling.engine });
      for (let k = 0; k < 3; k += 1) await step(whole);
      const afterFirst = compiling.count();
      const saved = JSON.parse(JSON.stringify({ state: whole.state, params: record(whole.params) })) as {
        state: RunState;
        params: Record<string, number[]>;
      };
      for (let k = 0; k < 3; k += 1) await step(whole);
      expect(compiling.count()).toBe(afterFirst);
      expect(afterFirst).toBeLessThanOrEqual(2);

      const restored = Object.fromEntries(
        Object.entries(saved.params).map(([path, list]) => [path, Float32Array.from(list)]),
      );
      const resumed = startRun(optimizer, { params: restored, shapes, state: saved.state, engine: engineOf(engine) });
      expect(resumed.step).toBe(3);
      for (let k = 0; k < 3; k += 1) await step(resumed);
      expect(record(resumed.params)).toEqual(record(whole.params));
      expect(resumed.state).toEqual(whole.state);
      await whole.dispose();
      await resumed.dispose();
    },
  );

  test('parameters without elements stay, and others do not mind', async () => {
    const run = startRun(createOptimizer('adam', { lr: 0.1 }), {
      params: new Map([
        ['10', new Float32Array(0)],
        ['2', Float32Array.of(1)],
      ]),
      shapes: { '10': [0, 3], '2': [1] },
      engine: engineOf(engine),
    });
    await run.update({ grads: { '10': new Float32Array(0), '2': Float32Array.of(1) } });
    expect(run.params['10']).toHaveLength(0);
    expect(run.params['2']?.[0]).toBeCloseTo(0.9, CLOSE);
    await run.dispose();
  });
});

const record = (arrays: Readonly<Record<string, Float32Array>>): Record<string, number[]> =>
  Object.fromEntries(Object.entries(arrays).map(([path, array]) => [path, [...array]]));

/** An engine that counts what it compiles. */
function counting(engine: Engine): { readonly engine: Engine; readonly count: () => number } {
  let compiled = 0;
  return {
    count: () => compiled,
    engine: {
      description: engine.description,
      concurrency: engine.concurrency,
      upload: (array) => engine.upload(array),
      download: (handle) => engine.download(handle),
      compile(graph, options) {
        compiled += 1;
        return engine.compile(graph, options);
      },
      dispose: async () => undefined,
    },
  };
}

const sgd = createOptimizer('sgd', { lr: 0.5 });
const one = { params: { w: Float32Array.of(1, 2) }, shapes: { w: [2] } };

describe('without an engine of the caller’s', () => {
  test('it runs, and disposes of its own engine', async () => {
    for (const choice of [undefined, 'eager', { name: 'onnx', threads: 1 }] as const) {
      const run = startRun(sgd, { ...one, ...(choice === undefined ? {} : { engine: choice }) });
      await run.ready();
      await run.update({ grads: { w: Float32Array.of(1, 1) } });
      expect(record(run.params)).toEqual({ w: [0.5, 1.5] });
      expect(run.weights).toEqual(run.params);
      await run.dispose();
      expect(record(run.params)).toEqual({ w: [0.5, 1.5] });
    }
  });

  test('updates that overlap are refused; the gradients may be reused at once', async () => {
    const run = startRun(sgd, one);
    const grad = Float32Array.of(1, 1);
    const first = run.update({ grads: { w: grad } });
    grad.fill(100);
    await expect(run.update({ grads: { w: grad } })).rejects.toThrow(
      'Cannot update sgd: the update before is still running. Await it first: await run.update(...)',
    );
    await first;
    expect(record(run.params)).toEqual({ w: [0.5, 1.5] });
    expect(run.step).toBe(1);
    await run.dispose();
  });

  test('gradients that are not finite are used as they are', async () => {
    const run = startRun(sgd, one);
    await run.update({ grads: { w: Float32Array.of(Number.NaN, -Infinity) } });
    expect(record(run.params)).toEqual({ w: [Number.NaN, Infinity] });
    await run.dispose();
  });

  test('the start is copied', async () => {
    const w = Float32Array.of(1, 2);
    const run = startRun(sgd, { params: { w }, shapes: { w: [2] } });
    w.fill(7);
    expect(record(run.params)).toEqual({ w: [1, 2] });
    expect(run.state).toEqual({ optimizer: 'sgd', step: 0, horizon: null, seed: 0, tensors: null });
    await run.dispose();
  });
});

/** Steps by loss and noise: p - loss * noise; keeps the losses' sum. Weights are twice the parameters. */
const NOISY: Optimizer = {
  name: 'noisy',
  options: {},
  needs: [
    'loss',
    { name: 'draw', noise: { kind: 'normal', shape: 'params' }, for: 'update' },
    { name: 'first', noise: { kind: 'uniform', shape: [] }, for: 'init' },
  ],
  values: new Map(),
  valueRoles: new Map(),
  classOf: () => ({ key: 'any' }),
  init: ({ noise }) => new Map([['total', noise?.get('first') ?? tf.scalar(0)]]),
  update: ({ params, state, loss, noise }) => {
    const of = (tensors: ReadonlyMap<string, tf.Tensor> | undefined, name: string): tf.Tensor => {
      const tensor = tensors?.get(name);
      if (tensor === undefined) throw new Error(`expected ${name}`);
      return tensor;
    };
    const step = loss ?? tf.scalar(0);
    return {
      params: new Map([...params].map(([path, p]) => [path, tf.sub(p, tf.mul(step, of(noise, `draw/${path}`)))])),
      state: new Map([['total', tf.add(of(state, 'total'), step)]]),
    };
  },
  weights: ({ params }) => new Map([...params].map(([path, p]) => [path, tf.mul(p, 2)])),
};

describe('loss, noise and weights', () => {
  test('noise is keyed by seed and step; weights are what the optimizer says', async () => {
    const begin = (seed: number, state?: RunState) =>
      startRun(NOISY, { ...one, seed, noise: drawNoises, ...(state === undefined ? {} : { state }) });
    const run = begin(1);
    await run.update({ grads: { w: new Float32Array(2) }, loss: 1 });
    const [first] = values(run.params['w']);
    expect(first).not.toBe(1);
    expect(values(run.weights['w'])).toEqual(values(run.params['w']).map((x) => 2 * x));
    const saved = run.state;
    expect(saved.seed).toBe(1);
    await run.update({ grads: { w: new Float32Array(2) }, loss: 1 });

    const again = startRun(NOISY, {
      params: { w: Float32Array.of(first ?? 0, 2) },
      shapes: { w: [2] },
      noise: drawNoises,
      state: saved,
    });
    await again.update({ grads: { w: new Float32Array(2) }, loss: 1 });
    expect(again.params['w']?.[0]).toBe(run.params['w']?.[0]);
    expect(again.state.tensors).toEqual(run.state.tensors);
    const other = begin(2);
    await other.update({ grads: { w: new Float32Array(2) }, loss: 1 });
    expect(other.params['w']?.[0]).not.toBe(first);
    for (const each of [run, again, other]) await each.dispose();
  });

  test('a loss that is needed and missing, or no number, is an error', async () => {
    const run = startRun(NOISY, { ...one, noise: drawNoises });
    const grads = { w: new Float32Array(2) };
    await expect(run.update({ grads })).rejects.toThrow(
      'Cannot update noisy: expected loss, which the optimizer uses, to be a number but got none',
    );
    await expect(run.update({ grads, loss: [1] as unknown as number })).rejects.toThrow(
      'Cannot update noisy: expected loss, which the optimizer uses, to be a number but got [1]',
    );
    await run.update({ grads, loss: Number.NaN });
    expect(run.params['w']?.[0]).toBeNaN();
    await run.dispose();
  });
});
