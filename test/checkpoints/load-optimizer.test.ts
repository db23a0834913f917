import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeCheckpoint, thetaTensors } from '../../checkpoints/checkpoint.ts';
import { listZoo, parseIndex, zooCard } from '../../checkpoints/files/zoo.ts';
import { createRunDirectory, writeCheckpoint } from '../../checkpoints/files/run-directory.ts';
import { type OptimizerReference, loadOptimizer, shippedNames } from '../../checkpoints/load-optimizer.ts';
import { encodeSafetensors } from '../../checkpoints/safetensors.ts';
import { rootKey } from '../../jit/random/key.ts';
import { createLearned, createOptimizer } from '../../lopt/registry.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lopt-load-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

const learned = createLearned('adafac-mlp', { hidden: 4 });
const theta = learned.initTheta(rootKey(9));
const identity = { name: learned.name, options: learned.options };

async function makeRun(name: string): Promise<string> {
  const directory = join(root, name);
  const { config } = await createRunDirectory(directory);
  await writeFile(config, '{}');
  for (const step of [0, 10]) {
    const data = [
      { dataSet: 'glyphs-plain', fingerprint: 'procedural glyphs-plain' },
      { dataSet: 'digits', fingerprint: 'abc' },
      { dataSet: 'digits', fingerprint: 'abc' },
    ];
    const facts = { step, bestStep: 0, config: { name: 'smoke', seed: 3, steps: 10 }, data };
    const tensors = thetaTensors(learned.initTheta(rootKey(step)));
    const bytes = await encodeCheckpoint({ kind: 'run', optimizer: identity, facts, tensors });
    await writeCheckpoint(directory, { step, bytes, keep: 2, bestStep: 0 });
  }
  return directory;
}

test('names, with options in either form', async () => {
  expect((await loadOptimizer('adam')).optimizer.options).toEqual(createOptimizer('adam').options);
  for (const reference of ['adam{"lr":0.5}', { name: 'adam', lr: 0.5 }] as const) {
    const { name, optimizer } = await loadOptimizer(reference);
    expect(optimizer.options).toEqual(createOptimizer('adam', { lr: 0.5 }).options);
    expect(name).toBe('adam{"lr":0.5}');
  }
});

test('runs: newest, best, by step; with where they come from', async () => {
  const run = await makeRun('007');
  for (const [reference, step] of [
    [run, 10],
    [`${run}@best`, 0],
    [`${run}@10`, 10],
  ] as const) {
    const loaded = await loadOptimizer(reference);
    expect([...loaded.theta]).toEqual([...learned.initTheta(rootKey(step))]);
    expect(loaded.provenance).toEqual({
      recipe: 'smoke',
      seed: 3,
      step,
      dataSets: ['digits', 'glyphs-plain'],
      dataFingerprints: ['abc', 'procedural glyphs-plain'],
    });
    expect(loaded.name).toBe(reference);
    expect(loaded.optimizer.options).toEqual(learned.options);
  }
});

test('files and bytes: a theta, an exported model; they give the same export', async () => {
  const provenance = { recipe: 'smoke', seed: 1, step: 5 };
  const bytes = await encodeCheckpoint({
    kind: 'theta',
    optimizer: identity,
    facts: { provenance },
    tensors: thetaTensors(theta),
  });
  const path = join(root, 'my theta #1%20.safetensors');
  await writeFile(path, bytes);
  const shapes = { w: [3, 2] };
  const { update } = await (await loadOptimizer(path)).export({ shapes });
  expect((await (await loadOptimizer(bytes)).export({ shapes })).update).toEqual(update);
  const model = join(root, 'model.onnx');
  await writeFile(model, update);
  const back = await loadOptimizer(model);
  expect([...back.theta]).toEqual([...theta]);
  expect((await back.export()).update).toEqual(update);
  expect((await loadOptimizer(update)).name).toBe('adafac-mlp');
});

test('a learned optimizer inside wrappers comes back from its export', async () => {
  const base = learned.optimizer(theta);
  const wrapped = createOptimizer(
    'gradient-clipping',
    { threshold: 3, base: { name: 'decoupled-weight-decay', base: 'inner' } },
    {
      resolve: ({ name }) => (name === 'inner' ? base : undefined),
    },
  );
  const { exportOptimizer } = await import('../../checkpoints/export.ts');
  const { readParamSpecs } = await import('../../lopt/adapters/param-specs.ts');
  const { update } = await exportOptimizer({
    optimizer: wrapped,
    specs: readParamSpecs({ w: [2, 2] }, { doing: 'test' }),
  });
  const back = await loadOptimizer(update);
  expect(back.optimizer.options).toEqual(wrapped.options);
  expect([...back.optimizer.values]).toEqual([...wrapped.values]);
});

describe('refusals', () => {
  const refused = async (reference: unknown, message: string): Promise<void> => {
    // One boundary: what TypeScript wouldn't let through.
    await expect(loadOptimizer(reference as OptimizerReference)).rejects.toThrow(message);
  };

  test('a learned name without a theta lists what ships', async () => {
    const shipped = await shippedNames();
    await refused(
      'celo2',
      'Cannot create celo2: expected a theta for this learned optimizer but got its name alone; meta-train one ' +
        `(lopt meta-train) and give its run directory, or use one that ships: ${shipped.length === 0 ? 'none here' : shipped.join(', ')}`,
    );
  });

  test('nothing of that name', async () => {
    const shipped = await shippedNames();
    const nothing = (name: string) =>
      `Cannot load ${name}: expected a run directory, an exported .onnx, a checkpoint, a name of sgd, momentum, nesterov, rmsprop, adam, ` +
      `adamw, nadamw, gradient-clipping, decoupled-weight-decay, or one that ships (${shipped.length === 0 ? 'none here' : shipped.join(', ')}), but there is no such file or name`;
    await refused('adamm', nothing('adamm'));
    await refused('runs/none', nothing('runs/none'));
    await refused('runs/none@best', nothing('runs/none@best'));
    await refused(
      7,
      'Cannot load an optimizer: expected a name, a path, the bytes of a file or {name, ...options} but got 7',
    );
  });

  test('files of something else', async () => {
    const empty = join(root, 'empty');
    await mkdir(empty);
    await refused(empty, `Cannot read the run ${empty}: the directory has no config.json`);
    const foreign = join(root, 'foreign.safetensors');
    await writeFile(foreign, encodeSafetensors({ tensors: new Map(), metadata: new Map([['format', 'pt']]) }));
    await refused(
      foreign,
      `Cannot read ${foreign} as a checkpoint: it is a safetensors file, but not one that lopt wrote`,
    );
    const text = join(root, 'notes.onnx');
    await writeFile(text, 'some notes');
    await refused(text, `Cannot read ${text} as an exported optimizer: it is no ONNX model, or is damaged or cut off`);
    await refused(new Uint8Array(0), 'Cannot read (bytes) as an exported optimizer: it is empty');
  });

  test('any changed byte of theta in an exported file, and any cut', async () => {
    const { exportOptimizer } = await import('../../checkpoints/export.ts');
    const { readParamSpecs } = await import('../../lopt/adapters/param-specs.ts');
    const specs = readParamSpecs({ w: [2] }, { doing: 'test' });
    const { update } = await exportOptimizer({ optimizer: learned.optimizer(theta), specs });
    const [path, leaf] = [...theta].find(([, { data }]) => data.some((x) => x !== 0)) ?? [];
    if (leaf === undefined) throw new Error(`expected leaves, got ${path}`);
    const raw = new Uint8Array(leaf.data.buffer);
    const at = update.findIndex((_, index) => raw.every((byte, offset) => update[index + offset] === byte));
    expect(at).toBeGreaterThan(0);
    const damaged = update.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    await refused(
      damaged,
      'Cannot read (bytes) as an exported optimizer: it is damaged: its optimizer does not match its checksum',
    );
    for (let length = 0; length < update.length; length += 997)
      await refused(update.slice(0, length), 'Cannot read (bytes) as an exported optimizer: ');
  });

  test('a theta that does not fit its options', async () => {
    const tensors = thetaTensors(new Map([...theta].slice(1)));
    const bytes = await encodeCheckpoint({ kind: 'theta', optimizer: identity, facts: {}, tensors });
    const [missing = ''] = theta.keys();
    await refused(
      bytes,
      `Cannot load (bytes): Cannot use a theta for adafac-mlp: expected ${theta.size} leaves but got missing ${missing}`,
    );
  });
});

test('update is a function of what it gets; steps may be bigints', async () => {
  const learnedAdam = await loadOptimizer('adam{"lr":0.1}');
  const input = { params: { p: Float32Array.of(1) }, shapes: { p: [] }, grads: { p: Float32Array.of(1) } };
  const first = await learnedAdam.update(input);
  expect(first.state.step).toBe(1);
  expect(first.params['p']?.[0]).toBeCloseTo(0.9, 6);
  const step = (given: unknown) =>
    // One boundary: what TypeScript wouldn't let through.
    learnedAdam.update({ ...input, params: first.params, state: first.state, step: given as number });
  // Pitfall R16.
  expect(await step(3)).toEqual(await step(3n));
  expect((await step(3)).params).not.toEqual((await step(1)).params);
  expect(await step(undefined)).toEqual(await step(1));
  const message = (got: string) =>
    `Cannot update adam: expected step to be a whole number from 0 to 2147483647 but got ${got}`;
  for (const [given, got] of [
    [1.5, '1.5'],
    [-1, '-1'],
    [2 ** 53, '9007199254740992'],
    [-3n, '-3n'],
    [2n ** 64n, '18446744073709551616n'],
    [Number.NaN, 'NaN'],
  ] as const)
    await expect(step(given)).rejects.toThrow(new RangeError(message(got)));
  await expect(step('3')).rejects.toThrow(new TypeError(message('a string')));
  await learnedAdam.dispose();
});

test('an index of shipped optimizers is a list of entries', () => {
  const entry = { name: 'a', file: 'a', config: 'a.json', metrics: 'a.ndjson', card: 'a.md', summary: 'a' };
  expect(parseIndex(JSON.stringify([entry]), 'index.json')).toEqual([entry]);
  for (const text of ['{', '{}', '[{"name":"a"}]', '[7]'])
    expect(() => parseIndex(text, 'index.json')).toThrow(
      'Cannot read index.json: expected a JSON list of objects with name, file, config, metrics, card, summary',
    );
});

test('what ships is complete: theta, config, metrics and card belong together, and it trains', async () => {
  const entries = await listZoo();
  expect(entries.map(({ name }) => name)).toEqual(['celo2-digits']);
  for (const entry of entries) {
    const { name, config, metrics, card } = entry;
    const shipped = await loadOptimizer(name);
    const folder = new URL('../../checkpoints/zoo/', import.meta.url);
    const run = JSON.parse(await readFile(new URL(config, folder), 'utf8'));
    expect(shipped.provenance['recipe']).toBe(run.config.name);
    expect(shipped.provenance['step']).toBe(run.config.steps);
    expect(shipped.optimizer.options).toMatchObject(run.config.optimizer.options);
    const lines = (await readFile(new URL(metrics, folder), 'utf8')).trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ step: run.config.steps - 1 });
    expect(await zooCard(entry)).toBe(fileURLToPath(new URL(card, folder)));
    expect(await readFile(await zooCard(entry), 'utf8')).toContain(`# ${name}`);
    const horizon = 200;
    const params = { w: Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)) };
    const training = shipped.start({ params, shapes: { w: [8, 8] }, horizon });
    const loss = (w: Float32Array) => w.reduce((sum, x) => sum + ((x - 0.5) * (x - 0.5)) / 2, 0);
    const before = loss(params.w);
    for (let step = 0; step < horizon; step += 1) {
      const w = training.params['w'] as Float32Array;
      await training.update({ grads: { w: w.map((x) => x - 0.5) }, loss: loss(w) });
    }
    expect(loss(training.params['w'] as Float32Array)).toBeLessThan(before / 4);
    await shipped.dispose();
  }
});
