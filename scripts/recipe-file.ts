import { readFile } from 'node:fs/promises';
import { isRecord, valueText, type GivenOptions } from '../lopt/options.ts';
import type { RunConfig } from '../meta/config.ts';
import { RECIPES } from '../meta/recipes/registry.ts';
import { suggestion } from './cli/nearest.ts';
import { UsageError } from './cli/option.ts';

/**
 * A recipe's config with some items changed, each as `[a.b, value]`.
 * @throws UsageError as `loadRecipe`; TypeError or RangeError for an item that there isn't, or of another kind.
 */
export async function loadConfig(
  reference: string,
  changes: readonly (readonly [string, string])[],
): Promise<RunConfig> {
  const { checkConfig, overrideConfig } = await import('../meta/config.ts');
  let config: unknown = await loadRecipe(reference);
  for (const [name, value] of changes) config = overrideConfig(config, `${name}=${value}`);
  return checkConfig(config);
}

/**
 * A recipe by name or from a JSON file; the config isn't checked yet.
 * @throws UsageError that names the recipe or the file.
 */
export async function loadRecipe(reference: string): Promise<GivenOptions> {
  const known = RECIPES.get(reference);
  if (known !== undefined) return known;
  if (!/[./\\]/.test(reference))
    throw new UsageError(
      `Cannot use recipe ${reference}: expected one of ${[...RECIPES.keys()].join(', ')}${suggestion(reference, RECIPES.keys())}, or the path of a JSON file`,
    );
  let text: string;
  try {
    text = await readFile(reference, 'utf8');
  } catch (error) {
    throw new UsageError(`Cannot read recipe ${reference}: ${error instanceof Error ? error.message : String(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `Cannot read recipe ${reference}: expected JSON but ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (!isRecord(value))
    throw new UsageError(`Cannot read recipe ${reference}: expected a JSON object but got ${valueText(value)}`);
  return value;
}
