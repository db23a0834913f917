import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LOCK_FILE, lockRun } from '../../../checkpoints/files/run-lock.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lopt-lock-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const inUse = (pid: number | undefined): string =>
  `Cannot use ${directory}: process ${pid} is using it. Wait until it ends, or stop it with: kill -INT ${pid}`;

test('a held directory is refused, a released one is free', async () => {
  const lock = lockRun(directory);
  expect(() => lockRun(directory)).toThrow(inUse(process.pid));
  lock.release();
  lock.release();
  expect(await readdir(directory)).toEqual([]);
  lockRun(directory).release();
});

test('the lock of a living process is refused, and taken over once it is dead', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await writeFile(join(directory, LOCK_FILE), JSON.stringify({ pid: child.pid, started: null }));
  expect(() => lockRun(directory)).toThrow(inUse(child.pid));
  child.kill('SIGKILL');
  await ended;
  const messages: string[] = [];
  const lock = lockRun(directory, { log: (message) => messages.push(message) });
  expect(messages).toEqual([`${directory} was in use by process ${child.pid}, which is gone; taking the run over`]);
  expect(JSON.parse(await readFile(join(directory, LOCK_FILE), 'utf8'))).toMatchObject({ pid: process.pid });
  lock.release();
  expect(await readdir(directory)).toEqual([]);
});

test.runIf(process.platform === 'linux')('a later process with the same number is not the holder', async () => {
  await writeFile(join(directory, LOCK_FILE), JSON.stringify({ pid: process.pid, started: 'an earlier boot/12' }));
  const messages: string[] = [];
  lockRun(directory, { log: (message) => messages.push(message) }).release();
  expect(messages).toHaveLength(1);
});

test('an unreadable lock is taken over', async () => {
  await writeFile(join(directory, LOCK_FILE), '{"pid":');
  const messages: string[] = [];
  lockRun(directory, { log: (message) => messages.push(message) }).release();
  expect(messages).toEqual([`${directory} was in use by process (unreadable), which is gone; taking the run over`]);
});

test("releasing leaves another process's lock alone", async () => {
  const lock = lockRun(directory);
  const other = JSON.stringify({ pid: 1, started: null });
  await writeFile(join(directory, LOCK_FILE), other);
  lock.release();
  expect(await readFile(join(directory, LOCK_FILE), 'utf8')).toBe(other);
});

test('a directory that is not there is an error with its reason', () => {
  const none = join(directory, 'none');
  expect(() => lockRun(none)).toThrow(`Cannot lock ${none}: there is no such file or directory (ENOENT)`);
});
