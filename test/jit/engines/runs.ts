import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { expect } from 'vitest';
import type { Engine } from '../../../jit/engines/engine.ts';
import { emitOnnx } from '../../../jit/engines/onnx/emit.ts';
import { BufferPool } from '../../../jit/engines/onnx/buffers.ts';
import { loadOnnxRuntime } from '../../../jit/engines/onnx/loader.ts';
import { OnnxSession } from '../../../jit/engines/onnx/session.ts';
import type { Graph, HostArray, ValueType } from '../../../jit/graph/graph.ts';
import { replayed } from '../replayed.ts';
import { difference } from './compare.ts';
import { evaluate } from './reference.ts';

export type Arrays = ReadonlyMap<string, HostArray>;

/** Runs a graph once somewhere. */
export type Run = (graph: Graph, inputs: Arrays) => Promise<Map<string, HostArray>>;

/** Replays on a TensorFlow.js backend; what it leaves behind fails the test. */
export function onBackend(backend: string): Run {
  return async (graph, inputs) => {
    await tf.setBackend(backend);
    return replayed(graph, inputs);
  };
}

/** Runs on an engine, from host arrays to host arrays. */
export async function onEngine(engine: Engine, graph: Graph, inputs: Arrays): Promise<Map<string, HostArray>> {
  const executable = await engine.compile(graph);
  const handles = new Map([...inputs].map(([name, array]) => [name, engine.upload(array)]));
  const outputs = await executable.run(handles);
  const results = new Map<string, HostArray>();
  for (const [name, handle] of outputs) results.set(name, await engine.download(handle));
  for (const handle of [...handles.values(), ...outputs.values()]) handle.dispose();
  executable.dispose();
  return results;
}

/** Runs the graph as an emitted model without loops and branches, as execution providers get it that have none. */
export const onUnrolled: Run = async (graph, inputs) => {
  const runtime = await loadOnnxRuntime();
  const model = emitOnnx(graph, { controlFlow: false });
  const session = await OnnxSession.create(model, { runtime, buffers: new BufferPool(), device: 'cpu', threads: 1 });
  const types = new Map(graph.outputs.map(({ name, value }) => [name, graph.values[value] as ValueType]));
  const arrays = await session.run(inputs, types);
  await session.release();
  return new Map([...arrays].map(([name, data]) => [name, { ...(types.get(name) as ValueType), data }]));
};

/** Asserts that a run gives what the reference gives; `describe` names an output. */
export async function expectAgreement(
  run: Run,
  { graph, inputs, describe }: { graph: Graph; inputs: Arrays; describe: (output: string) => string },
): Promise<void> {
  const want = evaluate(graph, inputs);
  const got = await run(graph, inputs);
  const wrong = [...want].flatMap(([name, array]) => {
    const found = difference(got.get(name), array);
    return found === undefined ? [] : [`${describe(name)}: ${found}`];
  });
  expect(wrong).toEqual([]);
  expect([...got.keys()].toSorted()).toEqual([...want.keys()].toSorted());
}
