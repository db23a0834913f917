import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError } from '../checkpoint-error.ts';
import { errorCode, failureReason } from './file-errors.ts';

let writes = 0;

/** Whether a file name is a temporary one, as `writeFileAtomically` and locks make them and a kill leaves them behind. */
export function isTemporaryName(name: string): boolean {
  return /^\..+\.\d+-\d+\.tmp(\.stale)?$/.test(name);
}

/**
 * Writes a file so that at every moment, kill and power cut included, its name holds either all of the old content or all of the
 * new: a temporary file beside it is written, synced and renamed over it, and the directory is synced. When writing fails (a full
 * disk, say) the old file stays and the temporary one is removed.
 * @throws CheckpointError naming the file and the reason.
 */
export async function writeFileAtomically(path: string, content: Uint8Array | string): Promise<void> {
  writes += 1;
  // The name starts with a dot and ends in .tmp: no listing takes it for a checkpoint if a kill leaves it behind.
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${writes}.tmp`);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'w');
    await handle.writeFile(content);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
    throw new CheckpointError(path, `Cannot write ${path}: ${failureReason(error)}. What it held before is unchanged`, {
      cause: error,
    });
  }
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory durable. Does nothing where the system can't sync a directory (Windows). */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'EISDIR' && code !== 'EPERM' && code !== 'EACCES' && code !== 'EINVAL') throw error;
  }
}
