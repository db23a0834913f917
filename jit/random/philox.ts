/**
 * Philox4x32-10, the counter-based generator under every random number here.
 *
 * **Source** J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 * **Checked against** the known-answer vectors of the Random123 distribution (all zeros, all ones, digits of pi) and a counter carry.
 * **Differs** not at all; the multipliers' high words are put together from 16-bit halves, since a product of two 32-bit numbers has
 * more bits than a double holds.
 */

/** Words in a block. */
export const BLOCK_WORDS = 4;

const ROUNDS = 10;
// The multipliers 0xd2511f53 and 0xcd9e8d57, and their halves.
const M0 = 0xd2511f53 | 0;
const M0_LOW = 0x1f53;
const M0_HIGH = 0xd251;
const M1 = 0xcd9e8d57 | 0;
const M1_LOW = 0x8d57;
const M1_HIGH = 0xcd9e;
// What the key grows by every round: the golden ratio and sqrt(3) - 1, as 32-bit fractions.
const WEYL0 = 0x9e3779b9 | 0;
const WEYL1 = 0xbb67ae85 | 0;

/** Two key words; any integers, taken modulo 2^32. */
export interface PhiloxKey {
  readonly low: number;
  readonly high: number;
}

/** Four counter words; any integers, taken modulo 2^32. */
export interface PhiloxCounter {
  readonly c0: number;
  readonly c1: number;
  readonly c2: number;
  readonly c3: number;
}

/**
 * Fills `out` with the blocks of consecutive counters, four 32-bit words each; the last block is cut where `out` ends. The counter
 * counts in its four words, lowest first, with carries.
 */
export function philox({ low, high }: PhiloxKey, counter: PhiloxCounter, out: Uint32Array): void {
  let { c0, c1, c2, c3 } = counter;
  for (let at = 0; at < out.length; at += BLOCK_WORDS) {
    let x0 = c0 | 0;
    let x1 = c1 | 0;
    let x2 = c2 | 0;
    let x3 = c3 | 0;
    let k0 = low | 0;
    let k1 = high | 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      // High words of M0 * x0 and M1 * x2. Every intermediate is below 2^32, so 32-bit wrapping loses nothing.
      const x0Low = x0 & 0xffff;
      const x0High = x0 >>> 16;
      const a = (Math.imul(M0_HIGH, x0Low) + (Math.imul(M0_LOW, x0Low) >>> 16)) | 0;
      const b = (Math.imul(M0_LOW, x0High) + (a & 0xffff)) | 0;
      const high0 = (Math.imul(M0_HIGH, x0High) + (a >>> 16) + (b >>> 16)) | 0;
      const x2Low = x2 & 0xffff;
      const x2High = x2 >>> 16;
      const c = (Math.imul(M1_HIGH, x2Low) + (Math.imul(M1_LOW, x2Low) >>> 16)) | 0;
      const d = (Math.imul(M1_LOW, x2High) + (c & 0xffff)) | 0;
      const high1 = (Math.imul(M1_HIGH, x2High) + (c >>> 16) + (d >>> 16)) | 0;
      const low0 = Math.imul(M0, x0);
      const low1 = Math.imul(M1, x2);
      x0 = high1 ^ x1 ^ k0;
      x1 = low1;
      x2 = high0 ^ x3 ^ k1;
      x3 = low0;
      k0 = (k0 + WEYL0) | 0;
      k1 = (k1 + WEYL1) | 0;
    }
    out[at] = x0;
    if (at + 1 < out.length) out[at + 1] = x1;
    if (at + 2 < out.length) out[at + 2] = x2;
    if (at + 3 < out.length) out[at + 3] = x3;
    c0 = (c0 + 1) | 0;
    if (c0 === 0) c1 = (c1 + 1) | 0;
    if (c0 === 0 && c1 === 0) c2 = (c2 + 1) | 0;
    if (c0 === 0 && c1 === 0 && c2 === 0) c3 = (c3 + 1) | 0;
  }
}
