/** What every optimizer of the registry must do, whatever its rule. */
import { describe, expect, test } from 'vitest';
import type { Engine, Executable } from '../../jit/engines/engine.ts';
import type { HostArray } from '../../jit/graph/graph.ts';
import { flatten, groupOf } from '../../jit/trace/structure.ts';
import { outputTypes, traceInit, traceUpdate } from '../../lopt/adapters/programs.ts';
import { startOnEngine } from '../../lopt/conform/runs.ts';
import { scalarArray } from '../../lopt/numeric.ts';
import type { Arrays, Optimizer } from '../../lopt/optimizer.ts';
import { OPTIMIZERS } from '../../lopt/registry.ts';
import { array, arrays, elements, irregular, specsOf } from './arrays-of.ts';
import { needEngine, startOn } from './engines.ts';
import { make } from './optimizers-for-tests.ts';

/** onnxruntime and TensorFlow.js sum in other orders and have their own exp and rsqrt; relative to how far a tensor moved. */
const ENGINES_RELATIVE = 1e-4;

const PARAMS = arrays({
  'dense/kernel': array(irregular(12), [3, 4]),
  'dense/bias': array(irregular(4, 1)),
  'out/kernel': array(irregular(8, 2), [4, 2]),
  'other/kernel': array(irregular(12, 3), [3, 4]),
  scale: array([0.75], []),
});
const SPECS = specsOf(PARAMS);
const HORIZON = 20;

function gradsAt(step: number): Arrays {
  return new Map(
    [...PARAMS].map(([path, { shape, data }], index) => [
      path,
      array(irregular(data.length, 10 * step + index + 5), shape),
    ]),
  );
}

/** One step of a compiled update program from host arrays. */
async function step(
  engine: Engine,
  executable: Executable,
  { optimizer, params, state, count }: { optimizer: Optimizer; params: Arrays; state: Arrays; count: number },
): Promise<{ params: Arrays; state: Arrays }> {
  const inputs = flatten<HostArray>({
    values: optimizer.values,
    params,
    state,
    grads: gradsAt(count),
    step: { shape: [], dtype: 'int32', data: Int32Array.of(count) },
    horizon: scalarArray(HORIZON),
    ...(optimizer.needs.includes('loss') ? { loss: scalarArray(1) } : {}),
  });
  const outputs = await executable.run(new Map([...inputs].map(([name, value]) => [name, engine.upload(value)])));
  const next = new Map<string, HostArray>();
  for (const [name, handle] of outputs) next.set(name, await engine.download(handle));
  const group = groupOf(next, 'next');
  return { params: groupOf(group, 'params'), state: groupOf(group, 'state') };
}

async function updateProgram(engine: Engine, optimizer: Optimizer): Promise<{ executable: Executable; state: Arrays }> {
  const init = traceInit(optimizer, SPECS);
  const executable = await engine.compile(traceUpdate(optimizer, SPECS, outputTypes(init, 'state')));
  const run = await startOnEngine(engine, { optimizer, specs: SPECS, params: PARAMS, horizon: HORIZON });
  run.dispose();
  return { executable, state: run.start.state };
}

const copy = (group: Arrays): Arrays =>
  new Map([...group].map(([path, { shape, dtype, data }]) => [path, { shape, dtype, data: data.slice() }]));

describe.each(OPTIMIZERS.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
  test.runIf(entry.family !== 'learned')('converges on a quadratic', async () => {
    const curvature = [1, 3, 0.5, 2];
    const target = [1, -2, 0.5, 3];
    const params = arrays({ x: array([0, 0, 0, 0], [2, 2]) });
    const loss = (x: readonly number[]): number =>
      x.reduce((sum, value, index) => sum + ((curvature[index] ?? 0) * (value - (target[index] ?? 0)) ** 2) / 2, 0);
    const run = await startOn('tfjs', { optimizer: make(entry), specs: specsOf(params), params, horizon: 400 });
    let x = [0, 0, 0, 0];
    for (let count = 0; count < 400; count += 1) {
      const grads = arrays({
        x: array(
          x.map((value, index) => (curvature[index] ?? 0) * (value - (target[index] ?? 0))),
          [2, 2],
        ),
      });
      x = elements((await run.step({ grads, loss: loss(x) })).params)['x'] ?? [];
    }
    // AdamW's and the wrapper's decay pull a little away from the minimum.
    expect(loss(x) / loss([0, 0, 0, 0])).toBeLessThan(1e-2);
  });

  test('has values for every numeric option, and says what each is', () => {
    const { values, valueRoles } = make(entry);
    expect([...valueRoles.keys()]).toEqual([...values.keys()]);
    expect([...values.values()].every(({ data }) => data.every(Number.isFinite))).toBe(true);
  });

  test('keeps names, shapes and types; changes nothing that it is given; gives the same again', async () => {
    const engine = await needEngine('eager');
    const optimizer = make(entry);
    const { executable, state } = await updateProgram(engine, optimizer);
    const before = { optimizer, params: copy(PARAMS), state: copy(state), count: 0 };
    const first = await step(engine, executable, before);
    expect(before.params).toEqual(PARAMS);
    expect(before.state).toEqual(state);
    const types = (group: Arrays): unknown =>
      Object.fromEntries([...group].map(([path, { shape, dtype }]) => [path, { shape, dtype }]));
    expect([...first.params.keys()]).toEqual([...PARAMS.keys()]);
    expect(types(first.params)).toEqual(types(PARAMS));
    expect(types(first.state)).toEqual(types(state));
    expect(first.params).not.toEqual(PARAMS);
    expect(await step(engine, executable, before)).toEqual(first);
    executable.dispose();
  });

  test.each(['eager', 'onnx'] as const)(
    'continues from a copy of params and state to the same bytes (%s)',
    async (way) => {
      const engine = await needEngine(way);
      const optimizer = make(entry);
      const { executable, state } = await updateProgram(engine, optimizer);
      const run = await startOnEngine(engine, { optimizer, specs: SPECS, params: PARAMS, horizon: HORIZON });
      let now: { params: Arrays; state: Arrays } = { params: PARAMS, state };
      for (const count of [0, 1, 2]) {
        now = await step(engine, executable, { optimizer, params: copy(now.params), state: copy(now.state), count });
        const { params, state: other } = await run.step({ grads: gradsAt(count), loss: 1 });
        expect(now).toEqual({ params, state: other });
      }
      run.dispose();
      executable.dispose();
    },
  );

  test('does the same untraced, on the eager engine and on onnxruntime', async () => {
    const optimizer = make(entry);
    const start = { optimizer, specs: SPECS, params: PARAMS, horizon: HORIZON };
    const ends: Arrays[] = [];
    for (const way of ['tfjs', 'eager', 'onnx'] as const) {
      const run = await startOn(way, start);
      let now = run.start;
      for (const count of [0, 1, 2, 3]) now = await run.step({ grads: gradsAt(count), loss: 1 });
      ends.push(now.params);
      run.dispose();
    }
    const [reference = new Map<string, HostArray>(), ...others] = ends;
    for (const other of others)
      for (const [path, { data }] of reference) {
        const moved = Math.max(...[...data].map((x, index) => Math.abs(x - (PARAMS.get(path)?.data[index] ?? NaN))));
        const off = Math.max(...[...data].map((x, index) => Math.abs(x - (other.get(path)?.data[index] ?? NaN))));
        expect(off, path).toBeLessThanOrEqual(ENGINES_RELATIVE * moved + 1e-6);
      }
  });

  test('one program serves another learning rate and another theta; steps compile nothing', async () => {
    const engine = await needEngine('onnx');
    let compiled = 0;
    const counting: Engine = {
      ...engine,
      upload: (value) => engine.upload(value),
      download: (handle) => engine.download(handle),
      compile: (graph, options) => ((compiled += 1), engine.compile(graph, options)),
      dispose: () => engine.dispose(),
    };
    const [one, other] = [make(entry), make(entry, { setting: 1 })];
    const { executable, state } = await updateProgram(counting, one);
    const both = { params: PARAMS, state, count: 0 };
    const before = compiled;
    const first = await step(counting, executable, { optimizer: one, ...both });
    const second = await step(counting, executable, { optimizer: other, ...both });
    expect(compiled).toBe(before);
    expect(second).not.toEqual(first);
    const own = await updateProgram(engine, other);
    expect(second).toEqual(await step(engine, own.executable, { optimizer: other, ...both }));
    own.executable.dispose();
    executable.dispose();
  });
});
