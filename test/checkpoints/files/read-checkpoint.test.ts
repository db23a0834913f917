import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCheckpoint, thetaOf } from '../../../checkpoints/checkpoint.ts';
import { readFileBytes, readRunCheckpoint } from '../../../checkpoints/files/read-checkpoint.ts';
import { checkpointPath, createRunDirectory, writeCheckpoint } from '../../../checkpoints/files/run-directory.ts';

let root = '';
let run = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lopt-read-'));
  run = join(root, 'a');
  await writeFile((await createRunDirectory(run)).config, '{}');
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function save(step: number, bestStep: number | null): Promise<void> {
  const bytes = await encodeCheckpoint({
    kind: 'run',
    optimizer: { name: 'adafac-mlp', options: {} },
    facts: { step, bestStep },
    tensors: new Map([['theta/w', { shape: [1], dtype: 'float32', data: Float32Array.of(step) }]]),
  });
  await writeCheckpoint(run, { step, bytes, keep: 2, bestStep });
}

const stepOf = async (reference: string): Promise<number | undefined> => {
  const { step, checkpoint } = await readRunCheckpoint(reference);
  expect(thetaOf(checkpoint).get('w')?.data[0]).toBe(step);
  return step;
};

test('newest, best and numbered checkpoints', async () => {
  for (const step of [0, 10, 20, 30]) await save(step, step === 0 ? 0 : 10);
  expect(await stepOf(run)).toBe(30);
  expect(await stepOf(`${run}@best`)).toBe(10);
  expect(await stepOf(`${run}@20`)).toBe(20);
  await expect(readRunCheckpoint(`${run}@0`)).rejects.toThrow(
    `Cannot read ${run}@0: there is no checkpoint of step 0. There are ${run}@10, ${run}@20, ${run}@30`,
  );
});

test('a run that has none yet says so', async () => {
  await expect(readRunCheckpoint(run)).rejects.toThrow(
    `Cannot read ${run}: the run has no checkpoint yet. Continue it with --resume ${run}`,
  );
  await save(0, null);
  await expect(readRunCheckpoint(`${run}@best`)).rejects.toThrow(
    `Cannot read ${run}@best: the run has no best checkpoint yet. Its newest is ${run}`,
  );
});

test('a damaged checkpoint names its file', async () => {
  await save(3, 3);
  const path = checkpointPath(run, 3);
  const bytes = await readFileBytes(path);
  await writeFile(path, bytes.subarray(0, bytes.length - 1));
  await expect(readRunCheckpoint(run)).rejects.toThrow(`Cannot read ${path} as safetensors: tensor theta/w: expected`);
});

test('a missing file says so', async () => {
  await expect(readFileBytes(join(root, 'none'))).rejects.toThrow(
    `Cannot read ${join(root, 'none')}: there is no such file or directory (ENOENT)`,
  );
});
