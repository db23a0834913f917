/**
 * Exponential and logarithm in double precision, made of +, -, *, / alone: the same bits in every JavaScript engine, which
 * `Math.exp` and `Math.log` don't promise.
 *
 * **Source** Taylor's series of exp and of the inverse hyperbolic tangent, after taking out powers of two.
 * **Checked against** `Math.exp` and `Math.log` to four units in the last place, and exact cases.
 */

const SCRATCH = new DataView(new ArrayBuffer(8));
// ln 2 in two parts; the high one has 21 trailing zero bits, so that multiples of it up to 2^20 are exact.
const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;

/** 2^exponent for -1022 <= exponent <= 1023. */
function powerOfTwo(exponent: number): number {
  SCRATCH.setUint32(0, (exponent + 1023) << 20);
  SCRATCH.setUint32(4, 0);
  return SCRATCH.getFloat64(0);
}

/** e^x for -700 <= x <= 700. */
export function exactExp(x: number): number {
  const k = Math.round(x / (LN2_HIGH + LN2_LOW));
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let sum = 1;
  for (let n = 18; n > 0; n -= 1) sum = 1 + (sum * r) / n;
  return sum * powerOfTwo(k);
}

/** Natural logarithm of a positive normal double. */
export function exactLog(x: number): number {
  SCRATCH.setFloat64(0, x);
  const head = SCRATCH.getUint32(0);
  let exponent = (head >>> 20) - 1023;
  SCRATCH.setUint32(0, (head & 0x000fffff) | 0x3ff00000);
  let m = SCRATCH.getFloat64(0);
  if (m > Math.SQRT2) {
    m /= 2;
    exponent += 1;
  }
  // ln m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.172.
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let sum = 0;
  for (let n = 25; n >= 3; n -= 2) sum = (sum + 1 / n) * square;
  return exponent * LN2_HIGH + (exponent * LN2_LOW + 2 * s * sum + 2 * s);
}
