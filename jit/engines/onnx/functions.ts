import type { BinaryFunction, Comparison, DType, UnaryFunction } from '../../graph/graph.ts';
import type { Emitter } from './emitter.ts';

type Unary = (e: Emitter, x: string, dtype: DType) => string;
type Binary = (e: Emitter, operands: { readonly a: string; readonly b: string; readonly dtype: DType }) => string;

const unary =
  (opType: string): Unary =>
  (e, x) =>
    e.op(opType, [x]);

const binary =
  (opType: string): Binary =>
  (e, { a, b }) =>
    e.op(opType, [a, b]);

/**
 * exp(x) - 1. Up to 1 it is 2t / (1 - t) with t = tanh(x / 2), which keeps the digits of small x; above 1 the subtraction loses none
 * that matter, and 1 - t would.
 */
function expm1(e: Emitter, x: string): string {
  const one = e.scalar(1);
  const t = e.op('Tanh', [e.op('Mul', [x, e.scalar(0.5)])]);
  const small = e.op('Div', [e.op('Add', [t, t]), e.op('Sub', [one, t])]);
  return e.op('Where', [e.op('Greater', [x, one]), e.op('Sub', [e.op('Exp', [x]), one]), small]);
}

/**
 * log(1 + x). With u = 1 + x as rounded and d = u - 1, what rounding lost is x - d: log(u) + (x - d) / u. Where nothing was
 * lost (also at -1 and infinity, where the correction would be NaN) it is log(u).
 */
function log1p(e: Emitter, x: string): string {
  const one = e.scalar(1);
  const u = e.op('Add', [x, one]);
  const d = e.op('Sub', [u, one]);
  const log = e.op('Log', [u]);
  const corrected = e.op('Add', [log, e.op('Div', [e.op('Sub', [x, d]), u])]);
  return e.op('Where', [e.op('Equal', [d, x]), log, corrected]);
}

/** 1 / (1 + exp(-x)): onnxruntime's Sigmoid is a rational function that is off by a sixth at -15 and 0 below -18. */
function sigmoid(e: Emitter, x: string): string {
  return e.op('Reciprocal', [e.op('Add', [e.op('Exp', [e.op('Neg', [x])]), e.scalar(1)])]);
}

/** ONNX operators for each function; a composition where there is none, or where onnxruntime's isn't good enough. */
export const UNARY = {
  neg: unary('Neg'),
  abs: unary('Abs'),
  sign: unary('Sign'),
  exp: unary('Exp'),
  expm1,
  log: unary('Log'),
  log1p,
  sqrt: unary('Sqrt'),
  rsqrt: (e, x) => e.op('Reciprocal', [e.op('Sqrt', [x])]),
  reciprocal: unary('Reciprocal'),
  sin: unary('Sin'),
  cos: unary('Cos'),
  tan: unary('Tan'),
  asin: unary('Asin'),
  acos: unary('Acos'),
  atan: unary('Atan'),
  sinh: unary('Sinh'),
  cosh: unary('Cosh'),
  tanh: unary('Tanh'),
  asinh: unary('Asinh'),
  acosh: unary('Acosh'),
  atanh: unary('Atanh'),
  sigmoid,
  softplus: unary('Softplus'),
  erf: unary('Erf'),
  relu: unary('Relu'),
  floor: unary('Floor'),
  ceil: unary('Ceil'),
  round: unary('Round'),
  not: unary('Not'),
  isNan: unary('IsNaN'),
  isInf: unary('IsInf'),
  // NaN is not less than infinity.
  isFinite: (e, x) => e.op('Less', [e.op('Abs', [x]), e.scalar(Number.POSITIVE_INFINITY)]),
} satisfies Record<UnaryFunction, Unary>;

/**
 * An int32 division that is 0 where the divisor is: onnxruntime would end the process with a trap. A divisor known to be a
 * constant without zeros needs no guard.
 */
function guarded(divide: (e: Emitter, a: string, b: string) => string): Binary {
  return (e, { a, b }) => {
    const known = e.constants.get(b);
    if (known !== undefined && known.data.every((element) => Number(element) !== 0)) return divide(e, a, b);
    const zero = e.scalar(0, 'int32');
    const isZero = e.op('Equal', [b, zero]);
    const quotient = divide(e, a, e.op('Where', [isZero, e.scalar(1, 'int32'), b]));
    return e.op('Where', [isZero, zero, quotient]);
  };
}

const intDiv = guarded((e, a, b) => e.op('Div', [a, b]));
const intMod = guarded((e, a, b) => e.op('Mod', [a, b]));
const intFloorDiv = guarded((e, a, b) => e.op('Div', [e.op('Sub', [a, e.op('Mod', [a, b])]), b]));

/** The remainder of the sign of b: C's fmod is exact and has the sign of a, so b is added where they differ. */
function floatMod(e: Emitter, a: string, b: string): string {
  const zero = e.scalar(0);
  const r = e.op('Mod', [a, b], { fmod: 1 });
  const isOpposite = e.op('Less', [e.op('Mul', [e.op('Sign', [r]), e.op('Sign', [b])]), zero]);
  return e.op('Where', [isOpposite, e.op('Add', [r, b]), r]);
}

/** The angle of (x, y) from the angle of (larger, smaller) of their magnitudes, which is at most a quarter of pi, by symmetry. */
function atan2(e: Emitter, y: string, x: string): string {
  const zero = e.scalar(0);
  const ax = e.op('Abs', [x]);
  const ay = e.op('Abs', [y]);
  const smaller = e.op('Min', [ax, ay]);
  const larger = e.op('Max', [ax, ay]);
  // Equal magnitudes include two infinities, whose quotient is NaN, and two zeros, whose angle is 0 by convention.
  const quotient = e.op('Where', [e.op('Equal', [smaller, larger]), e.scalar(1), e.op('Div', [smaller, larger])]);
  const slope = e.op('Where', [e.op('Equal', [larger, zero]), zero, quotient]);
  const first = e.op('Atan', [slope]);
  const quadrant = e.op('Where', [e.op('Greater', [ay, ax]), e.op('Sub', [e.scalar(Math.PI / 2), first]), first]);
  const half = e.op('Where', [e.op('Less', [x, zero]), e.op('Sub', [e.scalar(Math.PI), quadrant]), quadrant]);
  return e.op('Where', [e.op('Less', [y, zero]), e.op('Neg', [half]), half]);
}

/** ONNX operators for each function. onnxruntime's Max and Min give NaN where either argument is NaN, as they must. */
export const BINARY = {
  add: binary('Add'),
  sub: binary('Sub'),
  mul: binary('Mul'),
  div: (e, operands) => (operands.dtype === 'int32' ? intDiv(e, operands) : e.op('Div', [operands.a, operands.b])),
  max: binary('Max'),
  min: binary('Min'),
  pow: binary('Pow'),
  atan2: (e, { a, b, dtype }) => {
    if (dtype === 'float32') return atan2(e, a, b);
    return e.cast(atan2(e, e.cast(a, 'float32'), e.cast(b, 'float32')), 'int32');
  },
  mod: (e, operands) => (operands.dtype === 'int32' ? intMod(e, operands) : floatMod(e, operands.a, operands.b)),
  floorDiv: (e, operands) =>
    operands.dtype === 'int32' ? intFloorDiv(e, operands) : e.op('Floor', [e.op('Div', [operands.a, operands.b])]),
  and: binary('And'),
  or: binary('Or'),
  xor: binary('Xor'),
} satisfies Record<BinaryFunction, Binary>;

const OPERATORS = {
  equal: 'Equal',
  notEqual: 'Equal',
  less: 'Less',
  lessEqual: 'LessOrEqual',
  greater: 'Greater',
  greaterEqual: 'GreaterOrEqual',
} satisfies Record<Comparison, string>;

/** A comparison. Bools are compared as int32: only Equal takes them. */
export function compare(
  e: Emitter,
  fn: Comparison,
  { a, b, dtype }: { readonly a: string; readonly b: string; readonly dtype: DType },
): string {
  const operand = (name: string): string => (dtype === 'bool' ? e.cast(name, 'int32') : name);
  const result = e.op(OPERATORS[fn], [operand(a), operand(b)]);
  return fn === 'notEqual' ? e.op('Not', [result]) : result;
}
