import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

export type Log = (message: string) => void;

/**
 * The user's folder for compiled programs, whether it exists or not: `native` in LOPT_CACHE; else in `lopt` of XDG_CACHE_HOME or
 * ~/.cache (macOS: ~/Library/Caches).
 * @throws SystemError for a user without a home.
 */
export function cachePath(): string {
  const { LOPT_CACHE = '', XDG_CACHE_HOME = '' } = process.env;
  if (LOPT_CACHE !== '') return join(resolve(LOPT_CACHE), 'native');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'lopt', 'native');
  // The specification of these variables has relative paths ignored.
  return join(isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache'), 'lopt', 'native');
}

let temporary: Promise<string> | undefined;

/** A folder that only this process uses and that goes when it ends, in place of `path`. The first call says so. */
export function temporaryCache(log: Log, path: string, cause: unknown): Promise<string> {
  temporary ??= (async () => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    log(
      `Compiled programs are not kept: expected a folder that can be written at ${path} but got ${reason}; set LOPT_CACHE to another`,
    );
    const directory = await mkdtemp(join(tmpdir(), 'lopt-native-'));
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
    return directory;
  })();
  return temporary;
}

/** The user's folder, made if need be, as far as that can be: reading works without, and who writes sees the error. */
export async function cacheDirectory(log: Log): Promise<string> {
  try {
    const path = cachePath();
    await mkdir(path, { recursive: true, mode: 0o700 }).catch(() => undefined);
    return path;
  } catch (cause) {
    return temporaryCache(log, 'LOPT_CACHE, XDG_CACHE_HOME or the home directory', cause);
  }
}

let writes = 0;

/** Writes a file so that its name holds the old content or all of the new, whoever else writes it. False where it can't. */
export async function writeCacheFile(path: string, content: string): Promise<boolean> {
  writes += 1;
  const beside = `${path}.${process.pid}-${writes}.tmp`;
  try {
    await writeFile(beside, content, { mode: 0o600 });
    await rename(beside, path);
    return true;
  } catch {
    await rm(beside, { force: true }).catch(() => undefined);
    return false;
  }
}
