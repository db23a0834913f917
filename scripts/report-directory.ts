import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errorCode, failureReason } from '../checkpoints/files/file-errors.ts';
import { UsageError } from './cli/option.ts';

/**
 * Makes the directory that a report goes to, where there is none, and checks that files can be written in it: before the hours of
 * computing rather than after.
 * @throws UsageError with the reason.
 */
export async function prepareReportDirectory(out: string): Promise<void> {
  try {
    await makeDirectories(resolve(out));
    // Without this a file would be found writable.
    if (!(await stat(out)).isDirectory()) throw new Error('it is a file');
    await access(out, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`Cannot write a report to ${out}: ${failureReason(error)}. Give another --out DIR`);
  }
}

/** As `mkdir` with `recursive`, which never returns for a place such as /proc/x, where a parent exists but nothing can be made. */
async function makeDirectories(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectories(dirname(path));
    await mkdir(path);
  }
}
