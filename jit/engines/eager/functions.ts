import * as tf from '@tensorflow/tfjs-core';
import type { BinaryFunction, Comparison, UnaryFunction } from '../../graph/graph.ts';

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const isWasm = (): boolean => tf.getBackend() === 'wasm';

/** log(1 + x) by the rounding error of 1 + x; the wasm backend's own kernel gives log(1 + x), which is 0 for small x. */
function log1p(x: tf.Tensor): tf.Tensor {
  if (!isWasm()) return tf.log1p(x);
  const u = tf.add(x, 1);
  const d = tf.sub(u, 1);
  const log = tf.log(u);
  return tf.where(tf.equal(d, x), log, tf.add(log, tf.div(tf.sub(x, d), u)));
}

/** The wasm backend's kernel truncates to int32 first. */
function sign(x: tf.Tensor): tf.Tensor {
  if (!isWasm()) return tf.sign(x);
  return tf.sub(tf.cast(tf.greater(x, 0), x.dtype), tf.cast(tf.less(x, 0), x.dtype));
}

/**
 * One TensorFlow.js composition a function. Where a backend's kernel breaks the primitive's promise, another formula is used there:
 * the wasm backend's log1p and sign.
 */
export const UNARY = {
  neg: (x) => tf.neg(x),
  abs: (x) => tf.abs(x),
  sign,
  exp: (x) => tf.exp(x),
  expm1: (x) => tf.expm1(x),
  log: (x) => tf.log(x),
  log1p,
  sqrt: (x) => tf.sqrt(x),
  rsqrt: (x) => tf.rsqrt(x),
  reciprocal: (x) => tf.reciprocal(x),
  sin: (x) => tf.sin(x),
  cos: (x) => tf.cos(x),
  tan: (x) => tf.tan(x),
  asin: (x) => tf.asin(x),
  acos: (x) => tf.acos(x),
  atan: (x) => tf.atan(x),
  sinh: (x) => tf.sinh(x),
  cosh: (x) => tf.cosh(x),
  tanh: (x) => tf.tanh(x),
  asinh: (x) => tf.asinh(x),
  acosh: (x) => tf.acosh(x),
  atanh: (x) => tf.atanh(x),
  sigmoid: (x) => tf.sigmoid(x),
  softplus: (x) => tf.softplus(x),
  erf: (x) => tf.erf(x),
  relu: (x) => tf.relu(x),
  floor: (x) => tf.floor(x),
  ceil: (x) => tf.ceil(x),
  round: (x) => tf.round(x),
  not: (x) => tf.logicalNot(x),
  isNan: (x) => tf.isNaN(x),
  isInf: (x) => tf.isInf(x),
  isFinite: (x) => tf.isFinite(x),
} satisfies Record<UnaryFunction, Unary>;

/** max or min that is NaN where either argument is: the wasm backend's kernels are the C comparison, which is not. */
function propagatingNaN(pick: Binary): Binary {
  return (a, b) => {
    const picked = pick(a, b);
    if (a.dtype !== 'float32' || tf.getBackend() === 'cpu') return picked;
    return tf.where(tf.isNaN(a), a, tf.where(tf.isNaN(b), b, picked));
  };
}

/** An int32 division whose quotient by zero is 0: backends trap, or give the smallest int32. */
function guarded(a: tf.Tensor, b: tf.Tensor, divide: Binary): tf.Tensor {
  const isZero = tf.equal(b, tf.scalar(0, 'int32'));
  const quotient = divide(a, tf.where(isZero, tf.onesLike(b), b));
  return tf.where(isZero, tf.zerosLike(quotient), quotient);
}

/** int32 rounds towards zero, by way of the magnitudes: the kernels of TensorFlow.js all floor. */
function div(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  if (a.dtype !== 'int32') return tf.div(a, b);
  return guarded(a, b, (x, y) => tf.mul(tf.floorDiv(tf.abs(x), tf.abs(y)), tf.mul(tf.sign(x), tf.sign(y))));
}

/** TensorFlow.js's float floorDiv goes through int32 on the cpu backend. */
function floorDiv(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return a.dtype === 'int32' ? guarded(a, b, (x, y) => tf.floorDiv(x, y)) : tf.floor(tf.div(a, b));
}

function mod(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return a.dtype === 'int32' ? guarded(a, b, (x, y) => tf.mod(x, y)) : tf.mod(a, b);
}

/** TensorFlow's own kernel takes floats alone. */
function atan2(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  if (a.dtype !== 'int32') return tf.atan2(a, b);
  return tf.cast(tf.atan2(tf.cast(a, 'float32'), tf.cast(b, 'float32')), 'int32');
}

/** One TensorFlow.js composition a function. int32 quotients and remainders by zero are 0. */
export const BINARY = {
  add: (a, b) => tf.add(a, b),
  sub: (a, b) => tf.sub(a, b),
  mul: (a, b) => tf.mul(a, b),
  div,
  max: propagatingNaN((a, b) => tf.maximum(a, b)),
  min: propagatingNaN((a, b) => tf.minimum(a, b)),
  pow: (a, b) => tf.pow(a, b),
  atan2,
  mod,
  floorDiv,
  and: (a, b) => tf.logicalAnd(a, b),
  or: (a, b) => tf.logicalOr(a, b),
  xor: (a, b) => tf.logicalXor(a, b),
} satisfies Record<BinaryFunction, Binary>;

export const COMPARE = {
  equal: (a, b) => tf.equal(a, b),
  notEqual: (a, b) => tf.notEqual(a, b),
  less: (a, b) => tf.less(a, b),
  lessEqual: (a, b) => tf.lessEqual(a, b),
  greater: (a, b) => tf.greater(a, b),
  greaterEqual: (a, b) => tf.greaterEqual(a, b),
} satisfies Record<Comparison, Binary>;
