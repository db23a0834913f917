import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, Handle } from '../../../../jit/engines/engine.ts';
import { createOnnxEngine } from '../../../../jit/engines/onnx/onnx-engine.ts';
import { GraphBuilder } from '../../../../jit/graph/builder.ts';
import type { HostArray } from '../../../../jit/graph/graph.ts';
import { floats, recurrence, recurrenceInputs } from '../programs.ts';
import { evaluate } from '../reference.ts';

const DONATE = new Map([
  ['x', 'x'],
  ['t', 't'],
]);

let engine: Engine;

describe('the onnx engine', () => {
  beforeAll(async () => {
    engine = await createOnnxEngine({ threads: 1 });
  });
  afterAll(async () => {
    await engine.dispose();
  });

  test('says what it is', () => {
    expect(engine.description).toMatchObject({ name: 'onnx', device: 'cpu', threads: 1, version: '1.30.0' });
    expect(engine.description.instructionSet).toMatch(new RegExp(`^${process.arch}( [a-z0-9_]+)*$`));
    expect(engine.concurrency).toBe(1);
  });

  test('100 donated steps give what 100 steps without donation give, and follow the reference', async () => {
    const graph = recurrence(5);
    const plain = await engine.compile(graph);
    const donating = await engine.compile(graph, { donate: DONATE });
    const arrays = recurrenceInputs(5, 1);
    const handles = new Map([...arrays].map(([name, array]) => [name, engine.upload(array)]));
    let state: Map<string, Handle> = new Map(['x', 't'].map((name) => [name, handles.get(name) as Handle]));
    let donated = new Map(['x', 't'].map((name) => [name, engine.upload(arrays.get(name) as HostArray)]));
    let reference: Map<string, HostArray> = arrays;
    for (let step = 0; step < 100; step += 1) {
      state = await plain.run(new Map([...handles, ...[...state].filter(([name]) => name !== 'sum')]));
      donated = await donating.run(new Map([...handles, ...[...donated].filter(([name]) => name !== 'sum')]));
      const next = evaluate(graph, new Map([...arrays, ...[...reference].filter(([name]) => name !== 'sum')]));
      reference = next;
      for (const name of ['x', 't', 'sum']) {
        const [a, b] = [
          await engine.download(state.get(name) as Handle),
          await engine.download(donated.get(name) as Handle),
        ];
        expect(b).toEqual(a);
        (reference.get(name) as HostArray).data.forEach((element, place) =>
          // The map contracts little: 100 steps of float32 rounding stay below this.
          expect(Math.abs((a.data[place] as number) - element)).toBeLessThan(1e-4),
        );
      }
    }
    expect((await engine.download(donated.get('t') as Handle)).data).toEqual(Int32Array.of(100));
    plain.dispose();
    donating.dispose();
  });

  test('a donated handle is not used afterwards', async () => {
    const executable = await engine.compile(recurrence(3), { donate: DONATE });
    const handles = new Map([...recurrenceInputs(3, 1)].map(([name, array]) => [name, engine.upload(array)]));
    await executable.run(handles);
    await expect(executable.run(handles)).rejects.toThrow(
      new RangeError(
        'Cannot run recurrence: expected a live handle for x but got one that was disposed or donated to an earlier run',
      ),
    );
    executable.dispose();
    await expect(executable.run(handles)).rejects.toThrow(
      new RangeError('Cannot run recurrence: expected a live executable but got a disposed one'),
    );
  });

  test('neither the memory an array is in, nor where in it, changes a byte', async () => {
    const size = 67;
    const builder = new GraphBuilder('sums');
    const x = builder.input('x', { shape: [size], dtype: 'float32' });
    const graph = builder.finish([
      { name: 'sum', value: builder.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [x]) },
      { name: 'exp', value: builder.one('unary', { fn: 'exp' }, [x]) },
    ]);
    const executable = await engine.compile(graph);
    const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i * i) * 10);
    const results: unknown[] = [];
    for (const buffer of [new ArrayBuffer(4 * size + 32), new SharedArrayBuffer(4 * size + 32)])
      for (const offset of [0, 4, 8, 12]) {
        const view = new Float32Array(buffer, offset, size);
        view.set(values);
        const handle = engine.upload({ shape: [size], dtype: 'float32', data: view });
        view.fill(9);
        const outputs = await executable.run(new Map([['x', handle]]));
        results.push(await Promise.all([...outputs.values()].map((output) => engine.download(output))));
        expect(view.length).toBe(size);
        expect(view.every((element) => element === 9)).toBe(true);
      }
    for (const result of results) expect(result).toEqual(results[0]);
    executable.dispose();
  });

  test("a download is the caller's own", async () => {
    const handle = engine.upload(floats([2], [1, 2]));
    const first = await engine.download(handle);
    first.data.fill(7);
    handle.dispose();
    handle.dispose();
    const next = engine.upload(floats([2], [3, 4]));
    expect(first.data).toEqual(Float32Array.of(7, 7));
    expect((await engine.download(next)).data).toEqual(Float32Array.of(3, 4));
    await expect(engine.download(handle)).rejects.toThrow(
      new RangeError('Cannot download: expected a live handle but got a disposed one'),
    );
  });

  test('an input disposed while its run waits is still read', async () => {
    const executable = await engine.compile(recurrence(3));
    const arrays = recurrenceInputs(3, 1);
    const run = () => {
      const handles = new Map([...arrays].map(([name, array]) => [name, engine.upload(array)]));
      const outputs = executable.run(handles);
      for (const handle of handles.values()) handle.dispose();
      return outputs;
    };
    const runs = await Promise.all([run(), run(), run()]);
    const x = await Promise.all(runs.map((outputs) => engine.download(outputs.get('x') as Handle)));
    expect(x[1]).toEqual(x[0]);
    expect(x[2]).toEqual(x[0]);
    executable.dispose();
  });

  test('inputs that no output needs, and programs without elements, run', async () => {
    const builder = new GraphBuilder('little');
    const x = builder.input('x', { shape: [0, 2], dtype: 'float32' });
    builder.input('unused', { shape: [3], dtype: 'bool' });
    const executable = await engine.compile(
      builder.finish([{ name: 'y', value: builder.one('unary', { fn: 'exp' }, [x]) }]),
    );
    const inputs = new Map([
      ['x', engine.upload(floats([0, 2], []))],
      ['unused', engine.upload({ shape: [3], dtype: 'bool', data: Uint8Array.of(1, 0, 1) })],
    ]);
    const outputs = await executable.run(inputs);
    expect(await engine.download(outputs.get('y') as Handle)).toEqual(floats([0, 2], []));
    executable.dispose();
  });

  test('refuses inputs in words', async () => {
    const executable = await engine.compile(recurrence(2));
    const handles = new Map([...recurrenceInputs(2, 1)].map(([name, array]) => [name, engine.upload(array)]));
    const without = new Map([...handles].filter(([name]) => name !== 't'));
    await expect(executable.run(without)).rejects.toThrow(
      new RangeError('Cannot run recurrence: expected an input named t but got none'),
    );
    const wrong = new Map([...handles, ['x', engine.upload(floats([3], [1, 2, 3]))] as const]);
    await expect(executable.run(wrong)).rejects.toThrow(
      new RangeError('Cannot run recurrence: expected float32[2] for x but got float32[3]'),
    );
    const extra = new Map([...handles, ['y', handles.get('x') as Handle] as const]);
    await expect(executable.run(extra)).rejects.toThrow(
      new RangeError('Cannot run recurrence: expected inputs x, t, weights, input but got also y'),
    );
    const other = await createOnnxEngine({ threads: 1 });
    const foreign = new Map([...handles, ['x', other.upload(floats([2], [1, 2]))] as const]);
    await expect(executable.run(foreign)).rejects.toThrow(
      new TypeError("Cannot run recurrence: expected a handle of this engine for x but got another engine's"),
    );
    await other.dispose();
    const twice = await engine.compile(recurrence(2), { donate: new Map([['x', 'x']]) });
    const same = new Map([...handles, ['input', handles.get('x') as Handle] as const]);
    await expect(twice.run(same)).rejects.toThrow(
      new RangeError(
        'Cannot run recurrence: expected a handle of its own for each donated input but got the same one for input',
      ),
    );
    for (const one of [executable, twice]) one.dispose();
  });

  test('refuses arrays whose elements are others than their type says', () => {
    expect(() => engine.upload({ shape: [2], dtype: 'float32', data: Int32Array.of(1, 2) })).toThrow(
      new TypeError('Cannot upload float32[2]: expected elements in Float32Array but got Int32Array'),
    );
    expect(() => engine.upload(floats([2], [1, 2, 3]))).toThrow(
      new RangeError('Cannot upload float32[2]: expected 2 elements but got 3'),
    );
  });

  test('refuses what it cannot compile', async () => {
    const graph = recurrence(2);
    await expect(engine.compile(graph, { donate: new Map([['y', 'x']]) })).rejects.toThrow(
      new RangeError('Cannot compile recurrence: expected an input to donate but got y'),
    );
    await expect(engine.compile(graph, { donate: new Map([['x', 'y']]) })).rejects.toThrow(
      new RangeError('Cannot compile recurrence: expected an output to replace x but got y'),
    );
    await expect(engine.compile(graph, { mapped: new Set(['x']) })).rejects.toThrow(
      new RangeError('Cannot compile recurrence: expected a number of particles with mapped inputs but got none'),
    );
    await expect(engine.compile(graph, { particles: 2, mapped: new Set(['y']) })).rejects.toThrow(
      new RangeError('Cannot compile recurrence: expected mapped inputs among x, t, weights, input but got y'),
    );
    await expect(engine.compile(graph, { particles: 1.5 })).rejects.toThrow(
      new RangeError('Cannot compile recurrence: expected a whole number of particles from 1 but got 1.5'),
    );
  });

  test.each([0, -1, 1.5, Number.NaN])('refuses %s threads', async (threads) => {
    await expect(createOnnxEngine({ threads })).rejects.toThrow(
      new RangeError(`Cannot start an engine: expected a whole number of threads from 1 but got ${threads}`),
    );
  });

  test('a provider that cannot start says what it needs', async () => {
    const cuda = await createOnnxEngine({ device: 'cuda', threads: 1 });
    await expect(cuda.compile(recurrence(2))).rejects.toThrow(
      /^Cannot start onnxruntime on cuda: expected an NVIDIA driver, CUDA 12 and cuDNN 9 on the library path and the provider's libraries beside onnxruntime-node's \(docs\/gpu.md\) but got: /,
    );
    await cuda.dispose();
  });
});
