/**
 * Quantiles of the standard normal distribution in float32 steps: every operation is one correctly rounded +, -, *, / or square root,
 * in the order written, without fused multiply-add. Generated code that does the same steps gives the same bits.
 *
 * **Source** M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics 37 (1988), the
 * seven-digit variant PPND7. Its logarithm: the polynomial of `logf` in S. L. Moshier's Cephes library, 1989.
 * **Checked against** the complementary error function in double precision (`normal-quantile.test.ts` bounds the errors), and the
 * same steps in C, bit for bit (`normal-quantile.long.test.ts`).
 * **Differs** in taking the distance to the middle or to the end of the distribution as an integer of 31 bits, so that neither
 * middle nor tail loses digits.
 */

const f = Math.fround;

// 2^-32, and PPND7's coefficients rounded to float32.
const UNIT = f(2 ** -32);
const HALF = f(0.5);
const ONE = f(1);
/** Where AS 241 leaves the middle: |p - 1/2| = 0.425. */
const MIDDLE = f(0.425);
const MIDDLE_SQUARE = f(0.180625);
const A0 = f(3.3871327179);
const A1 = f(50.434271938);
const A2 = f(159.29113202);
const A3 = f(59.10937472);
const B1 = f(17.895169469);
const B2 = f(78.757757664);
const B3 = f(67.1875636);
const C0 = f(1.4234372777);
const C1 = f(2.75681539);
const C2 = f(1.3067284816);
const C3 = f(0.17023821103);
const D1 = f(0.7370016425);
const D2 = f(0.12021132975);
const TAIL_SHIFT = f(1.6);

// Cephes logf: log(1 + x) = x - x^2/2 + x^3 P(x) for sqrt(1/2) <= 1 + x < sqrt(2); ln 2 in two parts.
const SQRT_HALF = f(Math.SQRT1_2);
const L0 = f(7.0376836292e-2);
const L1 = f(-1.151461031e-1);
const L2 = f(1.167699874e-1);
const L3 = f(-1.2420140846e-1);
const L4 = f(1.4249322787e-1);
const L5 = f(-1.6668057665e-1);
const L6 = f(2.0000714765e-1);
const L7 = f(-2.4999993993e-1);
const L8 = f(3.3333331174e-1);
const LN2_HIGH = f(0.693359375);
const LN2_LOW = f(-2.1219444e-4);

const FLOAT = new Float32Array(1);
const BITS = new Int32Array(FLOAT.buffer);

/** Natural logarithm of a positive normal float32. */
export function logFloat32(value: number): number {
  FLOAT[0] = value;
  const bits = BITS[0] ?? 0;
  // Mantissa in [1/2, 1), exponent to match.
  let exponent = ((bits >>> 23) & 0xff) - 126;
  BITS[0] = (bits & 0x007fffff) | 0x3f000000;
  let x = FLOAT[0];
  if (x < SQRT_HALF) {
    exponent -= 1;
    x = f(f(x + x) - ONE);
  } else x = f(x - ONE);
  const e = f(exponent);
  const square = f(x * x);
  let y = L0;
  y = f(f(y * x) + L1);
  y = f(f(y * x) + L2);
  y = f(f(y * x) + L3);
  y = f(f(y * x) + L4);
  y = f(f(y * x) + L5);
  y = f(f(y * x) + L6);
  y = f(f(y * x) + L7);
  y = f(f(y * x) + L8);
  y = f(f(y * x) * square);
  y = f(y + f(LN2_LOW * e));
  y = f(y - f(HALF * square));
  return f(f(x + y) + f(LN2_HIGH * e));
}

/** `(k + 1/2) / 2^32` for an integer k of at most 31 bits: k rounded to float32, a half added, scaled. */
export function midpoint(k: number): number {
  return f(f(f(k) + HALF) * UNIT);
}

/** Quantile of 1/2 + q for 0 <= q <= 0.425. */
export function middleQuantile(q: number): number {
  const r = f(MIDDLE_SQUARE - f(q * q));
  const above = f(f(f(f(f(f(A3 * r) + A2) * r) + A1) * r) + A0);
  const below = f(f(f(f(f(f(B3 * r) + B2) * r) + B1) * r) + ONE);
  return f(f(q * above) / below);
}

/** Quantile of 1 - p for 2^-33 <= p < 0.075. (AS 241's last branch begins at e^-25, below any p that 32 bits make.) */
export function tailQuantile(p: number): number {
  const t = f(f(Math.sqrt(-logFloat32(p))) - TAIL_SHIFT);
  const above = f(f(f(f(f(f(C3 * t) + C2) * t) + C1) * t) + C0);
  const below = f(f(f(f(D2 * t) + D1) * t) + ONE);
  return f(above / below);
}

/** Largest distance of 31 bits from the middle that `middleQuantile` takes: 0.425 * 2^32 less a half, rounded down. */
const MIDDLE_LAST = Math.floor(MIDDLE * 2 ** 32 - 0.5);

/** A standard normal number from 32 random bits: the lowest bit is its sign, the others its distance from the middle. */
export function normalOfWord(word: number): number {
  const k = word >>> 1;
  const z = k <= MIDDLE_LAST ? middleQuantile(midpoint(k)) : tailQuantile(midpoint(0x7fffffff - k));
  return (word & 1) === 0 ? z : -z;
}

// The share of a normal distribution between -2 and 2.
const WITHIN_TWO = f(0.95449973610364158);
const TWO = f(2);

/** A standard normal number kept between -2 and 2, from 32 random bits used as in `normalOfWord`. */
export function truncatedNormalOfWord(word: number): number {
  const q = f(midpoint(word >>> 1) * WITHIN_TWO);
  const z = q <= MIDDLE ? middleQuantile(q) : Math.min(TWO, tailQuantile(f(HALF - q)));
  return (word & 1) === 0 ? z : -z;
}
