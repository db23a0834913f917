import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createRunDirectory,
  expectNoRun,
  isRunDirectory,
  listCheckpoints,
  parseRunReference,
  removeTemporaries,
  runPaths,
  writeCheckpoint,
} from '../../../checkpoints/files/run-directory.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lopt-run-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function makeRun(name: string): Promise<string> {
  const directory = join(root, name);
  const { config } = await createRunDirectory(directory);
  await writeFile(config, '{}');
  return directory;
}

test('keeps the last checkpoints and the best', async () => {
  const directory = await makeRun('a b#c%');
  for (const step of [0, 10, 20, 30, 40, 50])
    await writeCheckpoint(directory, { step, bytes: Uint8Array.of(step), keep: 2, bestStep: step < 10 ? 0 : 10 });
  expect(await listCheckpoints(directory)).toEqual([10, 40, 50]);
});

test('the best checkpoint may be step 0, and no best is kept where there is none', async () => {
  const directory = await makeRun('zero');
  for (const step of [0, 5, 10])
    await writeCheckpoint(directory, { step, bytes: Uint8Array.of(1), keep: 1, bestStep: 0 });
  expect(await listCheckpoints(directory)).toEqual([0, 10]);
  await writeCheckpoint(directory, { step: 11, bytes: Uint8Array.of(1), keep: 1, bestStep: null });
  expect(await listCheckpoints(directory)).toEqual([11]);
});

test('lists by number, and only checkpoints', async () => {
  const directory = await makeRun('listed');
  const { checkpoints } = runPaths(directory);
  await mkdir(checkpoints);
  for (const name of [
    'step-9.safetensors',
    'step-10.safetensors',
    '.step-11.safetensors.7-1.tmp',
    'step-012.safetensors',
  ])
    await writeFile(join(checkpoints, name), '');
  expect(await listCheckpoints(directory)).toEqual([9, 10]);
  expect(await listCheckpoints(join(root, 'none'))).toEqual([]);
});

test('a run directory moves', async () => {
  const directory = await makeRun('here');
  await writeCheckpoint(directory, { step: 3, bytes: Uint8Array.of(3), keep: 1, bestStep: null });
  const there = join(root, 'there');
  await rename(directory, there);
  expect(await isRunDirectory(there)).toBe(true);
  expect(await listCheckpoints(there)).toEqual([3]);
});

test('reads references', async () => {
  const directory = await makeRun('1e3');
  expect(await parseRunReference(directory)).toEqual({ directory, which: 'newest' });
  expect(await parseRunReference(`${directory}@best`)).toEqual({ directory, which: 'best' });
  expect(await parseRunReference(`${directory}@500`)).toEqual({ directory, which: 500 });
  const odd = await makeRun('me@500');
  expect(await parseRunReference(odd)).toEqual({ directory: odd, which: 'newest' });
  expect(await parseRunReference(`${odd}@0`)).toEqual({ directory: odd, which: 0 });
});

test('refuses references that are none', async () => {
  const directory = await makeRun('a');
  await expect(parseRunReference(`${directory}@last`)).rejects.toThrow(
    `Cannot read ${directory}@last: expected RUN, RUN@best or RUN@STEP but got "last" after the @`,
  );
  await expect(parseRunReference(join(root, 'none'))).rejects.toThrow(
    `Cannot read the run ${join(root, 'none')}: expected a directory but there is none`,
  );
  await expect(parseRunReference(`${runPaths(directory).config}@best`)).rejects.toThrow(
    `Cannot read the run ${runPaths(directory).config}: expected a directory but it is a file`,
  );
  const empty = join(root, 'empty');
  await mkdir(empty);
  await expect(parseRunReference(empty)).rejects.toThrow(
    `Cannot read the run ${empty}: the directory has no config.json`,
  );
});

test('a new run needs a directory of its own', async () => {
  const directory = await makeRun('used');
  await expect(expectNoRun(directory)).rejects.toThrow(
    `Cannot start a run in ${directory}: there is one in it. Continue it with --resume ${directory}, or give another --out`,
  );
  const other = join(root, 'other');
  await mkdir(other);
  await writeFile(join(other, 'notes.txt'), '');
  await expect(expectNoRun(other)).rejects.toThrow(
    `Cannot start a run in ${other}: expected a new or empty directory but it holds notes.txt. Give another --out`,
  );
  const file = join(other, 'notes.txt');
  await expect(createRunDirectory(file)).rejects.toThrow(`Cannot start a run in ${file}: it exists already (EEXIST)`);
  await expect(expectNoRun(file)).rejects.toThrow(
    `Cannot start a run in ${file}: a part of the path is no directory (ENOTDIR)`,
  );
  expect(await readdir(other)).toEqual(['notes.txt']);
});

test('what a process leaves that was killed before it wrote config.json is no run', async () => {
  const directory = join(root, 'killed');
  await expectNoRun(directory);
  await createRunDirectory(directory);
  await expectNoRun(directory);
  for (const name of ['lock.json', '.lock.json.7-1.tmp', '.lock.json.7-1.tmp.stale', '.config.json.7-1.tmp'])
    await writeFile(join(directory, name), '');
  await expectNoRun(directory);
});

test('removes the temporary files of killed writes, and nothing else', async () => {
  const directory = await makeRun('stale');
  await removeTemporaries(directory);
  await writeCheckpoint(directory, { step: 3, bytes: Uint8Array.of(3), keep: 1, bestStep: null });
  const { checkpoints } = runPaths(directory);
  for (const name of [
    '.metrics.ndjson.7-2.tmp',
    '.config.json.81-12.tmp',
    '.lock.json.7-1.tmp',
    'mine.tmp',
    '.mine.tmp',
  ])
    await writeFile(join(directory, name), '');
  await writeFile(join(checkpoints, '.step-4.safetensors.7-3.tmp'), '');
  await removeTemporaries(directory);
  expect((await readdir(directory)).toSorted()).toEqual(
    ['.lock.json.7-1.tmp', '.mine.tmp', 'checkpoints', 'config.json', 'mine.tmp'].toSorted(),
  );
  expect(await readdir(checkpoints)).toEqual(['step-3.safetensors']);
});
