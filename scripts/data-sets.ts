import type { DataSet } from '../tasks/data-sets/data-set.ts';
import type { CommandContext } from './cli/command.ts';
import { UsageError } from './cli/option.ts';

/**
 * The data sets of `--data NAME=DIR`, beside those that ship. Notes on how they were read go to stderr.
 * @throws UsageError for a name given twice; RangeError or SyntaxError for what can't be read.
 */
export async function dataSetsFrom(
  data: readonly (readonly [name: string, directory: string])[],
  { stderr }: CommandContext,
): Promise<ReadonlyMap<string, DataSet>> {
  const { loadDataSets } = await import('../tasks/files/load-data-sets.ts');
  const directories = new Map<string, string>();
  for (const [name, directory] of data) {
    const other = directories.get(name);
    if (other !== undefined)
      throw new UsageError(`Cannot use --data ${name}=${directory}: ${name} is given already, as ${other}`);
    directories.set(name, directory);
  }
  const { dataSets, messages } = await loadDataSets(directories);
  for (const message of messages) stderr.write(`${message}\n`);
  return dataSets;
}
