/**
 * A thread count as given.
 * @throws RangeError when it is no positive integer.
 */
export function checkThreads(threads: number): number {
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`Cannot start an engine: expected a whole number of threads from 1 but got ${threads}`);
  return threads;
}
