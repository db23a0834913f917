import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointError } from '../checkpoint-error.ts';
import { errorCode, failureReason } from './file-errors.ts';

/** A run directory held by this process. */
export interface RunLock {
  /** Gives the directory back. Synchronous, so that it may be called while the process exits; calling it twice does nothing. */
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** When the process started, in the system's own terms; null where the system doesn't tell. Tells a process from a later one of the same number. */
  readonly started: string | null;
}

/** Name of the lock file in a run directory. */
export const LOCK_FILE = 'lock.json';

let attempts = 0;

/**
 * Takes a run directory for this process. A lock left by a process that is gone (killed, or the machine was restarted) is taken
 * over, which `log` is told.
 * @throws CheckpointError naming the process when another one, or this one, holds the directory.
 */
export function lockRun(directory: string, { log }: { readonly log?: (message: string) => void } = {}): RunLock {
  const path = join(directory, LOCK_FILE);
  const own = JSON.stringify({ pid: process.pid, started: startOf(process.pid) } satisfies Holder);
  attempts += 1;
  const temporary = join(directory, `.${LOCK_FILE}.${process.pid}-${attempts}.tmp`);
  try {
    writeFileSync(temporary, own);
    for (let round = 0; round < 8; round += 1) {
      if (linkNew(temporary, path)) return { release: () => release(path, own) };
      const found = readLock(path);
      if (found === undefined) continue;
      const holder = parseHolder(found);
      if (holder !== undefined && isAlive(holder))
        throw new CheckpointError(
          directory,
          `Cannot use ${directory}: process ${holder.pid} is using it. Wait until it ends, or stop it with: kill -INT ${holder.pid}`,
        );
      if (setAside(path, `${temporary}.stale`, found))
        log?.(
          `${directory} was in use by process ${holder?.pid ?? '(unreadable)'}, which is gone; taking the run over`,
        );
    }
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(directory, `Cannot lock ${directory}: ${failureReason(error)}`, { cause: error });
  } finally {
    removeIfThere(temporary);
  }
  throw new CheckpointError(directory, `Cannot lock ${directory}: other processes keep taking it. Try again`);
}

/** Gives a complete file a second name, which must be new: so a lock is never seen half written. False when the name is taken. */
function linkNew(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return false;
    // File systems without hard links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
  }
  try {
    writeFileSync(to, readFileSync(from), { flag: 'wx' });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead process's lock. False when another process has been quicker, whose lock is put back. */
function setAside(path: string, aside: string, expected: string): boolean {
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  const taken = readLock(aside);
  if (taken !== expected) linkNew(aside, path);
  removeIfThere(aside);
  return taken === expected;
}

function release(path: string, own: string): void {
  if (readLock(path) === own) removeIfThere(path);
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('started' in value)) return undefined;
    const { pid, started } = value;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    return { pid, started: typeof started === 'string' ? started : null };
  } catch {
    return undefined;
  }
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and belongs to someone else.
    if (errorCode(error) !== 'EPERM') return false;
  }
  const now = startOf(pid);
  return now === null || started === null || now === started;
}

/** Boot and clock tick at which a process started, on Linux; null elsewhere, and for a process that is gone. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold blanks; the start is the 22nd field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields[19];
    return ticks === undefined ? null : `${boot}/${ticks}`;
  } catch {
    return null;
  }
}
