import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../jit/engines/create-engine.ts';
import type { Engine } from '../../jit/engines/engine.ts';
import { normal } from '../../jit/random/draws.ts';
import { fold, rootKey } from '../../jit/random/key.ts';
import type { Arrays, Optimizer, Tensors } from '../../lopt/optimizer.ts';
import { createOptimizer } from '../../lopt/registry.ts';
import { createTruncatedPes } from '../../meta/estimators/truncated-pes.ts';
import { planWindow } from '../../meta/plan.ts';
import { type Reset, resetCapacity } from '../../meta/trajectory.ts';
import { createUnroll } from '../../meta/unroll.ts';
import { batchRows } from '../../tasks/batches.ts';
import type { Task, TaskData } from '../../tasks/task.ts';
import { hasCompiler } from '../jit/engines/native/c-compiler.ts';
import { LINEAR, createToyUnroll, toyTheta } from './toy-unroll.ts';

const KEY = rootKey('unroll');
const ROWS = 40;
const BATCH = 4;
const TARGETS = normal(fold(KEY, 'targets'), ROWS * 2);

const DATA: TaskData = {
  dataSet: 'targets',
  resident: new Map([['targets', { shape: [ROWS, 2], dtype: 'float32', data: TARGETS }]]),
  batchSize: BATCH,
  size: () => ROWS,
  row: (_, index) => index,
  batch: ({ resident, rows }) => new Map([['targets', tf.gather(tensor(resident, 'targets'), rows as tf.Tensor1D)]]),
};

/** Mean over a batch of half the squared distance to a target, times a scale of the particle's own. */
const TASK: Task = {
  name: 'targets',
  specs: new Map([['w', { path: 'w', shape: [2], dtype: 'float32' }]]),
  noise: { init: new Map([['start', { kind: 'normal', shape: [2] }]]) },
  dynamic: new Map([['scale', { shape: [], dtype: 'float32' }]]),
  sampleDynamic: (key) => new Map([['scale', scalar(1 + (normal(key, 1)[0] ?? 0) ** 2)]]),
  init: ({ noise }) => new Map([['w', tensor(noise, 'start')]]),
  loss: ({ params, batch, dynamic }) => {
    const distances = tf.sub(tensor(batch, 'targets'), tensor(params, 'w'));
    const loss = tf.mul(tf.div(tf.sum(tf.square(distances)), 2 * BATCH), tensor(dynamic, 'scale'));
    return { loss, double: tf.mul(loss, 2) };
  },
  normalize: (loss) => tf.where(tf.isNaN(loss), tf.scalar(100), tf.minimum(loss, 100)),
  data: DATA,
};

function tensor(group: Tensors, name: string): tf.Tensor {
  const found = group.get(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function scalar(value: number) {
  return { shape: [], dtype: 'float32', data: Float32Array.of(value) } as const;
}

const reset = (step: number, key: string): Reset => ({ step, horizon: 20 + step, key: fold(KEY, key) });

/** What a particle does, in double precision: gradient descent with momentum .5 from a reset on. */
function simulate(
  stream: number,
  {
    windowLength,
    lr,
    resets,
    first = 0,
  }: { windowLength: number; lr: number; resets: readonly Reset[]; first?: number },
) {
  const losses: number[] = [];
  let [w, m]: [number[], number[]] = [
    [0, 0],
    [0, 0],
  ];
  let [scale, steps, horizon] = [0, 0, 0];
  for (let step = 0; step < windowLength; step += 1) {
    const begin = resets.find((own) => own.step === step);
    if (begin !== undefined) {
      w = [...normal(fold(begin.key, 'noise', 'task/start'), 2)];
      m = [0, 0];
      scale = 1 + (normal(fold(begin.key, 'dynamic'), 1)[0] ?? 0) ** 2;
      steps = 0;
      horizon = begin.horizon;
    }
    const rows = batchRows(DATA, { split: 'train', key: fold(KEY, 'batches', stream), index: first + step });
    const gradient = [0, 0];
    let loss = 0;
    for (const row of rows)
      for (const i of [0, 1]) {
        const distance = (TARGETS[2 * row + i] ?? NaN) - (w[i] ?? NaN);
        loss += (scale * distance ** 2) / (2 * BATCH);
        gradient[i] = (gradient[i] ?? 0) - (scale * distance) / BATCH;
      }
    losses.push(loss);
    m = m.map((old, i) => 0.5 * old + (gradient[i] ?? NaN));
    w = w.map((old, i) => old - lr * (m[i] ?? NaN));
    steps += 1;
  }
  return { losses, w, m, steps, horizon };
}

/** An engine that counts what is asked of it. */
function counted(engine: Engine): Engine & { readonly count: { compiles: number; runs: number } } {
  const count = { compiles: 0, runs: 0 };
  return {
    count,
    description: engine.description,
    concurrency: engine.concurrency,
    upload: (array) => engine.upload(array),
    download: (handle) => engine.download(handle),
    compile: async (graph, options) => {
      count.compiles += 1;
      const executable = await engine.compile(graph, options);
      return {
        run: (inputs) => {
          count.runs += 1;
          return executable.run(inputs);
        },
        dispose: () => executable.dispose(),
      };
    },
    dispose: () => engine.dispose(),
  };
}

// Losses of size 1 after tens of float32 operations, against double precision.
const PRECISION = 4;

const NATIVE = (await hasCompiler()) ? [{ name: 'native' }] : [];

describe.each([{ name: 'onnx' }, { name: 'eager' }, ...NATIVE])('an unroll on $name', ({ name }) => {
  let engine: ReturnType<typeof counted>;
  beforeAll(async () => {
    engine = counted(await createEngine(name, { device: 'cpu', threads: 1 }));
  });
  afterAll(() => engine.dispose());

  const windowLength = 6;
  const optimizer = createOptimizer('momentum', { lr: 0.1, momentum: 0.5 });
  const streams = (window: number, resets: readonly (readonly Reset[])[]) =>
    resets.map((own, stream) => ({
      batches: { key: fold(KEY, 'batches', stream), first: window * windowLength },
      noise: fold(KEY, window, stream),
      resets: own,
    }));
  const make = (lrs: readonly number[]) =>
    createUnroll({
      engine,
      task: TASK,
      optimizer,
      windowLength,
      particles: lrs.length,
      freshRows: 4,
      mappedValues: new Set(['lr']),
    });
  const valuesOf = (lrs: readonly number[]): Arrays =>
    new Map([...optimizer.values, ['lr', { shape: [lrs.length], dtype: 'float32', data: Float32Array.from(lrs) }]]);

  it('trains each particle with its own values, data and starts, resets included, in one run a window', async () => {
    const lrs = [0.1, 0.3, 0.1, 0.3];
    const unroll = await make(lrs);
    const resets = [
      [reset(0, 'a'), reset(3, 'b')],
      [reset(0, 'c'), reset(5, 'd')],
    ];
    const streamOf = [0, 0, 1, 1];
    const plan = planWindow({
      task: TASK,
      inputs: unroll.inputs,
      windowLength,
      freshRows: 4,
      streams: streams(0, resets),
      streamOf,
    });
    const [before, compiles] = [engine.count.runs, engine.count.compiles];
    const result = await unroll.window({ values: valuesOf(lrs), state: unroll.emptyState(), plan });
    expect(engine.count.runs - before).toBe(1);
    const state = await result.state.download();
    lrs.forEach((lr, particle) => {
      const stream = streamOf[particle] ?? 0;
      const expected = simulate(stream, { windowLength, lr, resets: resets[stream] ?? [] });
      expected.losses.forEach((loss, step) => {
        expect(result.rawLosses[step * lrs.length + particle]).toBeCloseTo(loss, PRECISION);
        expect(result.losses[step * lrs.length + particle]).toBeCloseTo(Math.min(loss, 100), PRECISION);
      });
      for (const i of [0, 1])
        expect(state.get('params/w')?.data[2 * particle + i]).toBeCloseTo(expected.w[i] ?? NaN, PRECISION);
      expect(state.get('step')?.data[particle]).toBe(expected.steps);
      expect(state.get('horizon')?.data[particle]).toBe(expected.horizon);
    });
    expect([...result.mask]).toEqual(new Array(windowLength * lrs.length).fill(1));
    // The next window goes on where this one ended, from a state that went through the host.
    const second = planWindow({
      task: TASK,
      inputs: unroll.inputs,
      windowLength,
      freshRows: 4,
      streams: streams(1, [[], []]),
      streamOf,
    });
    const next = await unroll.window({ values: valuesOf(lrs), state: unroll.uploadState(state), plan: second });
    const direct = await unroll.window({ values: valuesOf(lrs), state: result.state, plan: second });
    expect(next.rawLosses).toEqual(direct.rawLosses);
    expect(engine.count.runs - before).toBe(3);
    expect(engine.count.compiles).toBe(compiles);
    next.state.dispose();
    direct.state.dispose();
    unroll.dispose();
  });

  it('gives losses on other examples than it trains on, where the meta-loss wants that', async () => {
    const half = ROWS / 2;
    const task: Task = {
      ...TASK,
      data: { ...DATA, size: () => half, row: (split, index) => (split === 'outerValid' ? half + index : index) },
    };
    const unroll = await createUnroll({
      engine,
      task,
      optimizer,
      windowLength,
      particles: 1,
      freshRows: 4,
      mappedValues: new Set(['lr']),
      metaLoss: 'outerValid',
    });
    const { inputs } = unroll;
    const plan = planWindow({
      task,
      inputs,
      windowLength,
      freshRows: 4,
      streams: streams(0, [[reset(0, 'a')]]),
      streamOf: [0],
    });
    expect(plan.get('metaRows')?.data.every((row) => row >= half && row < ROWS)).toBe(true);
    expect(plan.get('rows')?.data.every((row) => row < half)).toBe(true);
    // Nothing moves, so that losses follow from where the state is at the end.
    const result = await unroll.window({ values: valuesOf([0]), state: unroll.emptyState(), plan });
    const state = await result.state.download();
    const [w, scale] = [state.get('params/w')?.data ?? [], state.get('dynamic/scale')?.data[0] ?? NaN];
    const lossOn = (rows: readonly number[]) =>
      (scale / (2 * BATCH)) *
      rows.reduce(
        (sum, row) => sum + [0, 1].reduce((own, i) => own + ((TARGETS[2 * row + i] ?? 0) - (w[i] ?? 0)) ** 2, 0),
        0,
      );
    for (let step = 0; step < windowLength; step += 1) {
      const at = (name: string) => [...(plan.get(name)?.data ?? [])].slice(step * BATCH, (step + 1) * BATCH);
      expect(result.rawLosses[step]).toBeCloseTo(lossOn(at('rows')), PRECISION);
      expect(result.losses[step]).toBeCloseTo(lossOn(at('metaRows')), PRECISION);
    }
    result.state.dispose();
    unroll.dispose();
  });

  it('marks losses that are not finite, and leaves other particles alone', async () => {
    const [calm, wild] = [
      [0.1, 0.1],
      [0.1, 1e30],
    ];
    const unroll = await make(calm);
    const plan = planWindow({
      task: TASK,
      inputs: unroll.inputs,
      windowLength,
      freshRows: 4,
      streams: streams(0, [[reset(0, 'a')]]),
      streamOf: [0, 0],
    });
    const good = await unroll.window({ values: valuesOf(calm), state: unroll.emptyState(), plan });
    const bad = await unroll.window({ values: valuesOf(wild), state: unroll.emptyState(), plan });
    const of = (array: Float32Array, particle: number): number[] => [...array].filter((_, i) => i % 2 === particle);
    expect(of(bad.losses, 0)).toEqual(of(good.losses, 0));
    expect(of(bad.mask, 0)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(of(bad.mask, 1)).toEqual([1, 0, 0, 0, 0, 0]);
    expect(of(bad.losses, 1).slice(1)).toEqual([100, 100, 100, 100, 100]);
    for (const { state } of [good, bad]) state.dispose();
    unroll.dispose();
  });

  it('evaluates every particle on fixed batches and leaves the state alone', async () => {
    const lrs = [0.1, 0.3];
    const unroll = await make(lrs);
    const plan = planWindow({
      task: TASK,
      inputs: unroll.inputs,
      windowLength,
      freshRows: 4,
      streams: streams(0, [[reset(0, 'a')]]),
      streamOf: [0, 0],
    });
    const { state } = await unroll.window({ values: valuesOf(lrs), state: unroll.emptyState(), plan });
    const batches = [
      { rows: Int32Array.of(1, 2, 3, 4), key: KEY },
      { rows: Int32Array.of(5, 6, 7, 8), key: KEY },
    ];
    const [once, again] = [
      await unroll.evaluate({ values: valuesOf(lrs), state, batches }),
      await unroll.evaluate({ values: valuesOf(lrs), state, batches }),
    ];
    expect(again).toEqual(once);
    const arrays = await state.download();
    batches.forEach(({ rows }, batch) =>
      lrs.forEach((_, particle) => {
        let loss = 0;
        for (const row of rows)
          for (const i of [0, 1])
            loss += ((TARGETS[2 * row + i] ?? NaN) - (arrays.get('params/w')?.data[2 * particle + i] ?? NaN)) ** 2;
        loss *= (arrays.get('dynamic/scale')?.data[particle] ?? NaN) / (2 * BATCH);
        expect(once.get('loss')?.[batch * 2 + particle]).toBeCloseTo(loss, PRECISION);
        expect(once.get('double')?.[batch * 2 + particle]).toBeCloseTo(2 * loss, PRECISION);
      }),
    );
    state.dispose();
    unroll.dispose();
  });

  it('rearranges particles', async () => {
    const lrs = [0.1, 0.3];
    const unroll = await make(lrs);
    const state = unroll.uploadState(
      new Map(
        [...(await unroll.emptyState().download())].map(([path, { shape, dtype, data }]) => [
          path,
          { shape, dtype, data: data.map((_, i) => i) },
        ]),
      ),
    );
    const swapped = await (await unroll.rearrange(state, [1, 1])).download();
    expect([...(swapped.get('params/w')?.data ?? [])]).toEqual([2, 3, 2, 3]);
    expect([...(swapped.get('step')?.data ?? [])]).toEqual([1, 1]);
    unroll.dispose();
  });

  it('refuses values that are missing or of another shape', async () => {
    const unroll = await make([0.1, 0.3]);
    const state = unroll.emptyState();
    const plan = new Map();
    await expect(unroll.window({ values: optimizer.values, state, plan })).rejects.toThrow(
      new RangeError('Cannot unroll: expected value of momentum lr to be float32[2] but got float32[]'),
    );
    expect(() => unroll.uploadState(new Map())).toThrow(
      new RangeError('Cannot unroll: expected state params/w to be float32[2,2] but got none'),
    );
    await expect(
      createUnroll({
        engine,
        task: TASK,
        optimizer,
        windowLength,
        particles: 2,
        freshRows: 4,
        mappedValues: new Set(['rate']),
      }),
    ).rejects.toThrow(/^Cannot map value rate of momentum over particles: expected one of lr, /);
    unroll.dispose();
  });

  it('lets PES see what the toy in double precision sees', async () => {
    const values: Arrays = new Map([['theta', { shape: [1], dtype: 'float32', data: new Float32Array(1) }]]);
    const drift: Optimizer = {
      name: 'drift',
      options: {},
      needs: [],
      values,
      valueRoles: new Map([['theta', 'theta']]),
      classOf: () => ({ key: '' }),
      init: () => new Map(),
      update: ({ values, params }) => ({
        params: new Map([['x', tf.add(tf.mul(tensor(params, 'x'), 0.9), tf.reshape(tensor(values, 'theta'), []))]]),
        state: new Map(),
      }),
    };
    const line: Task = {
      name: 'line',
      specs: new Map([['x', { path: 'x', shape: [], dtype: 'float32' }]]),
      noise: {},
      dynamic: new Map(),
      sampleDynamic: () => new Map(),
      init: () => new Map([['x', tf.scalar(0)]]),
      loss: ({ params }) => ({ loss: tf.mul(tensor(params, 'x'), 1) }),
      normalize: (loss) => loss,
    };
    const schedule = { min: 7, max: 7, stagger: 0 };
    const shape = { particles: 4, windowLength: 5, freshRows: 2 * resetCapacity({ windowLength: 5, schedule }) };
    const real = await createUnroll({
      engine,
      task: line,
      optimizer: drift,
      ...shape,
      mappedValues: new Set(['theta']),
    });
    const common = { values, pairs: 2, sigma: 0.1, schedule };
    const [a, b] = [real, createToyUnroll(LINEAR, shape)].map((unroll) => createTruncatedPes({ unroll, ...common }));
    if (a === undefined || b === undefined) throw new Error('two estimators');
    let [stateA, stateB] = [a.init(), b.init()];
    for (let window = 0; window < 4; window += 1) {
      const key = fold(KEY, window);
      const theta = toyTheta(0.5);
      const [fromA, fromB] = [
        await a.measure(theta, { state: stateA, key }),
        await b.measure(theta, { state: stateB, key }),
      ];
      [stateA, stateB] = [fromA.state, fromB.state];
      const [gA, gB] = [a.combine(theta, fromA.parts), b.combine(theta, fromB.parts)];
      expect(gA.gradient.get('theta')?.data[0]).toBeCloseTo(gB.gradient.get('theta')?.data[0] ?? NaN, PRECISION);
      expect(gA.metrics.resets).toBe(gB.metrics.resets);
    }
    a.dispose(stateA);
    real.dispose();
  });
});
