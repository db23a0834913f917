import { words } from '../../jit/random/draws.ts';
import type { Key } from '../../jit/random/key.ts';

/** One of a list's items, each equally likely: a pure function of the key. @throws RangeError when the list is empty. */
export function pick<T>(key: Key, items: readonly T[]): T {
  const [word = 0] = words(key, 1);
  const index = Math.floor((word / 2 ** 32) * items.length);
  if (index >= items.length)
    throw new RangeError('Cannot pick an item: expected a list of at least one but got an empty one');
  // The one cast: the index is in range.
  return items[index] as T;
}
