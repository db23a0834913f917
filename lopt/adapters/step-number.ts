/** Steps enter programs as int32. */
const LAST_STEP = 2 ** 31 - 1;

/**
 * A step as a number, from a number or a bigint: the updates done before this one.
 * @throws TypeError or RangeError that names step.
 */
export function readStep(step: unknown, doing: string): number {
  const expected = `Cannot ${doing}: expected step to be a whole number from 0 to ${LAST_STEP}`;
  if (typeof step !== 'number' && typeof step !== 'bigint')
    throw new TypeError(`${expected} but got ${step === null ? 'null' : `a ${typeof step}`}`);
  const got = typeof step === 'bigint' ? `${step}n` : `${step}`;
  const number = Number(step);
  if (!Number.isInteger(number) || number < 0 || step > LAST_STEP) throw new RangeError(`${expected} but got ${got}`);
  return number;
}
