import { mkdtemp, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { writeFileAtomically } from '../../../checkpoints/files/atomic-write.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lopt #1%20 é-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
});

/** Makes the next write of any file fail as the system would. */
async function failNextWrite(code: string): Promise<void> {
  const handle = await open(join(directory, 'probe'), 'w');
  const prototype: unknown = Object.getPrototypeOf(handle);
  await handle.close();
  await rm(join(directory, 'probe'));
  const error = Object.assign(new Error(`${code}: no`), { code });
  vi.spyOn(prototype as typeof handle, 'writeFile').mockRejectedValueOnce(error);
}

test('replaces what was there and leaves nothing else behind', async () => {
  const path = join(directory, 'a.bin');
  await writeFileAtomically(path, 'first, and longer');
  await writeFileAtomically(path, Uint8Array.of(1, 2, 3));
  expect([...(await readFile(path))]).toEqual([1, 2, 3]);
  expect(await readdir(directory)).toEqual(['a.bin']);
});

test.each([
  ['ENOSPC', 'the disk is full; free some space and try again (ENOSPC)'],
  ['EFBIG', 'the file would be larger than this process may write (EFBIG)'],
])('keeps the old file when writing fails with %s', async (code, reason) => {
  const path = join(directory, 'a.bin');
  await writeFile(path, 'old');
  await failNextWrite(code);
  await expect(writeFileAtomically(path, 'new')).rejects.toMatchObject({
    name: 'CheckpointError',
    file: path,
    message: `Cannot write ${path}: ${reason}. What it held before is unchanged`,
  });
  expect(await readFile(path, 'utf8')).toBe('old');
  expect(await readdir(directory)).toEqual(['a.bin']);
});

test('says that the directory is not there', async () => {
  const path = join(directory, 'none', 'a.bin');
  await expect(writeFileAtomically(path, 'x')).rejects.toThrow(
    `Cannot write ${path}: there is no such file or directory (ENOENT). What it held before is unchanged`,
  );
});
