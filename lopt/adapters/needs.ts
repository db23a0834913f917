import type { Optimizer } from '../optimizer.ts';
import { valueText } from '../options.ts';

const EVALUATIONS = ['lossAt', 'gradientAt', 'hvp', 'activations', 'microGradients'] as const;

/** Refuses an optimizer that needs more than gradients and losses. @throws TypeError naming the need. */
export function refuseEvaluations({ name, needs }: Optimizer, doing: string): void {
  const need = EVALUATIONS.find((candidate) => needs.includes(candidate));
  if (need !== undefined)
    throw new TypeError(`Cannot ${doing}: ${name} needs ${need}, which only a traced task can give`);
}

/**
 * The horizon of an optimizer named `name`, as given.
 * @throws RangeError when it is missing or no positive number.
 */
export function readHorizon(
  given: unknown,
  { name, doing }: { readonly name: string; readonly doing: string },
): number {
  const expected = `Cannot ${doing}: expected horizon, the number of steps of the whole training,`;
  if (given === undefined) throw new RangeError(`${expected} which ${name} uses, but got none`);
  if (typeof given !== 'number' || !(given > 0) || given === Infinity)
    throw new RangeError(`${expected} to be a positive number but got ${valueText(given)}`);
  return given;
}
