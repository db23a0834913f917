import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DataSet } from '../data-sets/data-set.ts';
import { readDataDirectory } from './read-data-directory.ts';

/** Data sets by name, and what the log should say of how they were read. */
export interface LoadedDataSets {
  readonly dataSets: ReadonlyMap<string, DataSet>;
  readonly messages: readonly string[];
}

/**
 * The data sets in the directories given, by name, and the digits that ship with the project (unless `digits` is given too).
 * @example const { dataSets } = await loadDataSets(new Map([['mnist', 'data/mnist']]))
 * @throws RangeError or SyntaxError for directories and files that can't be used.
 */
export async function loadDataSets(directories: ReadonlyMap<string, string> = new Map()): Promise<LoadedDataSets> {
  const all = new Map([['digits', shippedFile('tasks/data/digits')], ...directories]);
  const read = await Promise.all([...all].map(([name, directory]) => readDataDirectory(directory, { name })));
  return {
    dataSets: new Map(read.map(({ dataSet }) => [dataSet.name, dataSet])),
    messages: read.flatMap(({ messages }) => messages),
  };
}

/**
 * Path of a file or folder that ships with the project, from its path in the repository: sources run two folders below the root,
 * what is built from them three.
 */
export function shippedFile(path: string): string {
  const candidates = ['../../', '../../../'].map((up) => fileURLToPath(new URL(`${up}${path}`, import.meta.url)));
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined)
    throw new RangeError(`Cannot find ${path}, which ships with lopt: expected it at ${candidates.join(' or ')}`);
  return found;
}
