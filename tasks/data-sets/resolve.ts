import { BUILT_IN_DATA_SETS } from './built-in.ts';
import type { DataSet } from './data-set.ts';

/**
 * What takes the place of the published data sets where they aren't given: the shipped digits, or a procedural style. No reserved
 * style is among them, so that held-out tasks stay unseen.
 */
export const STAND_INS: ReadonlyMap<string, string> = new Map([
  ['mnist', 'digits'],
  ['fashion-mnist', 'glyphs-bold'],
  ['cifar10', 'glyphs-shaded'],
  ['svhn', 'glyphs-noisy'],
  ['kmnist', 'glyphs-sketch'],
  ['usps', 'glyphs-plain'],
]);

/** Data sets that are used for those named. */
export interface ResolvedDataSets {
  /** What is used for each name: the name itself where it is there. */
  readonly uses: ReadonlyMap<string, string>;
  /** What the log should say: a line for each data set that is replaced. */
  readonly messages: readonly string[];
}

/**
 * Which data set to use for each name: itself where it is given or built in, else its stand-in.
 * @param given data sets by name, the shipped digits among them.
 * @param standIns taken before `STAND_INS`.
 * @throws RangeError for a name that is neither given, built in nor replaceable.
 */
export function resolveDataSets(
  names: readonly string[],
  given: ReadonlyMap<string, DataSet>,
  standIns: ReadonlyMap<string, string> = new Map(),
): ResolvedDataSets {
  const isThere = (name: string): boolean => given.has(name) || BUILT_IN_DATA_SETS.has(name);
  const uses = new Map<string, string>();
  const messages: string[] = [];
  for (const name of new Set(names)) {
    const standIn = standIns.get(name) ?? STAND_INS.get(name);
    if (isThere(name)) uses.set(name, name);
    else if (standIn !== undefined && isThere(standIn)) {
      uses.set(name, standIn);
      messages.push(`data set ${name} isn't given: ${standIn} takes its place (--data ${name}=DIR gives it)`);
    } else
      throw new RangeError(
        `Cannot find data set ${name}: expected one of ${[...new Set([...given.keys(), ...BUILT_IN_DATA_SETS.keys(), ...STAND_INS.keys()])].join(', ')}, or --data ${name}=DIR`,
      );
  }
  return { uses, messages };
}
