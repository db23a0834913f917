import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, Handle } from '../../../../jit/engines/engine.ts';
import { createNativeEngine } from '../../../../jit/engines/native/native-engine.ts';
import { createOnnxEngine } from '../../../../jit/engines/onnx/onnx-engine.ts';
import { GraphBuilder } from '../../../../jit/graph/builder.ts';
import type { Graph, HostArray } from '../../../../jit/graph/graph.ts';
import { floats, recurrence, recurrenceInputs } from '../programs.ts';
import { expectOwnCopies } from '../own-copies.ts';
import { hasCompiler } from './c-compiler.ts';

const SIZE = 19;
const PARTICLES = 5;

/** Five steps of five particles, with states of their own and shared weights; states are donated. */
async function trajectories(engine: Engine): Promise<HostArray[]> {
  const executable = await engine.compile(recurrence(SIZE), {
    particles: PARTICLES,
    mapped: new Set(['x', 't', 'input']),
    donate: new Map([
      ['x', 'x'],
      ['t', 't'],
    ]),
  });
  const all = Array.from({ length: PARTICLES }, (_, particle) => recurrenceInputs(SIZE, particle));
  const stacked = (name: string): Handle => {
    const arrays = all.map((own) => own.get(name) as HostArray);
    const { shape, dtype } = arrays[0] as HostArray;
    const data = arrays.flatMap(({ data: own }) => Array.from<number>(own));
    return engine.upload({
      shape: [PARTICLES, ...shape],
      dtype,
      data: dtype === 'int32' ? Int32Array.from(data) : Float32Array.from(data),
    });
  };
  const weights = engine.upload(all[0]?.get('weights') as HostArray);
  const input = stacked('input');
  let state = new Map(['x', 't'].map((name) => [name, stacked(name)]));
  for (let step = 0; step < 5; step += 1) {
    const outputs = await executable.run(new Map([...state, ['weights', weights], ['input', input]]));
    outputs.get('sum')?.dispose();
    outputs.delete('sum');
    state = outputs;
  }
  executable.dispose();
  return Promise.all([...state.values()].map((handle) => engine.download(handle)));
}

/** Long enough that other things can happen meanwhile. */
function slow(): Graph {
  const builder = new GraphBuilder('slow');
  let x = builder.input('x', { shape: [400, 400], dtype: 'float32' });
  const attrs = { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] };
  for (let i = 0; i < 60; i += 1) x = builder.one('unary', { fn: 'tanh' }, [builder.one('contract', attrs, [x, x])]);
  return builder.finish([{ name: 'y', value: x }]);
}

describe.skipIf(!(await hasCompiler()))('the native engine', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createNativeEngine({ threads: 2 });
  });
  afterAll(() => engine.dispose());

  test('gives the same bytes with 1, 2 and 4 threads, and what onnx gives', async () => {
    const two = await trajectories(engine);
    for (const threads of [1, 4]) {
      const other = await createNativeEngine({ threads });
      expect(await trajectories(other)).toEqual(two);
      await other.dispose();
    }
    const onnx = await createOnnxEngine({ threads: 1 });
    const want = await trajectories(onnx);
    want.forEach(({ data }, index) =>
      // Float32 sums of 19 products, five steps: a few units in the last place.
      data.forEach((value, at) => expect(two[index]?.data[at]).toBeCloseTo(value, 5)),
    );
    await onnx.dispose();
  });

  test('leaves the event loop free while it runs, one run after the other', async () => {
    const executable = await engine.compile(slow());
    const wave = Array.from({ length: 160_000 }, (_, i) => Math.sin(i));
    const x = engine.upload(floats([400, 400], wave));
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      next = setImmediate(turn);
    };
    let next = setImmediate(turn);
    const runs = await Promise.all([1, 2, 3].map(() => executable.run(new Map([['x', x]]))));
    clearImmediate(next);
    // A run that blocked would let hardly any turn happen.
    expect(turns).toBeGreaterThan(10);
    const [first, ...others] = await Promise.all(runs.map((outputs) => engine.download(outputs.get('y') as Handle)));
    for (const other of others) expect(other).toEqual(first);
    executable.dispose();
  });

  test('the caller may change its array, and dispose a handle, as soon as it has asked', () => expectOwnCopies(engine));

  test('an index outside of its axis is taken to the nearest inside, never to other memory', async () => {
    const builder = new GraphBuilder('pick');
    const x = builder.input('x', { shape: [3], dtype: 'float32' });
    const index = builder.input('index', { shape: [4], dtype: 'int32' });
    const picked = builder.one('gather', { axis: 0, batchDims: 0 }, [x, index]);
    const added = builder.one('scatterAdd', { axis: 0, batchDims: 0, size: 3 }, [index, picked]);
    const executable = await engine.compile(
      builder.finish([
        { name: 'picked', value: picked },
        { name: 'added', value: added },
      ]),
    );
    const outputs = await executable.run(
      new Map([
        ['x', engine.upload(floats([3], [5, 6, 7]))],
        ['index', engine.upload({ shape: [4], dtype: 'int32', data: Int32Array.of(-(2 ** 31), 1, 3, 2 ** 31 - 1) })],
      ]),
    );
    expect((await engine.download(outputs.get('picked') as Handle)).data).toEqual(Float32Array.of(5, 6, 7, 7));
    expect((await engine.download(outputs.get('added') as Handle)).data).toEqual(Float32Array.of(5, 6, 14));
    executable.dispose();
  });

  test('refuses what isn’t its own, what is gone, and what there is not', async () => {
    const executable = await engine.compile(recurrence(2), { donate: new Map([['t', 't']]) });
    const handles = () => new Map([...recurrenceInputs(2, 1)].map(([name, array]) => [name, engine.upload(array)]));
    const refused = async (inputs: ReadonlyMap<string, Handle>, error: Error) =>
      expect(executable.run(inputs)).rejects.toThrow(error);
    const missing = handles();
    missing.delete('x');
    await refused(missing, new RangeError('Cannot run recurrence: expected an input named x but got none'));
    const other = await createNativeEngine({ threads: 1 });
    const foreign = handles().set('x', other.upload(floats([2], [1, 2])));
    await refused(
      foreign,
      new TypeError("Cannot run recurrence: expected a handle of this engine for x but got another engine's"),
    );
    await other.dispose();
    const wrong = handles().set('x', engine.upload(floats([3], [1, 2, 3])));
    await refused(wrong, new RangeError('Cannot run recurrence: expected float32[2] for x but got float32[3]'));
    const again = handles();
    await executable.run(again);
    await refused(
      again,
      new RangeError(
        'Cannot run recurrence: expected a live handle for t but got one that was disposed or donated to an earlier run',
      ),
    );
    executable.dispose();
    await refused(
      handles(),
      new RangeError('Cannot run recurrence: expected a live executable but got a disposed one'),
    );
    await expect(engine.compile(recurrence(2), { mapped: new Set(['x']) })).rejects.toThrow(
      new RangeError('Cannot compile recurrence: expected a number of particles with mapped inputs but got none'),
    );
    await expect(createNativeEngine({ threads: 0 })).rejects.toThrow(
      new RangeError('Cannot start an engine: expected a whole number of threads from 1 but got 0'),
    );
  });
});
