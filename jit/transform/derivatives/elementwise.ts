import type { BinaryFunction, UnaryFunction, ValueId } from '../../graph/graph.ts';
import type { Build } from '../expressions.ts';
import { type Derivative, at, noDerivative } from './derivative.ts';

interface UnaryApplied {
  readonly x: ValueId;
  readonly y: ValueId;
  readonly dy: ValueId;
}

/** The cotangent of x from that of y = fn(x). */
type UnaryDerivative = (b: Build, applied: UnaryApplied) => ValueId;

const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

const square = (b: Build, x: ValueId): ValueId => b.mul(x, x);
const root = (b: Build, x: ValueId): ValueId => b.unary('sqrt', x);

/** The cotangent where a condition holds, else 0. A product: onnxruntime takes twice as long to select. */
export function masked(b: Build, dy: ValueId, condition: ValueId): ValueId {
  return b.mul(dy, b.one('cast', { dtype: 'float32' }, [condition]));
}

/**
 * Derivatives as TensorFlow.js 4.22 has them: relu's at 0 is 0, abs's at 0 is -1. Where it has infinity, sqrt at 0, the derivative
 * is 0 (and so is that of a norm), by dividing by infinity there: no 0/0 comes up in second order either.
 */
const UNARY_DERIVATIVES = {
  neg: (b, { dy }) => b.neg(dy),
  abs: (b, { x, dy }) => b.select(b.compare('greater', x, b.number(0)), dy, b.neg(dy)),
  exp: (b, { y, dy }) => b.mul(dy, y),
  expm1: (b, { x, dy }) => b.mul(dy, b.unary('exp', x)),
  log: (b, { x, dy }) => b.div(dy, x),
  log1p: (b, { x, dy }) => b.div(dy, b.add(x, b.number(1))),
  sqrt: (b, { y, dy }) =>
    b.div(dy, b.select(b.compare('equal', y, b.number(0)), b.number(Infinity), b.mul(y, b.number(2)))),
  rsqrt: (b, { x, y, dy }) => b.div(b.mul(dy, y), b.mul(x, b.number(-2))),
  reciprocal: (b, { y, dy }) => b.mul(dy, b.neg(square(b, y))),
  sin: (b, { x, dy }) => b.mul(dy, b.unary('cos', x)),
  cos: (b, { x, dy }) => b.mul(dy, b.neg(b.unary('sin', x))),
  tan: (b, { y, dy }) => b.mul(dy, b.add(b.number(1), square(b, y))),
  asin: (b, { x, dy }) => b.div(dy, root(b, b.sub(b.number(1), square(b, x)))),
  acos: (b, { x, dy }) => b.neg(b.div(dy, root(b, b.sub(b.number(1), square(b, x))))),
  atan: (b, { x, dy }) => b.div(dy, b.add(square(b, x), b.number(1))),
  sinh: (b, { x, dy }) => b.mul(dy, b.unary('cosh', x)),
  cosh: (b, { x, dy }) => b.mul(dy, b.unary('sinh', x)),
  tanh: (b, { y, dy }) => b.mul(dy, b.sub(b.number(1), square(b, y))),
  asinh: (b, { x, dy }) => b.div(dy, root(b, b.add(b.number(1), square(b, x)))),
  acosh: (b, { x, dy }) => b.div(dy, root(b, b.sub(square(b, x), b.number(1)))),
  atanh: (b, { x, dy }) => b.div(dy, b.sub(b.number(1), square(b, x))),
  sigmoid: (b, { y, dy }) => b.mul(dy, b.mul(y, b.sub(b.number(1), y))),
  softplus: (b, { x, dy }) => b.mul(dy, b.unary('sigmoid', x)),
  erf: (b, { x, dy }) => b.mul(dy, b.mul(b.unary('exp', b.neg(square(b, x))), b.number(TWO_OVER_ROOT_PI))),
  relu: (b, { y, dy }) => masked(b, dy, b.compare('greater', y, b.number(0))),
  sign: undefined,
  floor: undefined,
  ceil: undefined,
  round: undefined,
  not: undefined,
  isNan: undefined,
  isInf: undefined,
  isFinite: undefined,
} satisfies Record<UnaryFunction, UnaryDerivative | undefined>;

interface BinaryApplied {
  readonly x: ValueId;
  readonly y: ValueId;
  readonly z: ValueId;
  readonly dz: ValueId;
}

/** The cotangents of x and y from that of z = fn(x, y), in z's shape. Those not needed are never made. */
interface BinaryDerivative {
  readonly x: (b: Build, applied: BinaryApplied) => ValueId;
  readonly y: (b: Build, applied: BinaryApplied) => ValueId;
}

/**
 * Derivatives as TensorFlow.js 4.22 has them: the first operand of max and min gets the cotangent at a tie; log of a base that is not
 * positive counts as 0 in pow's derivative by the exponent. floorDiv has none: TensorFlow.js gives it that of a division.
 */
const BINARY_DERIVATIVES = {
  add: { x: (_, { dz }) => dz, y: (_, { dz }) => dz },
  sub: { x: (_, { dz }) => dz, y: (b, { dz }) => b.neg(dz) },
  mul: { x: (b, { y, dz }) => b.mul(dz, y), y: (b, { x, dz }) => b.mul(dz, x) },
  div: { x: (b, { y, dz }) => b.div(dz, y), y: (b, { y, z, dz }) => b.neg(b.mul(b.div(dz, y), z)) },
  max: {
    x: (b, { x, y, dz }) => masked(b, dz, b.compare('greaterEqual', x, y)),
    y: (b, { x, y, dz }) => masked(b, dz, b.compare('less', x, y)),
  },
  min: {
    x: (b, { x, y, dz }) => masked(b, dz, b.compare('lessEqual', x, y)),
    y: (b, { x, y, dz }) => masked(b, dz, b.compare('greater', x, y)),
  },
  pow: {
    x: (b, { x, y, dz }) => b.mul(dz, b.mul(y, b.binary('pow', x, b.sub(y, b.number(1))))),
    y: (b, { x, z, dz }) => {
      const positive = b.compare('greater', x, b.number(0));
      return b.mul(dz, b.mul(z, b.unary('log', b.select(positive, x, b.number(1)))));
    },
  },
  atan2: {
    x: (b, { x, y, dz }) => b.mul(dz, b.div(y, b.add(square(b, x), square(b, y)))),
    y: (b, { x, y, dz }) => b.neg(b.mul(dz, b.div(x, b.add(square(b, x), square(b, y))))),
  },
  mod: { x: (_, { dz }) => dz, y: (b, { x, y, dz }) => b.mul(dz, b.neg(b.unary('floor', b.div(x, y)))) },
  floorDiv: undefined,
  and: undefined,
  or: undefined,
  xor: undefined,
} satisfies Record<BinaryFunction, BinaryDerivative | undefined>;

const FLAT: ReadonlySet<string> = new Set(
  Object.entries({ ...UNARY_DERIVATIVES, ...BINARY_DERIVATIVES }).flatMap(([fn, rule]) =>
    rule === undefined ? [fn] : [],
  ),
);

/** Whether a function's derivative is zero wherever it has one. */
export function isFlat(fn: UnaryFunction | BinaryFunction): boolean {
  return FLAT.has(fn);
}

export const ELEMENTWISE_DERIVATIVES: {
  readonly [O in 'unary' | 'binary' | 'compare' | 'select' | 'cast' | 'stopGradient']: Derivative<O>;
} = {
  unary: ({ b }, { attrs, inputs, outputs, cotangents }) => {
    const derivative: UnaryDerivative | undefined = UNARY_DERIVATIVES[attrs.fn];
    if (derivative === undefined) return [];
    return [derivative(b, { x: at(inputs, 0), y: at(outputs, 0), dy: at(cotangents, 0) })];
  },
  binary: ({ b }, { attrs, inputs, outputs, cotangents, wanted }) => {
    const derivative: BinaryDerivative | undefined = BINARY_DERIVATIVES[attrs.fn];
    if (derivative === undefined) return [];
    const applied = { x: at(inputs, 0), y: at(inputs, 1), z: at(outputs, 0), dz: at(cotangents, 0) };
    return [
      wanted[0] === true ? b.sumTo(derivative.x(b, applied), b.shape(applied.x)) : undefined,
      wanted[1] === true ? b.sumTo(derivative.y(b, applied), b.shape(applied.y)) : undefined,
    ];
  },
  compare: noDerivative,
  select: ({ b }, { inputs: [condition = 0, x = 0, y = 0], cotangents, wanted }) => {
    const dz = at(cotangents, 0);
    return [
      undefined,
      wanted[1] === true ? b.sumTo(b.select(condition, dz, b.number(0)), b.shape(x)) : undefined,
      wanted[2] === true ? b.sumTo(b.select(condition, b.number(0), dz), b.shape(y)) : undefined,
    ];
  },
  // Only from float32 to float32 is a cast on a path, and then it is the identity.
  cast: (_, { cotangents }) => cotangents,
  stopGradient: noDerivative,
};
