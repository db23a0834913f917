import { exactExp, exactLog } from './elementary.ts';
import { DRAW_DOMAIN, type Key } from './key.ts';
import { normalOfWord, truncatedNormalOfWord } from './normal-quantile.ts';
import { BLOCK_WORDS, philox } from './philox.ts';

/**
 * Random numbers from keys. Draw i of a key depends on the key and i alone, so a range can be drawn apart from the others. A draw
 * takes one word of the key's Philox blocks: word i mod 4 of the block whose counter is floor(i / 4).
 */

/** Where a range of draws begins. */
export interface DrawRange {
  /** Index of the first draw. Default 0. */
  readonly first?: number;
}

/** Words made at a time: they stay in the processor's nearest cache. */
const CHUNK_WORDS = 2048;

function eachWord(
  key: Key,
  {
    count,
    first,
    apply,
  }: { readonly count: number; readonly first: number; readonly apply: (words: Uint32Array, at: number) => void },
): void {
  if (!Number.isSafeInteger(count) || count < 0 || !Number.isSafeInteger(first) || first < 0)
    throw new RangeError(
      `Cannot draw: expected count and first to be integers of at least 0 but got ${String(count)} and ${String(first)}`,
    );
  const words = new Uint32Array(Math.min(CHUNK_WORDS, count + BLOCK_WORDS));
  for (let at = 0; at < count;) {
    const block = Math.floor((first + at) / BLOCK_WORDS);
    const skip = first + at - block * BLOCK_WORDS;
    const take = Math.min(words.length - skip, count - at);
    philox(key, { c0: block, c1: Math.floor(block / 2 ** 32), c2: 0, c3: DRAW_DOMAIN }, words.subarray(0, skip + take));
    apply(words.subarray(skip, skip + take), at);
    at += take;
  }
}

/** The raw 32-bit words. */
export function words(key: Key, count: number, { first = 0 }: DrawRange = {}): Uint32Array {
  const out = new Uint32Array(count);
  eachWord(key, { count, first, apply: (words, at) => out.set(words, at) });
  return out;
}

/** Uniform in [0, 1): multiples of 2^-24. */
export function uniform(key: Key, count: number, { first = 0 }: DrawRange = {}): Float32Array {
  const out = new Float32Array(count);
  eachWord(key, {
    count,
    first,
    apply: (words, at) => {
      for (let i = 0; i < words.length; i += 1) out[at + i] = (words[i]! >>> 8) * 2 ** -24;
    },
  });
  return out;
}

/** Standard normal, no larger than 6.4 in absolute value. */
export function normal(key: Key, count: number, { first = 0 }: DrawRange = {}): Float32Array {
  const out = new Float32Array(count);
  eachWord(key, {
    count,
    first,
    apply: (words, at) => {
      for (let i = 0; i < words.length; i += 1) out[at + i] = normalOfWord(words[i]!);
    },
  });
  return out;
}

/** Standard normal conditioned on [-2, 2]; its standard deviation is 0.8796, which is not corrected. */
export function truncatedNormal(key: Key, count: number, { first = 0 }: DrawRange = {}): Float32Array {
  const out = new Float32Array(count);
  eachWord(key, {
    count,
    first,
    apply: (words, at) => {
      for (let i = 0; i < words.length; i += 1) out[at + i] = truncatedNormalOfWord(words[i]!);
    },
  });
  return out;
}

/** -1 or 1, each with probability one half: 1 where the draw's word has its lowest bit set. */
export function rademacher(key: Key, count: number, { first = 0 }: DrawRange = {}): Float32Array {
  const out = new Float32Array(count);
  eachWord(key, {
    count,
    first,
    apply: (words, at) => {
      for (let i = 0; i < words.length; i += 1) out[at + i] = (words[i]! & 1) * 2 - 1;
    },
  });
  return out;
}

/** Bounds of a draw. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/**
 * Log-uniform between two positive bounds: min * (max / min)^u, u of 32 bits, rounded to float32 and kept within the bounds. Made of
 * exact operations in double precision: the same bits on every machine.
 * @throws RangeError when not 0 < min <= max.
 */
export function logUniform(key: Key, count: number, { min, max, first = 0 }: Bounds & DrawRange): Float32Array {
  checkBounds('a log-uniform number', { min, max }, Number.isFinite);
  const low = exactLog(min);
  const span = exactLog(max) - low;
  const out = new Float32Array(count);
  eachWord(key, {
    count,
    first,
    apply: (words, at) => {
      for (let i = 0; i < words.length; i += 1)
        out[at + i] = Math.min(max, Math.max(min, exactExp(low + (words[i]! * span) / 2 ** 32)));
    },
  });
  return out;
}

/**
 * An integer whose logarithm is about uniform: floor(exp(U(ln min, ln max))), so that max itself is only drawn where min = max. Made
 * of exact operations in double precision from a uniform number of 53 bits: the same integer on every machine.
 * @throws RangeError when min and max aren't integers with 1 <= min <= max.
 */
export function logUniformInteger(key: Key, { min, max }: Bounds): number {
  checkBounds('a log-uniform integer', { min, max }, Number.isSafeInteger);
  if (min === max) return min;
  const [a = 0, b = 0] = words(key, 2);
  const u = (a * 2 ** 21 + (b >>> 11)) / 2 ** 53;
  const low = exactLog(min);
  const value = Math.floor(exactExp(low + u * (exactLog(max) - low)));
  return Math.min(max - 1, Math.max(min, value));
}

function checkBounds(what: string, { min, max }: Bounds, valid: (value: unknown) => boolean): void {
  if (!valid(min) || !valid(max) || min <= 0 || min > max)
    throw new RangeError(
      `Cannot draw ${what}: expected bounds 0 < min <= max but got min ${String(min)} and max ${String(max)}`,
    );
}
