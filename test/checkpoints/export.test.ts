import { InferenceSession, Tensor } from 'onnxruntime-node';
import onnxProto from 'onnx-proto';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { exportOptimizer } from '../../checkpoints/export.ts';
import { fromJson } from '../../checkpoints/json-numbers.ts';
import { loadOptimizer } from '../../checkpoints/load-optimizer.ts';
import { rootKey } from '../../jit/random/key.ts';
import { startRun } from '../../lopt/adapters/arrays.ts';
import { readParamSpecs } from '../../lopt/adapters/param-specs.ts';
import type { Optimizer } from '../../lopt/optimizer.ts';
import { OPTIMIZERS, createLearned, createOptimizer } from '../../lopt/registry.ts';

const shapes = { 'dense/kernel': [3, 2], 'dense/bias': [2], scale: [] };
const specs = readParamSpecs(shapes, { doing: 'test' });
const START = { 'dense/kernel': [1, -2, 3, -4, 5, -6], 'dense/bias': [0, 1], scale: [2] };

function optimizerOf(name: string): Optimizer {
  const entry = OPTIMIZERS.find((candidate) => candidate.name === name);
  if (entry?.family !== 'learned') return createOptimizer(name);
  const learned = createLearned(name);
  return learned.optimizer(learned.initTheta(rootKey(5)));
}

const { ModelProto } = onnxProto.onnx;
const metadataOf = (bytes: Uint8Array): ReadonlyMap<string, unknown> =>
  new Map(
    ModelProto.decode(bytes).metadataProps.map(({ key, value }) => [
      key ?? '',
      ['format', 'version', 'sha256'].includes(key ?? '') ? value : fromJson(value ?? ''),
    ]),
  );

interface State {
  readonly name: string;
  readonly shape: readonly number[];
  readonly start: { readonly constant: number } | { readonly copy: string } | 'init';
}

type Feeds = Record<string, Tensor>;

/** onnxruntime warns of every input that has a default, which is what our options are. */
const QUIET = { logSeverityLevel: 3 } as const;

const floatsOf = (tensors: Feeds, name: string): number[] => {
  const data = tensors[name]?.data;
  return data instanceof Float32Array ? [...data] : [];
};

/** Applies an exported file as a stranger would: by its metadata alone. */
class Stranger {
  readonly #session: InferenceSession;
  params: Feeds;
  state: Feeds = {};

  private constructor(session: InferenceSession, params: Feeds) {
    this.#session = session;
    this.params = params;
  }

  static async start(bytes: Uint8Array, init?: Uint8Array): Promise<Stranger> {
    const params = Object.fromEntries(
      Object.entries(START).map(([path, values]) => [
        `params/${path}`,
        new Tensor('float32', Float32Array.from(values), specs.get(path)?.shape ?? []),
      ]),
    );
    const stranger = new Stranger(await InferenceSession.create(bytes, QUIET), params);
    const computed = init === undefined ? {} : await (await InferenceSession.create(init, QUIET)).run(params);
    for (const { name, shape, start } of metadataOf(bytes).get('state') as State[]) {
      const size = shape.reduce((product, extent) => product * extent, 1);
      const tensor =
        start === 'init'
          ? computed[`state/${name}`]
          : 'copy' in start
            ? params[start.copy]
            : new Tensor('float32', new Float32Array(size).fill(start.constant), shape);
      if (!(tensor instanceof Tensor)) throw new Error(`expected a start of ${name}`);
      stranger.state[`state/${name}`] = tensor;
    }
    return stranger;
  }

  get inputs(): readonly string[] {
    return this.#session.inputNames;
  }

  async step(step: bigint, grads: Feeds, others: Feeds = {}): Promise<Record<string, Tensor>> {
    const scalars: Feeds = {
      step: new Tensor('int64', [step], []),
      horizon: new Tensor('float32', [50], []),
      loss: new Tensor('float32', [0.5], []),
    };
    const used = Object.entries(scalars).filter(([name]) => this.inputs.includes(name));
    const outputs = await this.#session.run({
      ...this.params,
      ...this.state,
      ...grads,
      ...Object.fromEntries(used),
      ...others,
    });
    const under = (prefix: string, to: string): Feeds =>
      Object.fromEntries(
        Object.entries(outputs).flatMap(([name, tensor]) =>
          name.startsWith(prefix) && tensor instanceof Tensor ? [[to + name.slice(prefix.length), tensor]] : [],
        ),
      );
    this.params = under('next/params/', 'params/');
    this.state = under('next/state/', 'state/');
    return under('', '');
  }

  gradients(): Feeds {
    return Object.fromEntries(
      Object.entries(this.params).map(([name, { data, dims }]) => [
        name.replace('params/', 'grads/'),
        new Tensor(
          'float32',
          Float32Array.from(data as Float32Array, (x) => 2 * x - 1),
          dims,
        ),
      ]),
    );
  }
}

describe.each(OPTIMIZERS.map(({ name }) => name))('%s', (name) => {
  test('applied by its metadata alone goes as the adapter goes', async () => {
    const optimizer = optimizerOf(name);
    const { update, init } = await exportOptimizer({ optimizer, specs });
    const stranger = await Stranger.start(update, init);
    const params = Object.fromEntries(Object.entries(START).map(([path, values]) => [path, Float32Array.from(values)]));
    const run = startRun(optimizer, { params, shapes, horizon: 50, engine: { name: 'onnx', threads: 1 } });
    for (let step = 0n; step < 5n; step += 1n) {
      await stranger.step(step, stranger.gradients());
      const grads = Object.fromEntries(Object.entries(run.params).map(([path, p]) => [path, p.map((x) => 2 * x - 1)]));
      await run.update({ grads, loss: 0.5 });
    }
    for (const [path, { shape }] of specs) {
      // Pitfall R16: a parameter of rank 0 comes back with dims [].
      expect(stranger.params[`params/${path}`]?.dims).toEqual(shape);
      const ours = [...(run.params[path] ?? [])];
      // One emitter: the same operators in the same order but for what is an initializer, which may be folded when loading.
      for (const [index, value] of floatsOf(stranger.params, `params/${path}`).entries())
        expect(value).toBeCloseTo(ours[index] ?? Number.NaN, 5);
    }
    await run.dispose();
  });

  test('the same optimizer gives the same bytes, and the file gives back the optimizer', async () => {
    const provenance = { recipe: 'smoke', seed: 7, step: 500 };
    const { update } = await exportOptimizer({ optimizer: optimizerOf(name), specs, provenance });
    const again = await exportOptimizer({ optimizer: optimizerOf(name), specs, provenance });
    expect(again.update).toEqual(update);
    const loaded = await loadOptimizer(update);
    expect(loaded.optimizer.options).toEqual(optimizerOf(name).options);
    expect([...loaded.optimizer.values]).toEqual([...optimizerOf(name).values]);
    expect(loaded.provenance).toEqual(provenance);
    expect([...(loaded.specs ?? [])]).toEqual([...specs]);
    expect((await loaded.export()).update).toEqual(update);
  });

  // Pitfall R17; which runtimes read it is tested with Python (export-python.long.test.ts).
  test('is IR version 8, opset 17, the default domain alone', async () => {
    const { update } = await exportOptimizer({ optimizer: optimizerOf(name), specs });
    const model = ModelProto.decode(update);
    expect(Number(model.irVersion)).toBe(8);
    expect(model.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([['', 17]]);
    expect(model.functions).toEqual([]);
    const names = model.graph?.initializer?.map((tensor) => tensor.name) ?? [];
    for (const [leaf] of [...optimizerOf(name).valueRoles].filter(([, role]) => role === 'theta'))
      expect([
        ...names,
        ...Object.keys(metadataOf(update).get('unusedTheta') ?? {}).map((path) => `theta/${path}`),
      ]).toContain(`theta/${leaf}`);
  });
});

test('free options are inputs with a default, others are fixed; the metadata says which', async () => {
  const { update } = await exportOptimizer({ optimizer: createOptimizer('adam', { lr: 0.25 }), specs });
  const stranger = await Stranger.start(update);
  const inputs = ModelProto.decode(update).graph?.input?.map((port) => port.name) ?? [];
  expect(inputs.filter((name) => name?.startsWith('values/'))).toEqual([
    'values/lr',
    'values/eps',
    'values/weightDecay',
  ]);
  expect(metadataOf(update).get('values')).toEqual({
    free: { lr: 0.25, eps: Math.fround(1e-8), weightDecay: 0 },
    fixed: {
      beta1: Math.fround(0.9),
      'beta1/complement': Math.fround(1 - 0.9),
      'beta1/log': Math.fround(Math.log(0.9)),
      beta2: Math.fround(0.999),
      'beta2/complement': Math.fround(1 - 0.999),
      'beta2/log': Math.fround(Math.log(0.999)),
    },
  });
  await stranger.step(0n, stranger.gradients());
  expect(floatsOf(stranger.params, 'params/scale')[0]).toBeCloseTo(1.75, 5);
});

test('options may be made inputs that must be given, for runtimes that can’t override a default', async () => {
  const optimizer = createOptimizer('sgd', { lr: 0.25 });
  const { update } = await exportOptimizer({ optimizer, specs, requireValues: true });
  const stranger = await Stranger.start(update);
  const scalar = (value: number): Tensor => new Tensor('float32', [value], []);
  await stranger.step(0n, stranger.gradients(), { 'values/lr': scalar(0.5), 'values/weightDecay': scalar(0) });
  // 2 - 0.5 * (2 * 2 - 1)
  expect(floatsOf(stranger.params, 'params/scale')).toEqual([0.5]);
  expect((await loadOptimizer(update)).optimizer.options).toEqual(optimizer.options);
});

// Pitfall R16: the runtime doesn't check the shape of scalars; docs/export.md says what comes of it.
test('a step of shape [1] steps alike, one of another type is refused', async () => {
  const { update } = await exportOptimizer({ optimizer: createOptimizer('adam'), specs });
  const [wide, narrow] = [await Stranger.start(update), await Stranger.start(update)];
  await wide.step(0n, wide.gradients(), { step: new Tensor('int64', [0n], [1]) });
  await narrow.step(0n, narrow.gradients());
  expect(floatsOf(wide.params, 'params/dense/kernel')).toEqual(floatsOf(narrow.params, 'params/dense/kernel'));
  const float = { step: new Tensor('float32', [0], []) };
  await expect(narrow.step(0n, narrow.gradients(), float)).rejects.toThrow(/type/i);
});

/** Keeps a squared copy, a copy and its weights apart from its parameters. */
const COPYING: Optimizer = {
  ...createOptimizer('sgd'),
  name: 'copying',
  init: ({ params }) =>
    new Map(
      [...params].flatMap(([path, p]) => [
        [`square/${path}`, tf.square(p)],
        [`slow/${path}`, p],
      ]),
    ),
  update: ({ params, grads, state }) => ({
    params: new Map([...params].map(([path, p]) => [path, tf.sub(p, grads.get(path) ?? p)])),
    state,
  }),
  weights: ({ state, params }) =>
    new Map([...params.keys()].map((path) => [path, state.get(`slow/${path}`) ?? tf.scalar(0)])),
};

test('states that take computing come from a second model; weights are outputs of their own', async () => {
  const { update, init } = await exportOptimizer({ optimizer: COPYING, specs });
  if (init === undefined) throw new Error('expected a second model');
  expect(metadataOf(update).get('state')).toContainEqual({
    name: 'slow/scale',
    shape: [],
    dtype: 'float32',
    start: { copy: 'params/scale' },
  });
  expect(ModelProto.decode(init).graph?.output?.map((port) => port.name)).toEqual(
    [...specs.keys()].map((path) => `state/square/${path}`),
  );
  const stranger = await Stranger.start(update, init);
  expect(floatsOf(stranger.state, 'state/square/dense/kernel')).toEqual([1, 4, 9, 16, 25, 36]);
  const outputs = await stranger.step(0n, stranger.gradients());
  expect(floatsOf(outputs, 'next/weights/dense/bias')).toEqual([0, 1]);
  expect(floatsOf(outputs, 'next/params/dense/bias')).toEqual([1, 0]);
  await expect(loadOptimizer(init)).rejects.toThrow(
    'Cannot read (bytes) as an exported optimizer: it computes the starting state alone; give the file of the update',
  );
});

test('what can’t be exported says why', async () => {
  const refused = (optimizer: Optimizer, given: unknown = shapes) =>
    exportOptimizer({ optimizer, specs: readParamSpecs(given, { doing: 'test' }) });
  await expect(refused({ ...COPYING, needs: ['hvp'] })).rejects.toThrow(
    'Cannot export copying: copying needs hvp, which only a traced task can give',
  );
  await expect(refused(COPYING, {})).rejects.toThrow('Cannot export copying: expected parameters but got none');
  await expect(refused(COPYING, { w: [0, 3] })).rejects.toThrow(
    'Cannot export copying: expected every parameter to have elements but w has shape [0,3]. Leave it out',
  );
});
