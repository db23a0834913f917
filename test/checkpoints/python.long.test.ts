/** What Python's onnx, onnxruntime and safetensors make of our files, and we of theirs. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../checkpoints/checkpoint.ts';
import { exportOptimizer } from '../../checkpoints/export.ts';
import { decodeSafetensors } from '../../checkpoints/safetensors.ts';
import type { HostArray } from '../../jit/graph/graph.ts';
import { rootKey } from '../../jit/random/key.ts';
import { startRun } from '../../lopt/adapters/arrays.ts';
import { readParamSpecs } from '../../lopt/adapters/param-specs.ts';
import type { Optimizer } from '../../lopt/optimizer.ts';
import { OPTIMIZERS, createLearned, createOptimizer } from '../../lopt/registry.ts';
import { PYTHON, hasPythonOnnx } from '../jit/engines/onnx/python.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lopt-python-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

const STEPS = 50;
const START: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>> = {
  'dense/kernel': { shape: [3, 4], data: [1, -2, 3, -4, 5, -6, 0.5, -0.25, 0, 0.75, 2, -1] },
  'dense/bias': { shape: [4], data: [0, 1, -1, 0.5] },
  scale: { shape: [], data: [2] },
};
const shapes = Object.fromEntries(Object.entries(START).map(([path, { shape }]) => [path, shape]));
const specs = readParamSpecs(shapes, { doing: 'test' });

function optimizerOf(name: string): Optimizer {
  if (OPTIMIZERS.find((entry) => entry.name === name)?.family !== 'learned') return createOptimizer(name);
  const learned = createLearned(name);
  return learned.optimizer(learned.initTheta(rootKey(5)));
}

interface Applied {
  readonly irVersion: number;
  readonly opsets: readonly (readonly [string, number])[];
  readonly domains: readonly string[];
  readonly functions: number;
  readonly overridable: readonly string[];
  readonly params: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>;
}

function applyInPython(cases: readonly object[]): readonly Applied[] {
  const script = fileURLToPath(new URL('apply_exported.py', import.meta.url));
  const output = execFileSync(PYTHON, [script], { input: JSON.stringify(cases), encoding: 'utf8' });
  // One boundary: our own script's output.
  return JSON.parse(output) as readonly Applied[];
}

async function applyHere(optimizer: Optimizer): Promise<Readonly<Record<string, readonly number[]>>> {
  const params = Object.fromEntries(Object.entries(START).map(([path, { data }]) => [path, Float32Array.from(data)]));
  const run = startRun(optimizer, { params, shapes, horizon: STEPS, engine: { name: 'onnx', threads: 1 } });
  for (let step = 0; step < STEPS; step += 1) {
    const grads = Object.fromEntries(Object.entries(run.params).map(([path, p]) => [path, p.map((x) => 2 * x - 1)]));
    await run.update({ grads, loss: 0.5 });
  }
  await run.dispose();
  return Object.fromEntries(Object.entries(run.params).map(([path, p]) => [path, [...p]]));
}

describe.runIf(hasPythonOnnx())('with Python', () => {
  // Pitfalls R16 and R17: the step a rank-0 int64, the loss a numpy scalar; IR 8, opset 17, the default domain alone.
  test(`${STEPS} steps of every exported optimizer go as here, and the files pass the checker`, async () => {
    const names = OPTIMIZERS.map(({ name }) => name);
    const cases: object[] = [];
    for (const name of names) {
      const { update, init } = await exportOptimizer({ optimizer: optimizerOf(name), specs });
      const path = join(root, `${name}.onnx`);
      await writeFile(path, update);
      if (init !== undefined) await writeFile(`${path}.init`, init);
      cases.push({
        update: path,
        params: START,
        steps: STEPS,
        loss: 0.5,
        horizon: STEPS,
        ...(init === undefined ? {} : { init: `${path}.init` }),
      });
    }
    const applied = applyInPython(cases);
    for (const [index, name] of names.entries()) {
      const result = applied[index];
      const expected = await applyHere(optimizerOf(name));
      expect(result).toMatchObject({ irVersion: 8, opsets: [['', 17]], domains: [''], functions: 0 });
      for (const [path, { shape }] of Object.entries(START)) {
        const { shape: itsShape, data = [] } = result?.params[path] ?? {};
        expect(itsShape).toEqual(shape);
        for (const [element, value] of data.entries()) {
          const ours = expected[path]?.[element] ?? Number.NaN;
          // Another version of the same runtime, and constants folded when loading: a few last places, over 50 steps.
          expect(Math.abs(value - ours), `${name} ${path}`).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(ours)));
        }
      }
    }
  });

  test('an option given anew overrides its default', async () => {
    const path = join(root, 'sgd-override.onnx');
    await writeFile(path, (await exportOptimizer({ optimizer: createOptimizer('sgd', { lr: 0.25 }), specs })).update);
    const one = { update: path, params: START, steps: 1, loss: 0, horizon: 1 };
    const [plain, changed] = applyInPython([one, { ...one, values: { lr: 0.5 } }]);
    expect(plain?.overridable).toEqual(['values/lr', 'values/weightDecay']);
    // 2 - lr * (2 * 2 - 1)
    expect(plain?.params['scale']?.data).toEqual([1.25]);
    expect(changed?.params['scale']?.data).toEqual([0.5]);
  });
});

/** Whether Python has the package; says so where it hasn't. */
function hasPythonSafetensors(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import safetensors.numpy'], { stdio: 'ignore' });
    return true;
  } catch (cause) {
    const reason = `${PYTHON} has no safetensors (set LOPT_PYTHON to one that has)`;
    if (process.env['LOPT_REQUIRE_FIXTURES'] === '1')
      throw new Error(`Cannot check files with Python: ${reason}`, { cause });
    process.stderr.write(`skipped: ${reason}\n`);
    return false;
  }
}

const WRITE = `
import sys, numpy as np
from safetensors.numpy import save_file
save_file({"b": np.arange(3, dtype=np.float32), "a": np.array([[True, False]]), "h": np.array([1.5, -2], np.float16),
  "d": np.array(0.1), "n": np.array([-5], np.int64), "i": np.zeros((0, 3), np.int32)}, sys.argv[1], {"format": "np"})
`;
const REWRITE = `
import sys
from safetensors import safe_open
from safetensors.numpy import save_file
with safe_open(sys.argv[1], "numpy") as f:
    save_file({name: f.get_tensor(name) for name in f.keys()}, sys.argv[2], f.metadata())
`;

describe.runIf(hasPythonSafetensors())("with Python's safetensors", () => {
  test('reads what it writes', async () => {
    const path = join(root, 'theirs.safetensors');
    execFileSync(PYTHON, ['-c', WRITE, path]);
    const { tensors, metadata } = decodeSafetensors(await readFile(path), { file: path });
    expect(Object.fromEntries(tensors)).toEqual({
      a: { dtype: 'bool', shape: [1, 2], data: Uint8Array.of(1, 0) },
      b: { dtype: 'float32', shape: [3], data: Float32Array.of(0, 1, 2) },
      d: { dtype: 'float32', shape: [], data: Float32Array.of(0.1) },
      h: { dtype: 'float32', shape: [2], data: Float32Array.of(1.5, -2) },
      i: { dtype: 'int32', shape: [0, 3], data: new Int32Array(0) },
      n: { dtype: 'int32', shape: [1], data: Int32Array.of(-5) },
    });
    expect([...metadata]).toEqual([['format', 'np']]);
  });

  test('it reads what we write; its own order of the same content does not pass for ours', async () => {
    const tensors = new Map<string, HostArray>([
      ['theta/w', { dtype: 'float32', shape: [2, 1], data: Float32Array.of(0.1, -0) }],
      ['theta/10', { dtype: 'float32', shape: [], data: Float32Array.of(3) }],
      ['done', { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }],
      ['counts', { dtype: 'int32', shape: [1], data: Int32Array.of(7) }],
    ]);
    const optimizer = { name: 'adafac-mlp', options: {} };
    const [ours, theirs] = [join(root, 'ours.safetensors'), join(root, 'rewritten.safetensors')];
    await writeFile(ours, await encodeCheckpoint({ kind: 'run', optimizer, facts: { step: 3 }, tensors }));
    execFileSync(PYTHON, ['-c', REWRITE, ours, theirs]);
    const back = decodeSafetensors(await readFile(theirs), { file: theirs });
    expect(Object.fromEntries(back.tensors)).toEqual(Object.fromEntries(tensors));
    await expect(decodeCheckpoint(await readFile(theirs), { file: theirs })).rejects.toThrow(
      `Cannot read ${theirs} as a checkpoint: it is damaged: its content does not match its checksum`,
    );
  });
});
