import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import { emitOnnx } from '../../../../jit/engines/onnx/emit.ts';
import type { Graph, HostArray, TypedArray, ValueType } from '../../../../jit/graph/graph.ts';
import { allocate, sizeOf } from '../../../../jit/graph/graph.ts';
import { graphOf, plainCase } from '../primitive-cases.ts';
import { type Run, expectAgreement } from '../runs.ts';
import { PYTHON, hasPythonOnnx } from './python.ts';

/** Checks a model with the onnx package, runs it on the Python onnxruntime, and writes the outputs as raw bytes, one file each. */
const SCRIPT = `
import json, sys, numpy as np, onnx, onnxruntime as ort
folder = sys.argv[1]
model = onnx.load(folder + '/model.onnx')
onnx.checker.check_model(model, full_check=True)
assert model.ir_version == 8, model.ir_version
assert [(o.domain, o.version) for o in model.opset_import] == [('', 17)], model.opset_import
types = {'float32': np.float32, 'int32': np.int32, 'bool': np.bool_}
feeds = {}
for i, port in enumerate(json.load(open(folder + '/inputs.json'))):
    feeds[port['name']] = np.fromfile(f'{folder}/in{i}', types[port['dtype']]).reshape(port['shape'])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 2
session = ort.InferenceSession(folder + '/model.onnx', options, providers=['CPUExecutionProvider'])
for i, output in enumerate(session.run(None, feeds)):
    np.ascontiguousarray(output).tofile(f'{folder}/out{i}')
`;

function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Runs a graph's model in Python. Outputs without elements and inputs that nothing reads are left in: the model is as exported. */
const inPython: Run = async (graph, inputs) => {
  const folder = mkdtempSync(join(tmpdir(), 'lopt-onnx-'));
  try {
    writeFileSync(join(folder, 'model.onnx'), emitOnnx(graph));
    const ports = graph.inputs.map(({ name }, index) => {
      const { shape, dtype, data } = inputs.get(name) as HostArray;
      writeFileSync(join(folder, `in${index}`), bytesOf(data));
      return { name, shape, dtype };
    });
    writeFileSync(join(folder, 'inputs.json'), JSON.stringify(ports));
    execFileSync(PYTHON, ['-c', SCRIPT, folder], { stdio: ['ignore', 'inherit', 'inherit'] });
    return new Map(
      graph.outputs.map(({ name, value }, index) => {
        const type = graph.values[value] as ValueType;
        const data = allocate(type.dtype, sizeOf(type.shape));
        bytesOf(data).set(readFileSync(join(folder, `out${index}`)));
        return [name, { ...type, data }];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
};

describe.skipIf(!hasPythonOnnx())('the Python packages', () => {
  test('accept and run models of every primitive', async () => {
    const many = fc.array(plainCase, { minLength: 150, maxLength: 150 });
    for (const cases of fc.sample(many, { numRuns: 10, seed: 1_234 })) {
      const program: { graph: Graph; inputs: Map<string, HostArray> } = graphOf(cases);
      await expectAgreement(inPython, {
        ...program,
        describe: (output) => `${output} ${cases[Number(output.split('/')[0])]?.text}`,
      });
    }
  });
});
