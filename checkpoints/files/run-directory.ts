import { mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '../checkpoint-error.ts';
import { isTemporaryName, syncDirectory, writeFileAtomically } from './atomic-write.ts';
import { errorCode, failureReason } from './file-errors.ts';
import { LOCK_FILE } from './run-lock.ts';

/**
 * A run directory, which holds everything of one meta-training run and no absolute path, so it can be moved:
 *
 *     config.json                         what the run is made from; without it there is no run
 *     metrics.ndjson                      one line an outer step
 *     checkpoints/step-500.safetensors    the run after 500 outer steps: the last few, and the best
 *     lock.json                           the process that is using it, while one is
 */
export interface RunPaths {
  readonly directory: string;
  readonly config: string;
  readonly metrics: string;
  readonly checkpoints: string;
}

/** Paths of the parts of a run directory. */
export function runPaths(directory: string): RunPaths {
  return {
    directory,
    config: join(directory, 'config.json'),
    metrics: join(directory, 'metrics.ndjson'),
    checkpoints: join(directory, 'checkpoints'),
  };
}

/** Path of the checkpoint after `step` outer steps. */
export function checkpointPath(directory: string, step: number): string {
  return join(runPaths(directory).checkpoints, `step-${step}.safetensors`);
}

/** Whether a path is a run directory: one with a config.json. */
export async function isRunDirectory(path: string): Promise<boolean> {
  return (await fileKind(runPaths(path).config)) === 'file';
}

/**
 * Makes sure that a new run can use a directory: that there is none, or an empty one. What a process leaves that is killed before it
 * wrote config.json (a lock, a temporary file) doesn't count.
 * @throws CheckpointError when it holds a run already, or files of something else.
 */
export async function expectNoRun(directory: string): Promise<void> {
  await startAttempt(directory, async () => {
    if ((await fileKind(directory)) === undefined) return;
    const found = (await readdir(directory)).filter((name) => name !== LOCK_FILE && !isTemporaryName(name));
    if (found.includes('config.json'))
      throw new CheckpointError(
        directory,
        `Cannot start a run in ${directory}: there is one in it. Continue it with --resume ${directory}, or give another --out`,
      );
    if (found.length > 0)
      throw new CheckpointError(
        directory,
        `Cannot start a run in ${directory}: expected a new or empty directory but it holds ${found[0]}. Give another --out`,
      );
  });
}

/** Makes the directory of a new run, parents included; `expectNoRun` tells whether it may be used. @throws CheckpointError when it can't be made. */
export async function createRunDirectory(directory: string): Promise<RunPaths> {
  await startAttempt(directory, () => mkdir(directory, { recursive: true }));
  return runPaths(directory);
}

async function startAttempt(directory: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(directory, `Cannot start a run in ${directory}: ${failureReason(error)}`, {
      cause: error,
    });
  }
}

/** Removes the temporary files of writes that were killed. Only for who holds the run's lock: no write is in progress then. */
export async function removeTemporaries(directory: string): Promise<void> {
  for (const place of [directory, runPaths(directory).checkpoints]) {
    if ((await fileKind(place)) === undefined) continue;
    // A lock's temporary files belong to whoever tries to take it.
    const names = (await readdir(place)).filter((name) => isTemporaryName(name) && !name.startsWith(`.${LOCK_FILE}.`));
    for (const name of names) await unlink(join(place, name));
  }
}

/** Steps of a run's checkpoints, ascending. A directory without checkpoints has none. */
export async function listCheckpoints(directory: string): Promise<readonly number[]> {
  const { checkpoints } = runPaths(directory);
  try {
    return (await readdir(checkpoints))
      .map((name) => /^step-(0|[1-9]\d*)\.safetensors$/.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw new CheckpointError(checkpoints, `Cannot list ${checkpoints}: ${failureReason(error)}`, { cause: error });
  }
}

/**
 * Writes a checkpoint atomically, then deletes older ones but the last `keep` (this one included) and the best.
 * @throws CheckpointError when it can't be written; then nothing is deleted.
 */
export async function writeCheckpoint(
  directory: string,
  {
    step,
    bytes,
    keep,
    bestStep,
  }: { readonly step: number; readonly bytes: Uint8Array; readonly keep: number; readonly bestStep: number | null },
): Promise<void> {
  if (!Number.isSafeInteger(keep) || keep < 1)
    throw new RangeError(`Cannot keep checkpoints: expected keep to be a whole number from 1 but got ${keep}`);
  const made = await mkdir(runPaths(directory).checkpoints, { recursive: true });
  if (made !== undefined) await syncDirectory(directory);
  await writeFileAtomically(checkpointPath(directory, step), bytes);
  const older = (await listCheckpoints(directory)).filter((other) => other <= step);
  const obsolete = older.slice(0, Math.max(0, older.length - keep)).filter((other) => other !== bestStep);
  for (const other of obsolete) await unlink(checkpointPath(directory, other));
}

/** One checkpoint of a run, as a command line names it. */
export interface RunReference {
  readonly directory: string;
  readonly which: 'newest' | 'best' | number;
}

/**
 * Reads `RUN`, `RUN@best` or `RUN@500`. A path that is a directory as a whole is taken whole, at-sign and all.
 * @throws CheckpointError when what follows the at-sign is neither `best` nor a step, or the directory is no run directory.
 */
export async function parseRunReference(reference: string): Promise<RunReference> {
  const parts = /^(?<directory>.+)@(?<which>[^/@]*)$/s.exec(reference)?.groups;
  if (parts === undefined || (await fileKind(reference)) === 'directory')
    return { directory: await expectRun(reference), which: 'newest' };
  const { directory = '', which = '' } = parts;
  if (which === 'best') return { directory: await expectRun(directory), which };
  if (/^(0|[1-9]\d{0,14})$/.test(which)) return { directory: await expectRun(directory), which: Number(which) };
  throw new CheckpointError(
    reference,
    `Cannot read ${reference}: expected RUN, RUN@best or RUN@STEP but got "${which}" after the @`,
  );
}

async function expectRun(directory: string): Promise<string> {
  const kind = await fileKind(directory);
  if (kind !== 'directory')
    throw new CheckpointError(
      directory,
      `Cannot read the run ${directory}: expected a directory but ${kind === undefined ? 'there is none' : 'it is a file'}`,
    );
  if (!(await isRunDirectory(directory)))
    throw new CheckpointError(directory, `Cannot read the run ${directory}: the directory has no config.json`);
  return directory;
}

/** What a path is; undefined where there is nothing. @throws CheckpointError when that can't be told. */
export async function fileKind(path: string): Promise<'file' | 'directory' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CheckpointError(path, `Cannot read ${path}: ${failureReason(error)}`, { cause: error });
  }
}
