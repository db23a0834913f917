import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { Engine, Handle } from '../../../../jit/engines/engine.ts';
import { createOnnxEngine } from '../../../../jit/engines/onnx/onnx-engine.ts';
import { graphOf, plainCase } from '../primitive-cases.ts';
import { recurrence, recurrenceInputs } from '../programs.ts';
import { expectAgreement, onEngine } from '../runs.ts';

/** The engine, where Dawn finds a GPU (or SwiftShader, by VK_ICD_FILENAMES); otherwise says why not. */
async function startWebGpu(): Promise<Engine | undefined> {
  const engine = await createOnnxEngine({ device: 'webgpu', threads: 1 });
  try {
    (await engine.compile(recurrence(2))).dispose();
    return engine;
  } catch (cause) {
    process.stderr.write(`skipped: ${String(cause)}\n`);
    await engine.dispose();
    return undefined;
  }
}

const engine = await startWebGpu();

describe.skipIf(engine === undefined)('onnx on webgpu', () => {
  const webgpu = engine as Engine;
  afterAll(async () => {
    await webgpu.dispose();
  });

  // WGSL promises neither NaN and infinity nor the last digits of these functions.
  const LOOSE = /^(tan|acos|asin|log|log1p|pow|atan2|acosh|asinh|atanh|erf|sin|cos) /;

  test('primitives mean the same on finite numbers', async () => {
    const exact = plainCase.filter(
      ({ text, inputs }) =>
        !LOOSE.test(text) && inputs.every((x) => x.data.every((element) => Number.isFinite(element))),
    );
    const many = fc.array(exact, { minLength: 100, maxLength: 100 });
    for (const cases of fc.sample(many, { numRuns: 3, seed: 99 }))
      await expectAgreement((graph, inputs) => onEngine(webgpu, graph, inputs), {
        ...graphOf(cases),
        describe: (output) => {
          const one = cases[Number(output.split('/')[0])];
          return `${output} ${one?.text} ${one?.inputs.map((x) => `[${x.data.join()}]`).join(' ')}`;
        },
      });
  });

  test('runs asked for at once are done one after another', async () => {
    const executable = await webgpu.compile(recurrence(3));
    const handles = new Map([...recurrenceInputs(3, 1)].map(([name, array]) => [name, webgpu.upload(array)]));
    const runs = await Promise.all([executable.run(handles), executable.run(handles), executable.run(handles)]);
    const results = await Promise.all(runs.map((outputs) => webgpu.download(outputs.get('x') as Handle)));
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});
