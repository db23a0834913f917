import { afterAll } from 'vitest';
import { createEngine } from '../../../jit/engines/create-engine.ts';
import type { Engine } from '../../../jit/engines/engine.ts';
import { hasCompiler } from './native/c-compiler.ts';
import { type Run, onBackend, onEngine } from './runs.ts';

const started = new Map<string, Promise<Engine>>();
afterAll(async () => {
  for (const engine of started.values()) await (await engine).dispose();
  started.clear();
});

/** Runs on an engine that starts when it is first used and ends with the test file. */
function on(name: string, threads: number): Run {
  return async (graph, inputs) => {
    const engine = started.get(name) ?? createEngine(name, { threads });
    started.set(name, engine);
    return onEngine(await engine, graph, inputs);
  };
}

/** Every way to run a graph that must mean the same, by name. */
export const ENGINE_RUNS: readonly (readonly [string, Run])[] = [
  ['eager on cpu', onBackend('cpu')],
  ['eager on wasm', onBackend('wasm')],
  ['onnx', on('onnx', 1)],
  ...((await hasCompiler()) ? ([['native', on('native', 2)]] as const) : []),
];
