import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { CheckpointError } from '../checkpoint-error.ts';
import { errorCode, failureReason } from './file-errors.ts';
import { readFileBytes } from './read-checkpoint.ts';

/** A learned optimizer that ships with the package: files beside the index, checkpoints/zoo/README.md says what is in them. */
export interface ZooEntry {
  /** Name by which it is loaded. */
  readonly name: string;
  /** Its theta. */
  readonly file: string;
  /** The config of the run that it comes from. */
  readonly config: string;
  /** How that run went: every 50th outer step. */
  readonly metrics: string;
  /** What it was trained on, how it does, and what it should not be used for. */
  readonly card: string;
  /** One line. */
  readonly summary: string;
}

/** Beside the sources, or, from dist, at the package's root. */
const PLACES = ['../zoo/', '../../../checkpoints/zoo/'].map((path) => new URL(path, import.meta.url));

const KEYS = ['name', 'file', 'config', 'metrics', 'card', 'summary'] as const;

/** The optimizers that ship, in the order of the index. @throws CheckpointError when the package's index is damaged. */
export async function listZoo(): Promise<readonly ZooEntry[]> {
  return (await readIndex()).entries;
}

/** Path of a shipped optimizer's card. */
export async function zooCard(entry: ZooEntry): Promise<string> {
  const { place } = await readIndex();
  return fileURLToPath(new URL(entry.card, place));
}

/** Bytes of a shipped theta; undefined when none has this name. */
export async function readZoo(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { entries, place } = await readIndex();
  const entry = entries.find((candidate) => candidate.name === name);
  return entry === undefined ? undefined : readFileBytes(fileURLToPath(new URL(entry.file, place)));
}

async function readIndex(): Promise<{ readonly entries: readonly ZooEntry[]; readonly place: URL }> {
  for (const place of PLACES) {
    const path = fileURLToPath(new URL('index.json', place));
    try {
      return { entries: parseIndex(await readFile(path, 'utf8'), path), place };
    } catch (error) {
      if (error instanceof CheckpointError) throw error;
      if (errorCode(error) !== 'ENOENT')
        throw new CheckpointError(path, `Cannot read ${path}: ${failureReason(error)}`, { cause: error });
    }
  }
  const path = fileURLToPath(new URL('index.json', PLACES[0]));
  throw new CheckpointError(path, `Cannot read ${path}, the list of optimizers that ship: the package is not complete`);
}

/** Reads the index: a JSON list of entries. @throws CheckpointError when it is anything else. */
export function parseIndex(text: string, path: string): readonly ZooEntry[] {
  const refuse = (): never => {
    throw new CheckpointError(path, `Cannot read ${path}: expected a JSON list of objects with ${KEYS.join(', ')}`);
  };
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return refuse();
  }
  if (!Array.isArray(list)) return refuse();
  return list.map((item: unknown) => (isEntry(item) ? item : refuse()));
}

function isEntry(item: unknown): item is ZooEntry {
  if (typeof item !== 'object' || item === null) return false;
  const members = new Map<string, unknown>(Object.entries(item));
  return KEYS.every((key) => typeof members.get(key) === 'string');
}
