import { describe, expect, test } from 'vitest';
import { createEngine } from '../../../jit/engines/create-engine.ts';

describe('createEngine', () => {
  test.each([
    ['onnx', {}, 'onnx', 'cpu', 1],
    ['onnx', { pool: true }, 'onnx', 'cpu', 1],
    ['eager', {}, 'eager', 'cpu', 1],
    ['eager', { device: 'wasm' }, 'eager', 'wasm', 1],
  ] as const)('%s %o', async (name, options, engineName, device, threads) => {
    const engine = await createEngine(name, { ...options, threads });
    expect(engine.description).toMatchObject({ name: engineName, device, threads });
    await engine.dispose();
  });

  test.each([
    ['fast', {}, 'one of onnx, eager, native but got fast'],
    ['onnx', { device: 'wasm' }, 'a device of onnx: cpu, webgpu, cuda but got wasm'],
    ['eager', { device: 'cuda' }, 'a device of eager: cpu, wasm, tfjs-node, tfjs-node-gpu but got cuda'],
    ['native', { device: 'cuda' }, 'a device of native: cpu but got cuda'],
    ['eager', { pool: true }, 'a pool of workers on onnx and cpu alone but got eager on cpu'],
    ['onnx', { pool: true, device: 'cuda' }, 'a pool of workers on onnx and cpu alone but got onnx on cuda'],
    ['onnx', { threads: 0 }, 'a whole number of threads from 1 but got 0'],
  ] as const)('refuses %s %o', async (name, options, text) => {
    await expect(createEngine(name, options)).rejects.toThrow(
      new RangeError(`Cannot start an engine: expected ${text}`),
    );
  });
});
