import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { createEagerEngine } from '../../../../jit/engines/eager/eager-engine.ts';
import type { Handle } from '../../../../jit/engines/engine.ts';
import { difference } from '../compare.ts';
import { floats, recurrence, recurrenceInputs } from '../programs.ts';
import { evaluate } from '../reference.ts';

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

describe('the eager engine', () => {
  test.each(['cpu', 'wasm'] as const)('runs donated steps on %s and leaves nothing behind', async (device) => {
    await tf.setBackend('cpu');
    const engine = await createEagerEngine({ device });
    expect(engine.description).toMatchObject({ name: 'eager', device, version: '4.22.0' });
    expect(tf.getBackend()).toBe('cpu');
    const before = tf.memory().numTensors;
    const executable = await engine.compile(recurrence(4), {
      donate: new Map([
        ['x', 'x'],
        ['t', 't'],
      ]),
    });
    const arrays = recurrenceInputs(4, 3);
    const constants = new Map(
      ['weights', 'input'].map((name) => [name, engine.upload(arrays.get(name) ?? floats([], []))]),
    );
    let state = new Map(['x', 't'].map((name) => [name, engine.upload(arrays.get(name) ?? floats([], []))]));
    let reference = arrays;
    for (let step = 0; step < 5; step += 1) {
      state = await executable.run(new Map([...constants, ...state]));
      reference = evaluate(recurrence(4), new Map([...arrays, ...[...reference].filter(([name]) => name !== 'sum')]));
      for (const [name, array] of reference)
        expect(difference(await engine.download(state.get(name) as Handle), array)).toBeUndefined();
      state.get('sum')?.dispose();
      state.delete('sum');
    }
    expect(tf.getBackend()).toBe('cpu');
    for (const handle of [...state.values(), ...constants.values()]) handle.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('keeps its own copy of what it is given, and gives copies', async () => {
    const engine = await createEagerEngine();
    const array = floats([2], [1, 2]);
    const handle = engine.upload(array);
    array.data.fill(9);
    const first = await engine.download(handle);
    expect(first).toEqual(floats([2], [1, 2]));
    first.data.fill(7);
    expect(await engine.download(handle)).toEqual(floats([2], [1, 2]));
    handle.dispose();
    await expect(engine.download(handle)).rejects.toThrow(
      new RangeError('Cannot download: expected a live handle but got a disposed one'),
    );
  });

  test('outlives a tidy around it', async () => {
    const engine = await createEagerEngine();
    const handles: Handle[] = [];
    tf.tidy(() => {
      handles.push(engine.upload(floats([1], [3])));
    });
    const handle = handles[0] as Handle;
    expect((await engine.download(handle)).data).toEqual(Float32Array.of(3));
    handle.dispose();
  });

  test('refuses inputs in words', async () => {
    const engine = await createEagerEngine();
    const executable = await engine.compile(recurrence(2), { donate: new Map([['x', 'x']]) });
    const handles = new Map([...recurrenceInputs(2, 1)].map(([name, array]) => [name, engine.upload(array)]));
    await expect(executable.run(new Map())).rejects.toThrow(
      new RangeError('Cannot run recurrence: expected an input named x but got none'),
    );
    await executable.run(handles);
    await expect(executable.run(handles)).rejects.toThrow(
      new RangeError(
        'Cannot run recurrence: expected a live handle for x but got one that was disposed or donated to an earlier run',
      ),
    );
  });

  test.skipIf(isInstalled('@tensorflow/tfjs-node-gpu'))('a backend that cannot load says what to install', async () => {
    await tf.setBackend('cpu');
    await expect(createEagerEngine({ device: 'tfjs-node-gpu' })).rejects.toThrow(
      /^Cannot start the eager engine on tfjs-node-gpu: expected @tensorflow\/tfjs-node-gpu to load \(run scripts\/build-tfjs-node.sh with FLAVOR=gpu \(docs\/gpu.md\)\) but got: /,
    );
    expect(tf.getBackend()).toBe('cpu');
  });
});
