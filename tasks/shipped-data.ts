/** Data that is read from files, for code that also runs where there are none. */
import type { GivenOptions } from '../lopt/options.ts';
import type { DataSet } from './data-sets/data-set.ts';
import type { LoadedDataSets } from './files/load-data-sets.ts';
import { createTask } from './registry.ts';
import type { Task } from './task.ts';

/**
 * The data sets in the directories given (MNIST's format), by name, and the digits that ship. In Node only.
 * @example const { dataSets } = await loadDataSets(new Map([['mnist', 'data/mnist']]))
 * @throws RangeError or SyntaxError for directories and files that can't be used; TypeError outside Node.
 */
export async function loadDataSets(directories: ReadonlyMap<string, string> = new Map()): Promise<LoadedDataSets> {
  if (!hasFiles())
    throw new TypeError(
      'Cannot read data directories: expected Node.js but this runs elsewhere; give images as arrays (imageDataSet)',
    );
  const files = await import('./files/load-data-sets.ts');
  return files.loadDataSets(directories);
}

/**
 * A task by family and options, with every data set that ships: the procedural ones and, in Node, the digits. Those given come before.
 * @example await createTaskWithData('image-mlp', { hidden: [64] })
 * @throws RangeError for an unknown family, option or data set; TypeError for an option of the wrong kind.
 */
export async function createTaskWithData(
  name: string,
  given: GivenOptions = {},
  { dataSets }: { readonly dataSets?: ReadonlyMap<string, DataSet> } = {},
): Promise<Task> {
  const shipped = hasFiles() ? (await loadDataSets()).dataSets : [];
  return createTask(name, given, { dataSets: new Map([...shipped, ...(dataSets ?? [])]) });
}

function hasFiles(): boolean {
  return typeof process === 'object' && typeof process.versions === 'object' && process.versions.node !== undefined;
}
