import type { GivenOptions } from '../../lopt/options.ts';
import { CELO2_DIGITS } from './celo2-digits.ts';
import { CELO2 } from './celo2.ts';
import { SMALL } from './small.ts';
import { SMOKE } from './smoke.ts';

/** Recipes that come with the project, by name: configs of meta-training runs, which `checkConfig` fills in. */
export const RECIPES: ReadonlyMap<string, GivenOptions> = new Map([
  ['smoke', SMOKE],
  ['small', SMALL],
  ['celo2', CELO2],
  ['celo2-digits', CELO2_DIGITS],
]);

/**
 * A recipe by name, before defaults and overrides.
 * @throws RangeError listing what there is.
 */
export function findRecipe(name: string): GivenOptions {
  const recipe = RECIPES.get(name);
  if (recipe === undefined)
    throw new RangeError(`Cannot find recipe ${name}: expected one of ${[...RECIPES.keys()].join(', ')}`);
  return recipe;
}
