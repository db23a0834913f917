/** Every optimizer. The command line, the docs' tables, the conformance tests and the exporter go by this list. */
import { ADAM } from './hand/adam.ts';
import { ADAMW } from './hand/adamw.ts';
import { MOMENTUM } from './hand/momentum.ts';
import { NADAMW } from './hand/nadamw.ts';
import { NESTEROV } from './hand/nesterov.ts';
import { RMSPROP } from './hand/rmsprop.ts';
import { SGD } from './hand/sgd.ts';
import { ADAFAC_MLP } from './learned/adafac-mlp.ts';
import { CELO2, CELO2_BASE } from './learned/celo2.ts';
import type { LearnedOptimizer, Optimizer } from './optimizer.ts';
import type { GivenOptions } from './options.ts';
import { parseReference, type Reference } from './reference.ts';
import type { OptimizerEntry, WrapperEntry } from './registry-entry.ts';
import { DECOUPLED_WEIGHT_DECAY } from './wrappers/decoupled-weight-decay.ts';
import { GRADIENT_CLIPPING } from './wrappers/gradient-clipping.ts';

/** Every optimizer, in the order in which lists show them. */
export const OPTIMIZERS: readonly OptimizerEntry[] = [
  SGD,
  MOMENTUM,
  NESTEROV,
  RMSPROP,
  ADAM,
  ADAMW,
  NADAMW,
  GRADIENT_CLIPPING,
  DECOUPLED_WEIGHT_DECAY,
  ADAFAC_MLP,
  CELO2,
  CELO2_BASE,
];

/** What the caller knows beyond the registry. */
export interface CreateContext {
  /** Makes optimizers that aren't in the registry by name alone, such as shipped learned ones; asked first. */
  readonly resolve?: (reference: Reference) => Optimizer | undefined;
  /** Names of the learned optimizers that ship with a theta: for the error that asks for one. */
  readonly shipped?: readonly string[];
}

/** The registry's entry. @throws RangeError listing what there is. */
export function findOptimizer(name: string, { shipped = [] }: CreateContext = {}): OptimizerEntry {
  const entry = OPTIMIZERS.find((candidate) => candidate.name === name);
  if (entry === undefined)
    throw new RangeError(
      `Cannot find an optimizer: expected one of ${[...OPTIMIZERS.map((known) => known.name), ...shipped].join(', ')} but got ${name}`,
    );
  return entry;
}

/**
 * An optimizer that needs no theta: a hand-designed one, or a wrapper around one.
 * @throws RangeError for an unknown name, or a learned one (its theta is missing); TypeError, RangeError or SyntaxError for options.
 */
export function createOptimizer(name: string, options: GivenOptions = {}, context: CreateContext = {}): Optimizer {
  const resolved = context.resolve?.({ name, options });
  if (resolved !== undefined) return resolved;
  const entry = findOptimizer(name, context);
  if (entry.family === 'learned') return refuseWithoutTheta(name, context);
  return entry.family === 'wrapper' ? createWrapper(entry, options, context) : entry.create(options);
}

/** A learned optimizer, still without theta. @throws RangeError for a name that isn't a learned optimizer's; as `createOptimizer` for options. */
export function createLearned(name: string, options: GivenOptions = {}): LearnedOptimizer {
  const entry = findOptimizer(name);
  if (entry.family !== 'learned') {
    const names = OPTIMIZERS.filter(({ family }) => family === 'learned').map((known) => known.name);
    throw new RangeError(`Cannot create a learned optimizer: expected one of ${names.join(', ')} but got ${name}`);
  }
  return entry.create(options);
}

function createWrapper(entry: WrapperEntry, given: GivenOptions, context: CreateContext): Optimizer {
  const { base: givenBase, ...flat } = given;
  const base = parseReference(givenBase ?? entry.defaultBase);
  const baseKeys = optionKeys(base, context);
  const own: Record<string, unknown> = {};
  const forBase: Record<string, unknown> = { ...base.options };
  for (const [key, value] of Object.entries(flat)) {
    const mine = Object.hasOwn(entry.options, key);
    const nested = Object.hasOwn(base.options, key);
    if (mine && baseKeys.has(key) && !nested) refuseAmbiguous(entry.name, base.name, key);
    if (!mine && nested) refuseTwice(entry.name, key);
    if (!mine && !baseKeys.has(key)) refuseKey(entry, base.name, { key, baseKeys });
    (mine ? own : forBase)[key] = value;
  }
  return entry.wrap(own, createOptimizer(base.name, forBase, context));
}

/** The options that a reference may be given: an optimizer's own, and through a wrapper its base's. */
function optionKeys({ name, options }: Reference, context: CreateContext): ReadonlySet<string> {
  if (context.resolve?.({ name, options }) !== undefined) return new Set();
  const entry = findOptimizer(name, context);
  const own = Object.keys(entry.options);
  if (entry.family !== 'wrapper') return new Set(own);
  return new Set([...own, 'base', ...optionKeys(parseReference(options['base'] ?? entry.defaultBase), context)]);
}

function refuseAmbiguous(name: string, base: string, key: string): never {
  throw new RangeError(
    `Cannot create ${name}: expected option ${key}, which ${name} and its base ${base} both have, to be given for the base ` +
      `inside it, as in {"base":{"name":"${base}","${key}":...}}, but got it beside the base only`,
  );
}

function refuseTwice(name: string, key: string): never {
  throw new RangeError(`Cannot create ${name}: expected option ${key} once but got it inside the base and beside it`);
}

function refuseKey(
  entry: WrapperEntry,
  base: string,
  { key, baseKeys }: { readonly key: string; readonly baseKeys: ReadonlySet<string> },
): never {
  const own = [...Object.keys(entry.options), 'base'].join(', ');
  throw new RangeError(
    `Cannot create ${entry.name}: expected the options ${own}, or its base ${base}'s ${[...baseKeys].join(', ')} but got ${key}`,
  );
}

function refuseWithoutTheta(name: string, { shipped = [] }: CreateContext): never {
  throw new RangeError(
    `Cannot create ${name}: expected a theta for this learned optimizer but got its name alone; meta-train one ` +
      `(lopt meta-train) and give its run directory, or use one that ships: ${shipped.length === 0 ? 'none here' : shipped.join(', ')}`,
  );
}
