import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { CheckpointError } from '../checkpoint-error.ts';
import { fromJson, toJson } from '../json-numbers.ts';
import { writeFileAtomically } from './atomic-write.ts';
import { errorCode, failureReason } from './file-errors.ts';

/** What is known of one outer step. `step` is 0-based; numbers that aren't finite are kept (json-numbers.ts says how). */
export interface MetricsRecord {
  readonly step: number;
  readonly [name: string]: unknown;
}

/** metrics.ndjson, open for appending: one JSON object a line. */
export class MetricsLog {
  readonly #path: string;
  #file: number | undefined;

  /** Opens the file, or makes it. Call `cutMetrics` first when resuming. @throws CheckpointError when it can't be opened. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, 'a');
    } catch (error) {
      throw new CheckpointError(path, `Cannot write ${path}: ${failureReason(error)}`, { cause: error });
    }
  }

  /** Appends one record. @throws CheckpointError on a full disk; the next `cutMetrics` removes what was written of the line. */
  append(record: MetricsRecord): void {
    const bytes = new TextEncoder().encode(`${toJson(record)}\n`);
    this.#attempt((file) => {
      let written = 0;
      while (written < bytes.length) written += writeSync(file, bytes, written);
    });
  }

  /** Returns when all records are on the disk. Call it before a checkpoint is written: a checkpoint's records then never lack. */
  sync(): void {
    this.#attempt(fsyncSync);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #attempt(action: (file: number) => void): void {
    if (this.#file === undefined) throw new TypeError(`Cannot write ${this.#path}: the log is closed`);
    try {
      action(this.#file);
    } catch (error) {
      throw new CheckpointError(this.#path, `Cannot write ${this.#path}: ${failureReason(error)}`, { cause: error });
    }
  }
}

/**
 * The records of a metrics.ndjson, in order; none when there is no such file. A last line that isn't finished (a run that is
 * writing, or was killed) is left out.
 * @throws CheckpointError naming the line when one elsewhere is no record.
 */
export async function readMetrics(path: string): Promise<readonly MetricsRecord[]> {
  return (await readLines(path)).map(({ record }) => record);
}

/** How many of the steps before `step` have no record: 0 unless someone edited or lost the file. */
export function lackingRecords(records: readonly MetricsRecord[], { step }: { readonly step: number }): number {
  const recorded = new Set(records.map((record) => record.step).filter((other) => other >= 0 && other < step));
  return step - recorded.size;
}

/**
 * Cuts metrics.ndjson back to a checkpoint: keeps the records of steps before `step`, drops the others and a torn last line, and
 * gives a complete last line its newline back. The file is replaced atomically, and only when something changes.
 * @throws CheckpointError naming the line when one that isn't the last is no record.
 */
export async function cutMetrics(path: string, { step }: { readonly step: number }): Promise<readonly MetricsRecord[]> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return [];
  const kept = (await readLines(path)).filter(({ record }) => record.step < step);
  const content = new TextEncoder().encode(kept.map(({ line }) => `${line}\n`).join(''));
  if (Buffer.compare(content, bytes) !== 0) await writeFileAtomically(path, content);
  return kept.map(({ record }) => record);
}

interface Line {
  readonly line: string;
  readonly record: MetricsRecord;
}

async function readLines(path: string): Promise<readonly Line[]> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return [];
  const lines: Line[] = [];
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    const line = parseLine(bytes.subarray(start, end));
    if (line !== undefined) lines.push(line);
    else if (newline !== -1)
      throw new CheckpointError(
        path,
        `Cannot read ${path}: expected line ${lines.length + 1} to be a JSON object with a whole number named step but got ` +
          `${excerpt(bytes.subarray(start, end))}. Restore the file, or delete the line: the run goes on without that record`,
      );
    start = end + 1;
  }
  return lines;
}

/** A line's record; undefined when it is not a complete one, as when a kill cut it, perhaps inside a character. */
function parseLine(bytes: Uint8Array): Line | undefined {
  try {
    const line = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const value = fromJson(line);
    return isRecord(value) ? { line, record: value } : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is MetricsRecord {
  return typeof value === 'object' && value !== null && 'step' in value && Number.isSafeInteger(value.step);
}

function excerpt(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 40));
  return JSON.stringify(bytes.length > 40 ? `${text}...` : text);
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new CheckpointError(path, `Cannot read ${path}: ${failureReason(error)}`, { cause: error });
  }
}
