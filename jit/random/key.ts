import seedrandom from 'seedrandom';
import { philox } from './philox.ts';

/**
 * A key: 64 bits from which draws are made. Opaque; made by `rootKey` and `fold`. Draw from a key for one purpose only: different
 * kinds of draws from the same key are functions of the same bits.
 */
export interface Key {
  readonly low: number;
  readonly high: number;
}

// The last counter word says what a block is for, so that no fold of a key can equal one of its draws.
/** Last counter word of blocks from which numbers are drawn. */
export const DRAW_DOMAIN = 0;
const INTEGER_DOMAIN = 1;
const TEXT_DOMAIN = 2;
/** Last counter word of blocks that key the rounds of a permutation. */
export const PERMUTATION_DOMAIN = 3;

const TEXT = new TextEncoder();

/**
 * The key of a user's seed. Seeds are compared as text: 7 and '7' are one seed.
 * @throws TypeError when the seed is neither text nor a finite number.
 */
export function rootKey(seed: number | string): Key {
  if (typeof seed !== 'string' && !(typeof seed === 'number' && Number.isFinite(seed)))
    throw new TypeError(`Cannot make a key: expected the seed to be text or a finite number but got ${String(seed)}`);
  const generator = seedrandom(String(seed));
  const low = generator.int32() >>> 0;
  const high = generator.int32() >>> 0;
  return { low, high };
}

/**
 * The key that belongs to labels under a key: `fold(key, 'batches', 3)`. Other labels, another order, or a number for a text give an
 * unrelated key; `fold(fold(key, a), b)` is `fold(key, a, b)`.
 * @throws TypeError when a label is neither text nor a safe integer.
 */
export function fold(key: Key, ...labels: readonly (number | string)[]): Key {
  return labels.reduce((folded: Key, label) => {
    if (typeof label === 'string') return foldText(folded, label);
    if (!Number.isSafeInteger(label))
      throw new TypeError(`Cannot fold a label into a key: expected text or a safe integer but got ${String(label)}`);
    return foldWords(folded, label, Math.floor(label / 2 ** 32), { c2: 0, c3: INTEGER_DOMAIN });
  }, key);
}

/** Eight UTF-8 bytes a block, each block keyed by what the one before gave; the block that ends the text holds its length too. */
function foldText(key: Key, label: string): Key {
  const bytes = TEXT.encode(label);
  const word = (at: number): number =>
    (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
  let folded = key;
  let at = 0;
  do {
    const last = at + 8 >= bytes.length;
    folded = foldWords(folded, word(at), word(at + 4), { c2: last ? bytes.length + 1 : 0, c3: TEXT_DOMAIN });
    at += 8;
  } while (at < bytes.length);
  return folded;
}

function foldWords(key: Key, c0: number, c1: number, { c2, c3 }: { readonly c2: number; readonly c3: number }): Key {
  const block = new Uint32Array(2);
  philox(key, { c0, c1, c2, c3 }, block);
  return { low: block[0] ?? 0, high: block[1] ?? 0 };
}
