import type { BinaryFunction, Comparison, DType, UnaryFunction } from '../../graph/graph.ts';

/** Half to even. */
function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

type OfOne = (x: number) => number | undefined;
type OfTwo = (a: number, b: number) => number | undefined;

const isNegativeZero = (x: number): boolean => Object.is(x, -0);
const unlessZeros = (pick: (a: number, b: number) => number): OfTwo => {
  // Which of two zeros is the larger is up to the engine.
  return (a, b) => (a === 0 && b === 0 && !Object.is(a, b) ? undefined : pick(a, b));
};

/** Functions whose result IEEE 754 fixes to the last bit; undefined where an engine may choose. The others are left to engines. */
const OF_ONE: Partial<Record<UnaryFunction, OfOne>> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: (x) => (Number.isNaN(x) || isNegativeZero(x) ? undefined : Math.sign(x)),
  sqrt: Math.sqrt,
  reciprocal: (x) => 1 / x,
  relu: (x) => (isNegativeZero(x) ? undefined : Math.max(x, 0)),
  floor: Math.floor,
  ceil: Math.ceil,
  round: (x) => (x > -1 && x <= 0 ? undefined : roundHalfToEven(x)),
  not: (x) => (x === 0 ? 1 : 0),
  isNan: (x) => (Number.isNaN(x) ? 1 : 0),
  isInf: (x) => (Math.abs(x) === Infinity ? 1 : 0),
  isFinite: (x) => (Number.isFinite(x) ? 1 : 0),
};

const OF_TWO: Partial<Record<BinaryFunction, OfTwo>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: unlessZeros(Math.max),
  min: unlessZeros(Math.min),
  and: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
  xor: (a, b) => ((a !== 0) !== (b !== 0) ? 1 : 0),
};

const COMPARE: Record<Comparison, (a: number, b: number) => boolean> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
};

/**
 * A result as an element. Sums, products and quotients of float32 numbers in double precision, rounded, are those in float32; whole
 * numbers must fit.
 */
function element(result: number | undefined, dtype: DType): number | undefined {
  if (result === undefined || dtype === 'bool') return result;
  if (dtype === 'float32') return Math.fround(result);
  return Number.isInteger(result) && Math.abs(result) < 2 ** 31 ? result + 0 : undefined;
}

export function foldUnary(fn: UnaryFunction, dtype: DType): OfOne | undefined {
  const fold = OF_ONE[fn];
  return fold === undefined ? undefined : (x) => element(fold(x), dtype);
}

export function foldBinary(fn: BinaryFunction, dtype: DType): OfTwo | undefined {
  const fold = OF_TWO[fn];
  if (fold === undefined || (dtype === 'int32' && fn === 'div')) return undefined;
  return (a, b) => element(fold(a, b), dtype);
}

export function foldComparison(fn: Comparison): OfTwo {
  return (a, b) => (COMPARE[fn](a, b) ? 1 : 0);
}

/** Casts: float32 to int32 truncates, to bool tests for not zero. What doesn't fit is left to engines. */
export function foldCast(from: DType, to: DType): OfOne {
  return (x) => {
    if (from === to) return x;
    if (to === 'bool') return Number.isNaN(x) ? undefined : Number(x !== 0);
    if (to === 'float32') return Math.fround(x);
    return Number.isFinite(x) ? element(Math.trunc(x), 'int32') : undefined;
  };
}
