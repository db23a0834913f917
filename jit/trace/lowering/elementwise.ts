import * as tf from '@tensorflow/tfjs-core';
import type { BinaryFunction, Comparison, UnaryFunction, ValueId } from '../../graph/graph.ts';
import { ShapeError } from '../../graph/shape-error.ts';
import type { Emit } from './emit.ts';
import { type KernelRule, type KernelTable, withAttributes } from './kernel-rule.ts';

function unary(fn: UnaryFunction): KernelRule {
  return (emit, { of }) => emit.unary(fn, of('x'));
}

/** Rounding leaves whole numbers as they are. */
function rounding(fn: 'floor' | 'ceil' | 'round'): KernelRule {
  return (emit, { of }) => (emit.dtype(of('x')) === 'float32' ? emit.unary(fn, of('x')) : of('x'));
}

/** Tests of floating-point numbers, which whole numbers can be put to as well. */
function floatTest(fn: 'isNan' | 'isInf' | 'isFinite'): KernelRule {
  return (emit, { of }) => emit.unary(fn, emit.cast(of('x'), 'float32'));
}

function binary(fn: BinaryFunction): KernelRule {
  return (emit, { of }) => emit.binary(fn, of('a'), of('b'));
}

function compare(fn: Comparison): KernelRule {
  return (emit, { of }) => emit.compare(fn, of('a'), of('b'));
}

/** A scalar of the dtype of x. */
function scalarLike(emit: Emit, x: ValueId, value: number): ValueId {
  return emit.fill(value, { dtype: emit.dtype(x) });
}

function negative(emit: Emit, x: ValueId): ValueId {
  return emit.compare('less', x, scalarLike(emit, x, 0));
}

/** `scale` x where x >= 0, else `alpha` (e^x - 1). The exponential gets no positive x, so that nothing overflows where it isn't used. */
function exponentialLinear(
  emit: Emit,
  x: ValueId,
  { scale, alpha }: { readonly scale: number; readonly alpha: number },
): ValueId {
  const zero = emit.fill(0);
  const scaled = (y: ValueId, factor: number): ValueId => (factor === 1 ? y : emit.binary('mul', y, emit.fill(factor)));
  const below = emit.unary('expm1', emit.binary('min', x, zero));
  return emit.select(emit.compare('greaterEqual', x, zero), scaled(x, scale), scaled(below, alpha));
}

function leakyRelu(emit: Emit, x: ValueId, alpha: ValueId): ValueId {
  return emit.select(negative(emit, x), emit.binary('mul', alpha, x), x);
}

/** Bounds are the second operands: at a bound the derivative is 1, as in TensorFlow.js. Whole numbers have no infinite bound. */
function clip(emit: Emit, x: ValueId, { low, high }: { readonly low: number; readonly high: number }): ValueId {
  const isWhole = emit.dtype(x) === 'int32';
  const above = isWhole && !Number.isFinite(low) ? x : emit.binary('max', x, scalarLike(emit, x, low));
  return isWhole && !Number.isFinite(high) ? above : emit.binary('min', above, scalarLike(emit, x, high));
}

/** 1 where x > 0, else alpha; NaN stays. Its derivative is zero everywhere. */
function step(emit: Emit, x: ValueId, alpha: number): ValueId {
  const result = emit.select(
    emit.compare('greater', x, scalarLike(emit, x, 0)),
    scalarLike(emit, x, 1),
    scalarLike(emit, x, alpha),
  );
  return emit.dtype(x) === 'float32' ? emit.select(emit.unary('isNan', x), emit.fill(Number.NaN), result) : result;
}

/** The activation of a fused kernel. @throws ShapeError for one that TensorFlow.js doesn't have. */
export function activate(
  emit: Emit,
  x: ValueId,
  {
    activation,
    alpha,
    prelu,
  }: { readonly activation: string | null | undefined; readonly alpha: number; readonly prelu: ValueId | undefined },
): ValueId {
  switch (activation ?? 'linear') {
    case 'linear':
      return x;
    case 'relu':
      return emit.unary('relu', x);
    case 'relu6':
      return emit.binary('min', emit.unary('relu', x), scalarLike(emit, x, 6));
    case 'elu':
      return exponentialLinear(emit, x, { scale: 1, alpha: 1 });
    case 'sigmoid':
      return emit.unary('sigmoid', x);
    case 'leakyrelu':
      return leakyRelu(emit, x, emit.fill(alpha));
    case 'prelu':
      if (prelu !== undefined) return leakyRelu(emit, x, prelu);
      throw new ShapeError('Cannot apply prelu: expected preluActivationWeights but got none');
    default:
      throw new ShapeError(`Cannot apply a fused activation: expected one of TensorFlow.js but got ${activation}`);
  }
}

/** Adds the elements; a bool is 0 or 1 in products only, as TensorFlow.js's sums of bools are no bools. */
const multiply: KernelRule = (emit, { of }) => {
  const [a, b] = [of('a'), of('b')];
  return emit.binary(emit.dtype(a) === 'bool' && emit.dtype(b) === 'bool' ? 'and' : 'mul', a, b);
};

/** Broadcast from the left: a condition of one axis chooses among the others' rows. Where dtypes differ, the wider one. */
const select: KernelRule = (emit, { of }) => {
  const [condition, t, e] = [of('condition'), of('t'), of('e')];
  const dtype = tf.upcastType(emit.dtype(t), emit.dtype(e)) === 'float32' ? 'float32' : 'int32';
  const [a, b] = emit.dtype(t) === emit.dtype(e) ? [t, e] : [emit.cast(t, dtype), emit.cast(e, dtype)];
  const shape = emit.shape(condition);
  const missing = shape.length === 0 ? 0 : Math.max(0, emit.shape(t).length - shape.length);
  return emit.select(emit.reshape(condition, [...shape, ...Array.from({ length: missing }, () => 1)]), a, b);
};

/** Functions of one argument, of two, comparisons, logic, choice. */
export const ELEMENTWISE: KernelTable = {
  Neg: unary('neg'),
  Abs: unary('abs'),
  Sign: unary('sign'),
  Exp: unary('exp'),
  Expm1: unary('expm1'),
  Log: unary('log'),
  Log1p: unary('log1p'),
  Sqrt: unary('sqrt'),
  Rsqrt: unary('rsqrt'),
  Reciprocal: unary('reciprocal'),
  Sin: unary('sin'),
  Cos: unary('cos'),
  Tan: unary('tan'),
  Asin: unary('asin'),
  Acos: unary('acos'),
  Atan: unary('atan'),
  Sinh: unary('sinh'),
  Cosh: unary('cosh'),
  Tanh: unary('tanh'),
  Asinh: unary('asinh'),
  Acosh: unary('acosh'),
  Atanh: unary('atanh'),
  Sigmoid: unary('sigmoid'),
  Softplus: unary('softplus'),
  Erf: unary('erf'),
  Relu: unary('relu'),
  Floor: rounding('floor'),
  Ceil: rounding('ceil'),
  Round: rounding('round'),
  IsNan: floatTest('isNan'),
  IsInf: floatTest('isInf'),
  IsFinite: floatTest('isFinite'),
  Square: (emit, { of }) => emit.binary('mul', of('x'), of('x')),
  Relu6: (emit, { of }) => activate(emit, of('x'), { activation: 'relu6', alpha: 0, prelu: undefined }),
  Elu: (emit, { of }) => exponentialLinear(emit, of('x'), { scale: 1, alpha: 1 }),
  EluGrad: (emit, { of }) => {
    const [dy, y] = [of('dy'), of('y')];
    const slope = emit.binary('add', y, emit.fill(1));
    return emit.select(emit.compare('greaterEqual', y, emit.fill(0)), dy, emit.binary('mul', dy, slope));
  },
  Selu: (emit, { of }) =>
    exponentialLinear(emit, of('x'), { scale: tf.backend_util.SELU_SCALE, alpha: tf.backend_util.SELU_SCALEALPHA }),
  LeakyRelu: withAttributes((emit, { of }, { alpha }: tf.LeakyReluAttrs) => {
    const x = emit.cast(of('x'), 'float32');
    return leakyRelu(emit, x, emit.fill(alpha));
  }),
  Prelu: (emit, { of }) => leakyRelu(emit, of('x'), of('alpha')),
  Step: withAttributes((emit, { of }, { alpha }: tf.StepAttrs) => step(emit, of('x'), alpha)),
  ClipByValue: withAttributes((emit, { of }, { clipValueMin, clipValueMax }: tf.ClipByValueAttrs) =>
    clip(emit, of('x'), { low: clipValueMin, high: clipValueMax }),
  ),
  Add: binary('add'),
  Sub: binary('sub'),
  Multiply: multiply,
  RealDiv: binary('div'),
  Maximum: binary('max'),
  Minimum: binary('min'),
  Pow: binary('pow'),
  Atan2: binary('atan2'),
  Mod: binary('mod'),
  // TensorFlow.js gives int32, of floats too.
  FloorDiv: (emit, { of }) => emit.cast(emit.binary('floorDiv', of('a'), of('b')), 'int32'),
  SquaredDifference: (emit, { of }) => {
    const difference = emit.binary('sub', of('a'), of('b'));
    return emit.binary('mul', difference, difference);
  },
  AddN: (emit, { list }) => list.reduce((sum, x) => emit.binary('add', sum, x)),
  Equal: compare('equal'),
  NotEqual: compare('notEqual'),
  Less: compare('less'),
  LessEqual: compare('lessEqual'),
  Greater: compare('greater'),
  GreaterEqual: compare('greaterEqual'),
  LogicalNot: unary('not'),
  LogicalAnd: binary('and'),
  LogicalOr: binary('or'),
  Select: select,
  Cast: withAttributes((emit, { of }, { dtype }: tf.CastAttrs) => {
    if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return emit.cast(of('x'), dtype);
    throw new ShapeError(`Cannot apply cast: expected float32, int32 or bool but got ${dtype}`);
  }),
};
