import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Engine } from '../../../jit/engines/engine.ts';
import { createNativeEngine } from '../../../jit/engines/native/native-engine.ts';
import { createOnnxEngine } from '../../../jit/engines/onnx/onnx-engine.ts';
import { hasCompiler } from './native/c-compiler.ts';
import { graphOf, plainCase } from './primitive-cases.ts';
import { type Run, expectAgreement, onBackend, onEngine } from './runs.ts';

let onnx: Engine;
let engine: Engine | undefined;
const onOnnx: Run = (graph, inputs) => onEngine(onnx, graph, inputs);
const onNative: Run = (graph, inputs) => onEngine(engine as Engine, graph, inputs);
const native = (await hasCompiler()) ? ([['native', onNative]] as const) : [];

describe('every primitive means the same on every engine', () => {
  beforeAll(async () => {
    onnx = await createOnnxEngine({ threads: 1 });
    if (native.length > 0) engine = await createNativeEngine({ threads: 2 });
  });
  afterAll(async () => {
    await onnx.dispose();
    await engine?.dispose();
  });

  test.each([
    ['eager on cpu', onBackend('cpu')],
    ['eager on wasm', onBackend('wasm')],
    ['onnx', onOnnx],
    ...native,
  ] as const)('%s', async (_, run) => {
    // Sampled rather than asserted: a graph of many cases names those that are wrong, and needs no shrinking.
    const many = fc.array(plainCase, { minLength: 150, maxLength: 150 });
    for (const cases of fc.sample(many, { numRuns: 8, seed: 20_251 }))
      await expectAgreement(run, {
        ...graphOf(cases),
        describe: (output) => {
          const one = cases[Number(output.split('/')[0])];
          return `${output} ${one?.text} ${one?.inputs.map((x) => `[${x.data.join()}]`).join(' ')}`;
        },
      });
  });
});
