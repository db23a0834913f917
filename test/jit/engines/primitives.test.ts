import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replay } from '../../../jit/engines/eager/replay.ts';
import type { Engine } from '../../../jit/engines/engine.ts';
import { createOnnxEngine } from '../../../jit/engines/onnx/onnx-engine.ts';
import type { Graph, HostArray } from '../../../jit/graph/graph.ts';
import { difference } from './compare.ts';
import { type Case, graphOf, plainCase } from './primitive-cases.ts';
import { evaluate } from './reference.ts';

type Run = (graph: Graph, inputs: ReadonlyMap<string, HostArray>) => Promise<Map<string, HostArray>>;

function onBackend(backend: string): Run {
  return async (graph, inputs) => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    const tensors = new Map(
      [...inputs].map(([name, { shape, dtype, data }]) => [name, tf.tensor(data, [...shape], dtype)]),
    );
    const outputs = replay(graph, tensors);
    const results = new Map<string, HostArray>();
    for (const [name, tensor] of outputs)
      results.set(name, {
        shape: tensor.shape,
        dtype: tensor.dtype as HostArray['dtype'],
        data: tensor.dataSync().slice(),
      });
    for (const tensor of [...tensors.values(), ...outputs.values()]) tensor.dispose();
    expect(tf.memory().numTensors).toBe(before);
    return results;
  };
}

let onnx: Engine;

async function onOnnx(graph: Graph, inputs: ReadonlyMap<string, HostArray>): Promise<Map<string, HostArray>> {
  const executable = await onnx.compile(graph);
  const handles = new Map([...inputs].map(([name, array]) => [name, onnx.upload(array)]));
  const outputs = await executable.run(handles);
  const results = new Map<string, HostArray>();
  for (const [name, handle] of outputs) results.set(name, await onnx.download(handle));
  for (const handle of [...handles.values(), ...outputs.values()]) handle.dispose();
  executable.dispose();
  return results;
}

async function expectAgreement(run: Run, cases: readonly Case[]): Promise<void> {
  const { graph, inputs } = graphOf(cases);
  const want = evaluate(graph, inputs);
  const got = await run(graph, inputs);
  const wrong = [...want].flatMap(([name, array]) => {
    const found = difference(got.get(name), array);
    const one = cases[Number(name.split('/')[0])];
    return found === undefined
      ? []
      : [
          `${one?.text}, output ${name.split('/')[1]}: ${found}; inputs ${one?.inputs.map((x) => `[${x.data.join()}]`).join(' ')}`,
        ];
  });
  expect(wrong).toEqual([]);
}

describe('every primitive means the same on every engine', () => {
  beforeAll(async () => {
    onnx = await createOnnxEngine({ threads: 1 });
  });
  afterAll(async () => {
    await onnx.dispose();
  });

  test.each([
    ['eager on cpu', onBackend('cpu')],
    ['eager on wasm', onBackend('wasm')],
    ['onnx', onOnnx],
  ] as const)('%s', async (_, run) => {
    // Sampled rather than asserted: a graph of many cases names those that are wrong, and needs no shrinking.
    for (const cases of fc.sample(fc.array(plainCase, { minLength: 150, maxLength: 150 }), {
      numRuns: 6,
      seed: 20_251,
    }))
      await expectAgreement(run, cases);
  });
});
