/**
 * The elementwise functions on single numbers, plainly, in double precision: who uses them rounds to the dtype. The meaning that
 * compiled code is held to.
 */
import type { BinaryFunction, Comparison, DType, UnaryFunction } from '../../../graph/graph.ts';
import type { Combination } from './program.ts';

/** A number as an element of a dtype: the nearest float32, the low 32 bits of the whole part as int32; bools are 0 or 1 already. */
export function rounded(dtype: DType, x: number): number {
  if (dtype === 'float32') return Math.fround(x);
  return dtype === 'int32' ? x | 0 : x;
}

/** An element as one of another dtype: to int32 towards zero, to bool whether it is not zero (NaN isn't). */
export function castScalar(dtype: DType, x: number): number {
  return dtype === 'bool' ? Number(x !== 0) : rounded(dtype, x);
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : Math.ceil(x);
}

/**
 * The error function, to about 1e-13.
 *
 * **Source**: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964: the series 7.1.5, for large x the continued fraction 7.1.14.
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n += 1) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n -= 1) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

/** Functions of one argument. Those that also take int32 or bool are the same there. */
export const UNARY_SCALARS: Readonly<Record<UnaryFunction, (x: number) => number>> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  erf,
  relu: (x) => (x < 0 ? 0 : x),
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfToEven,
  not: (x) => 1 - x,
  isNan: (x) => Number(Number.isNaN(x)),
  isInf: (x) => Number(Math.abs(x) === Number.POSITIVE_INFINITY),
  isFinite: (x) => Number(Number.isFinite(x)),
};

function floorMod(a: number, b: number): number {
  const remainder = a % b;
  return remainder !== 0 && remainder < 0 !== b < 0 ? remainder + b : remainder;
}

const FLOAT_BINARY: Readonly<Record<BinaryFunction, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  pow: (a, b) => a ** b,
  atan2: Math.atan2,
  mod: floorMod,
  // Of the float32 quotient: 1 / 0.1f is 10.
  floorDiv: (a, b) => Math.floor(Math.fround(a / b)),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

/** Quotients round towards zero; quotients and remainders by zero are 0. */
const INT_BINARY: typeof FLOAT_BINARY = {
  ...FLOAT_BINARY,
  mul: Math.imul,
  div: (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
  mod: (a, b) => (b === 0 ? 0 : floorMod(a, b)),
  floorDiv: (a, b) => (b === 0 ? 0 : Math.floor(a / b)),
  pow: (a, b) => Math.trunc(a ** b),
  atan2: (a, b) => Math.trunc(Math.atan2(a, b)),
};

/** Functions of two arguments of a dtype. */
export const BINARY_SCALARS: Readonly<Record<DType, typeof FLOAT_BINARY>> = {
  float32: FLOAT_BINARY,
  int32: INT_BINARY,
  bool: FLOAT_BINARY,
};

export const COMPARISON_SCALARS: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
};

/** What a combination starts from, by dtype, and the function of two arguments that it repeats. */
export const COMBINATIONS: Readonly<
  Record<Combination, { readonly fn: BinaryFunction; readonly identity: (dtype: DType) => number }>
> = {
  sum: { fn: 'add', identity: () => 0 },
  prod: { fn: 'mul', identity: () => 1 },
  max: { fn: 'max', identity: (dtype) => (dtype === 'int32' ? -(2 ** 31) : Number.NEGATIVE_INFINITY) },
  min: { fn: 'min', identity: (dtype) => (dtype === 'int32' ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY) },
  any: { fn: 'or', identity: () => 0 },
  all: { fn: 'and', identity: () => 1 },
};
