import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, Handle } from '../../../../jit/engines/engine.ts';
import { createOnnxPool } from '../../../../jit/engines/onnx/onnx-pool.ts';
import { createOnnxEngine } from '../../../../jit/engines/onnx/onnx-engine.ts';
import { GraphBuilder } from '../../../../jit/graph/builder.ts';
import type { Graph, HostArray } from '../../../../jit/graph/graph.ts';
import { floats, recurrence, recurrenceInputs } from '../programs.ts';
import { expectOwnCopies } from '../own-copies.ts';

const STATE = new Map([
  ['x', 'x'],
  ['t', 't'],
]);
const SIZE = 19;

/** Eight trajectories of five donated steps each, all under way at once; weights are shared by all. */
async function trajectories(engine: Engine): Promise<HostArray[]> {
  const executable = await engine.compile(recurrence(SIZE), { donate: STATE });
  const weights = engine.upload(recurrenceInputs(SIZE, 0).get('weights') as HostArray);
  const one = async (seed: number): Promise<HostArray[]> => {
    const arrays = recurrenceInputs(SIZE, seed);
    let state = new Map(['x', 't'].map((name) => [name, engine.upload(arrays.get(name) as HostArray)]));
    for (let step = 0; step < 5; step += 1) {
      const input = engine.upload(arrays.get('input') as HostArray);
      const outputs = await executable.run(new Map([...state, ['weights', weights], ['input', input]]));
      input.dispose();
      outputs.get('sum')?.dispose();
      outputs.delete('sum');
      state = outputs;
    }
    return Promise.all([...state.values()].map((handle) => engine.download(handle)));
  };
  const results = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(one));
  executable.dispose();
  return results.flat();
}

/** Divides two matrices' rows for long enough that other things can happen meanwhile. */
function slow(): Graph {
  const builder = new GraphBuilder('slow');
  let x = builder.input('x', { shape: [300, 300], dtype: 'float32' });
  const attrs = { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] };
  for (let i = 0; i < 60; i += 1) x = builder.one('unary', { fn: 'tanh' }, [builder.one('contract', attrs, [x, x])]);
  return builder.finish([{ name: 'y', value: x }]);
}

let pool: Engine;

describe('the onnx pool', () => {
  beforeAll(async () => {
    pool = await createOnnxPool({ threads: 2 });
  });
  afterAll(async () => {
    await pool.dispose();
  });

  test('gives the same bytes with 1, 2 and 3 workers, and in process with one thread', async () => {
    expect(pool.concurrency).toBe(2);
    const two = await trajectories(pool);
    for (const engine of [
      await createOnnxPool({ threads: 1 }),
      await createOnnxPool({ threads: 3 }),
      await createOnnxEngine({ threads: 1 }),
    ]) {
      expect(await trajectories(engine)).toEqual(two);
      await engine.dispose();
    }
  });

  test('leaves the event loop free while it runs', async () => {
    const executable = await pool.compile(slow());
    const x = pool.upload(
      floats(
        [300, 300],
        Array.from({ length: 90_000 }, (_, i) => Math.sin(i)),
      ),
    );
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      next = setImmediate(turn);
    };
    let next = setImmediate(turn);
    const run = executable.run(new Map([['x', x]]));
    await run;
    clearImmediate(next);
    expect((await run).get('y')?.shape).toEqual([300, 300]);
    // A run that blocked would let hardly any turn happen.
    expect(turns).toBeGreaterThan(10);
    executable.dispose();
  });

  test('the caller may change its array, and dispose a handle, as soon as it has asked', () => expectOwnCopies(pool));

  test('an error in a worker rejects the run that it belongs to, and only that', async () => {
    const builder = new GraphBuilder('pick');
    const x = builder.input('x', { shape: [2], dtype: 'float32' });
    const index = builder.input('index', { shape: [], dtype: 'int32' });
    const graph = builder.finish([{ name: 'y', value: builder.one('gather', { axis: 0, batchDims: 0 }, [x, index]) }]);
    const executable = await pool.compile(graph);
    const values = pool.upload(floats([2], [5, 6]));
    const run = (place: number) =>
      executable.run(
        new Map([
          ['x', values],
          ['index', pool.upload({ shape: [], dtype: 'int32', data: Int32Array.of(place) })],
        ]),
      );
    const runs = await Promise.allSettled([run(0), run(9), run(1)]);
    expect(runs.map((settled) => settled.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(String((runs[1] as PromiseRejectedResult).reason)).toMatch(/indices element out of data bounds, idx=9/);
    const after = await run(1);
    expect((await pool.download(after.get('y') as Handle)).data).toEqual(Float32Array.of(6));
    executable.dispose();
  });

  test('disposing finishes what has begun and rejects what waits', async () => {
    const own = await createOnnxPool({ threads: 1 });
    const executable = await own.compile(slow());
    const x = own.upload(
      floats(
        [300, 300],
        Array.from({ length: 90_000 }, (_, i) => Math.sin(i)),
      ),
    );
    const runs = [1, 2, 3].map(() => executable.run(new Map([['x', x]])));
    const settled = Promise.allSettled(runs);
    await own.dispose();
    const [first, ...others] = await settled;
    expect(first?.status).toBe('fulfilled');
    for (const other of others)
      expect((other as PromiseRejectedResult).reason).toEqual(
        new Error('Cannot run: expected a live engine but it was disposed before the run began'),
      );
    await expect(executable.run(new Map([['x', x]]))).rejects.toThrow(
      new RangeError('Cannot run slow: expected a live executable but got a disposed one'),
    );
  });

  test('a process that forgets to dispose its pool ends by itself', () => {
    const url = new URL('../../../../dist/jit/engines/onnx/onnx-pool.js', import.meta.url).href;
    const script = `
      const { createOnnxPool } = await import(${JSON.stringify(url)});
      const pool = await createOnnxPool({ threads: 2 });
      const type = { shape: [1], dtype: 'float32' };
      const graph = { name: 'g', inputs: [{ name: 'x', value: 0 }], values: [type, type],
        nodes: [{ op: 'unary', attrs: { fn: 'neg' }, inputs: [0], outputs: [1] }], outputs: [{ name: 'y', value: 1 }] };
      const executable = await pool.compile(graph);
      const outputs = await executable.run(new Map([['x', pool.upload({ ...type, data: Float32Array.of(2) })]]));
      console.log((await pool.download(outputs.get('y'))).data[0]);`;
    const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      timeout: 30_000,
      cwd: fileURLToPath(new URL('../../../..', import.meta.url)),
    });
    expect(printed).toBe('-2\n');
  });
});
