import * as tf from '@tensorflow/tfjs-core';
import {
  type BinaryFunction,
  type Comparison,
  type DType,
  type Reduction,
  type UnaryFunction,
  type ValueId,
  sameShape,
  sizeOf,
} from '../graph/graph.ts';
import { record, toValue, typeOf } from './session.ts';

/** The inputs of a kernel as values, by TensorFlow.js's names; a list input has the names '0', '1', ... */
export type KernelInputs = Readonly<Record<string, ValueId>>;
/** The attributes of a kernel: checked by TensorFlow.js's op before the kernel runs. */
// eslint-disable-next-line
export type KernelAttrs = Readonly<Record<string, any>>;
export type Lowering = (inputs: KernelInputs, attrs: KernelAttrs) => ValueId | readonly ValueId[];

const one = (...args: Parameters<typeof record>): ValueId => record(...args)[0] as ValueId;
const shapeOf = (x: ValueId): readonly number[] => typeOf(x).shape;
const need = (inputs: KernelInputs, name: string): ValueId => inputs[name] as ValueId;

/** A float32 or int32 scalar. */
const scalar = (value: number, dtype: DType = 'float32'): ValueId =>
  one(
    'constant',
    {
      shape: [],
      dtype,
      data:
        dtype === 'float32' ? Float32Array.of(value) : dtype === 'int32' ? Int32Array.of(value) : Uint8Array.of(value),
    },
    [],
  );
const splat = (value: number, shape: readonly number[], dtype: DType): ValueId =>
  one(
    'constant',
    {
      shape,
      dtype,
      data:
        dtype === 'float32' ? Float32Array.of(value) : dtype === 'int32' ? Int32Array.of(value) : Uint8Array.of(value),
    },
    [],
  );
const unary = (fn: UnaryFunction, x: ValueId): ValueId => one('unary', { fn }, [x]);
const cast = (x: ValueId, dtype: DType): ValueId => (typeOf(x).dtype === dtype ? x : one('cast', { dtype }, [x]));
const float = (x: ValueId): ValueId => cast(x, 'float32');
const RANKED: readonly DType[] = ['bool', 'int32', 'float32'];
const upcast = (xs: readonly ValueId[]): ValueId[] => {
  const dtype = RANKED[Math.max(...xs.map((x) => RANKED.indexOf(typeOf(x).dtype)))] as DType;
  return xs.map((x) => cast(x, dtype));
};
const binary = (fn: BinaryFunction, a: ValueId, b: ValueId): ValueId => one('binary', { fn }, upcast([a, b]));
const compare = (fn: Comparison, a: ValueId, b: ValueId): ValueId => one('compare', { fn }, upcast([a, b]));
const select = (c: ValueId, a: ValueId, b: ValueId): ValueId => one('select', {}, [c, ...upcast([a, b])]);
const reshape = (x: ValueId, shape: readonly number[]): ValueId =>
  sameShape(shapeOf(x), shape) ? x : one('reshape', { shape }, [x]);
const reduce = (fn: Reduction, x: ValueId, axes: readonly number[], keepDims: boolean): ValueId => {
  const sorted = [...axes].sort((a, b) => a - b);
  return sorted.length === 0 ? x : one('reduce', { fn, axes: sorted, keepDims }, [x]);
};
const axesOf = (axis: number | number[] | null | undefined, x: ValueId): number[] =>
  tf.util.parseAxisParam(axis as number[], [...shapeOf(x)]);
const slice = (x: ValueId, begin: readonly number[], size: readonly number[]): ValueId =>
  sameShape(size, shapeOf(x)) ? x : one('slice', { begin, size, strides: size.map(() => 1) }, [x]);
const like = (x: ValueId, value: number): ValueId => splat(value, shapeOf(x), typeOf(x).dtype);
const sliceAxis = (x: ValueId, axis: number, begin: number, count: number): ValueId => {
  const shape = shapeOf(x);
  return slice(
    x,
    shape.map((_, i) => (i === axis ? begin : 0)),
    shape.map((d, i) => (i === axis ? count : d)),
  );
};

const plainUnary =
  (fn: UnaryFunction): Lowering =>
  ({ x }) =>
    unary(
      fn,
      ['neg', 'abs', 'sign', 'relu'].includes(fn) && typeOf(x as ValueId).dtype === 'int32'
        ? (x as ValueId)
        : float(x as ValueId),
    );
const testUnary =
  (fn: UnaryFunction): Lowering =>
  ({ x }) =>
    unary(fn, float(x as ValueId));
const plainBinary =
  (fn: BinaryFunction): Lowering =>
  ({ a, b }) =>
    binary(fn, a as ValueId, b as ValueId);
const plainCompare =
  (fn: Comparison): Lowering =>
  ({ a, b }) =>
    compare(fn, a as ValueId, b as ValueId);
const logic =
  (fn: BinaryFunction): Lowering =>
  ({ a, b }) =>
    one('binary', { fn }, [cast(a as ValueId, 'bool'), cast(b as ValueId, 'bool')]);
const reduction =
  (fn: Reduction, to?: DType): Lowering =>
  ({ x }, { axis, keepDims }) => {
    const own = x as ValueId;
    const value = to !== undefined ? cast(own, to) : typeOf(own).dtype === 'bool' ? cast(own, 'int32') : own;
    return reduce(fn, value, axesOf(axis, own), Boolean(keepDims));
  };
const matmul = (a: ValueId, b: ValueId, transposeA: boolean, transposeB: boolean): ValueId => {
  const rank = Math.max(shapeOf(a).length, shapeOf(b).length);
  const batch = Array.from({ length: rank - 2 }, (_, i) => i);
  const lead = batch.map((i) => Math.max(shapeOf(a)[i] ?? 1, shapeOf(b)[i] ?? 1));
  const spread = (x: ValueId): ValueId => {
    const shape = [...lead, ...shapeOf(x).slice(-2)];
    return sameShape(shape, shapeOf(x)) ? x : one('broadcast', { shape }, [x]);
  };
  return one(
    'contract',
    {
      leftBatch: batch,
      rightBatch: batch,
      leftContract: [transposeA ? rank - 2 : rank - 1],
      rightContract: [transposeB ? rank - 1 : rank - 2],
    },
    [float(spread(a)), float(spread(b))],
  );
};
const activate = (x: ValueId, activation: string | undefined, alpha?: ValueId, leakyreluAlpha = 0.2): ValueId => {
  switch (activation) {
    case undefined:
    case null:
    case 'linear':
      return x;
    case 'relu':
      return unary('relu', x);
    case 'sigmoid':
      return unary('sigmoid', x);
    case 'elu':
      return select(compare('greaterEqual', x, scalar(0)), x, unary('expm1', x));
    case 'relu6':
      return binary('min', unary('relu', x), scalar(6));
    case 'leakyrelu':
      return select(compare('greaterEqual', x, scalar(0)), x, binary('mul', x, scalar(leakyreluAlpha)));
    case 'prelu':
      return select(compare('less', x, scalar(0)), binary('mul', alpha as ValueId, x), x);
    default:
      throw new TypeError(`Cannot trace a fused matMul: expected a known activation but got ${activation}`);
  }
};
const logSoftmax = (x: ValueId): ValueId => {
  const last = shapeOf(x).length - 1;
  const shifted = binary('sub', x, one('stopGradient', {}, [reduce('max', x, [last], true)]));
  return binary('sub', shifted, unary('log', reduce('sum', unary('exp', shifted), [last], true)));
};
const listOf = (inputs: KernelInputs): ValueId[] => Object.keys(inputs).map((name) => inputs[name] as ValueId);

/** How each TensorFlow.js kernel is said in primitives. */
export const LOWERINGS: Readonly<Record<string, Lowering>> = {
  Abs: plainUnary('abs'),
  Neg: plainUnary('neg'),
  Sign: plainUnary('sign'),
  Exp: plainUnary('exp'),
  Expm1: plainUnary('expm1'),
  Log: plainUnary('log'),
  Log1p: plainUnary('log1p'),
  Sqrt: plainUnary('sqrt'),
  Rsqrt: plainUnary('rsqrt'),
  Reciprocal: plainUnary('reciprocal'),
  Sin: plainUnary('sin'),
  Cos: plainUnary('cos'),
  Tan: plainUnary('tan'),
  Asin: plainUnary('asin'),
  Acos: plainUnary('acos'),
  Atan: plainUnary('atan'),
  Sinh: plainUnary('sinh'),
  Cosh: plainUnary('cosh'),
  Tanh: plainUnary('tanh'),
  Asinh: plainUnary('asinh'),
  Acosh: plainUnary('acosh'),
  Atanh: plainUnary('atanh'),
  Sigmoid: plainUnary('sigmoid'),
  Softplus: plainUnary('softplus'),
  Erf: plainUnary('erf'),
  Relu: plainUnary('relu'),
  Floor: plainUnary('floor'),
  Ceil: plainUnary('ceil'),
  Round: plainUnary('round'),
  Square: ({ x }) => binary('mul', x as ValueId, x as ValueId),
  Relu6: ({ x }) => binary('min', unary('relu', x as ValueId), scalar(6)),
  Elu: ({ x }) => activate(x as ValueId, 'elu'),
  LeakyRelu: ({ x }, { alpha }) => activate(x as ValueId, 'leakyrelu', undefined, alpha),
  Selu: ({ x }) =>
    select(
      compare('greaterEqual', x as ValueId, scalar(0)),
      binary('mul', x as ValueId, scalar(1.0507009873554805)),
      binary('mul', unary('expm1', x as ValueId), scalar(1.7580993408473768)),
    ),
  Step: ({ x }, { alpha }) =>
    select(
      compare('greater', x as ValueId, scalar(0)),
      scalar(1),
      select(unary('isNan', x as ValueId), x as ValueId, scalar(alpha)),
    ),
  IsNan: testUnary('isNan'),
  IsInf: testUnary('isInf'),
  IsFinite: testUnary('isFinite'),
  LogicalNot: ({ x }) => unary('not', cast(x as ValueId, 'bool')),
  LogicalAnd: logic('and'),
  LogicalOr: logic('or'),
  ZerosLike: ({ x }) => like(x as ValueId, 0),
  OnesLike: ({ x }) => like(x as ValueId, 1),
  ClipByValue: ({ x }, { clipValueMin, clipValueMax }) =>
    binary('min', binary('max', x as ValueId, scalar(clipValueMin)), scalar(clipValueMax)),
  Add: plainBinary('add'),
  Sub: plainBinary('sub'),
  Multiply: plainBinary('mul'),
  Maximum: plainBinary('max'),
  Minimum: plainBinary('min'),
  RealDiv: ({ a, b }) => binary('div', float(a as ValueId), float(b as ValueId)),
  Pow: plainBinary('pow'),
  Atan2: plainBinary('atan2'),
  Mod: plainBinary('mod'),
  FloorDiv: plainBinary('floorDiv'),
  SquaredDifference: ({ a, b }) => {
    const d = binary('sub', a as ValueId, b as ValueId);
    return binary('mul', d, d);
  },
  AddN: (inputs) => listOf(inputs).reduce((sum, x) => binary('add', sum, x)),
  Equal: plainCompare('equal'),
  NotEqual: plainCompare('notEqual'),
  Less: plainCompare('less'),
  LessEqual: plainCompare('lessEqual'),
  Greater: plainCompare('greater'),
  GreaterEqual: plainCompare('greaterEqual'),
  Select: ({ condition, t, e }) => {
    const c = condition as ValueId;
    const rank = shapeOf(t as ValueId).length;
    return select(
      reshape(c, [...shapeOf(c), ...Array.from({ length: Math.max(0, rank - shapeOf(c).length) }, () => 1)]),
      t as ValueId,
      e as ValueId,
    );
  },
  Sum: reduction('sum'),
  Mean: reduction('mean', 'float32'),
  Max: ({ x }, { reductionIndices, axis, keepDims }) =>
    reduce('max', x as ValueId, axesOf(reductionIndices ?? axis, x as ValueId), Boolean(keepDims)),
  Min: reduction('min'),
  Prod: reduction('prod'),
  Any: reduction('any', 'bool'),
  All: reduction('all', 'bool'),
  ArgMax: ({ x }, { axis }) =>
    one('argReduce', { fn: 'max', axis: axesOf(axis, x as ValueId)[0] as number }, [x as ValueId]),
  ArgMin: ({ x }, { axis }) =>
    one('argReduce', { fn: 'min', axis: axesOf(axis, x as ValueId)[0] as number }, [x as ValueId]),
  Cumsum: ({ x }, { axis, exclusive, reverse }) =>
    one('cumulative', { fn: 'sum', axis: axesOf(axis, x as ValueId)[0] as number, exclusive, reverse }, [x as ValueId]),
  Cumprod: ({ x }, { axis, exclusive, reverse }) =>
    one('cumulative', { fn: 'prod', axis: axesOf(axis, x as ValueId)[0] as number, exclusive, reverse }, [
      x as ValueId,
    ]),
  BatchMatMul: ({ a, b }, { transposeA, transposeB }) => matmul(a as ValueId, b as ValueId, transposeA, transposeB),
  _FusedMatMul: (inputs, { transposeA, transposeB, activation, leakyreluAlpha }) => {
    const product = matmul(need(inputs, 'a'), need(inputs, 'b'), transposeA, transposeB);
    const biased = inputs['bias'] === undefined ? product : binary('add', product, inputs['bias']);
    return activate(biased, activation, inputs['preluActivationWeights'], leakyreluAlpha);
  },
  Identity: ({ x }) => x as ValueId,
  Reshape: ({ x }, { shape }) =>
    reshape(x as ValueId, tf.util.inferFromImplicitShape(shape, sizeOf(shapeOf(x as ValueId)))),
  ExpandDims: ({ input }, { dim }) => {
    const shape = [...shapeOf(input as ValueId)];
    shape.splice(dim < 0 ? shape.length + 1 + dim : dim, 0, 1);
    return reshape(input as ValueId, shape);
  },
  Cast: ({ x }, { dtype }) => cast(x as ValueId, dtype),
  Tile: ({ x }, { reps }) => {
    const shape = shapeOf(x as ValueId);
    const spread = shape.flatMap((d, i) => [reps[i] as number, d]);
    const wide = one('broadcast', { shape: spread }, [
      reshape(
        x as ValueId,
        shape.flatMap((d) => [1, d]),
      ),
    ]);
    return reshape(
      wide,
      shape.map((d, i) => d * (reps[i] as number)),
    );
  },
  BroadcastTo: ({ x }, { shape }) =>
    sameShape(shape, shapeOf(x as ValueId)) ? (x as ValueId) : one('broadcast', { shape }, [x as ValueId]),
  Transpose: ({ x }, { perm }) => one('transpose', { perm }, [x as ValueId]),
  Slice: ({ x }, { begin, size }) => {
    const shape = shapeOf(x as ValueId);
    const first = shape.map((_, i) => (begin[i] as number | undefined) ?? 0);
    return slice(
      x as ValueId,
      first,
      shape.map((d, i) => {
        const n = size?.[i] as number | undefined;
        return n === undefined || n < 0 ? d - (first[i] as number) : n;
      }),
    );
  },
  SplitV: ({ x }, { numOrSizeSplits, axis }) => {
    const own = x as ValueId;
    const at = axesOf(axis, own)[0] as number;
    const sizes = tf.backend_util.prepareSplitSize(
      { shape: [...shapeOf(own)] } as unknown as tf.Tensor,
      numOrSizeSplits,
      at,
    );
    let begin = 0;
    return sizes.map((count) => {
      const part = sliceAxis(own, at, begin, count);
      begin += count;
      return part;
    });
  },
  Pack: (inputs, { axis }) => {
    const xs = upcast(listOf(inputs));
    const rank = shapeOf(xs[0] as ValueId).length;
    const at = axis < 0 ? rank + 1 + axis : axis;
    return one(
      'concat',
      { axis: at },
      xs.map((x) => reshape(x, [...shapeOf(x).slice(0, at), 1, ...shapeOf(x).slice(at)])),
    );
  },
  Unpack: ({ value }, { axis }) => {
    const own = value as ValueId;
    const at = axesOf(axis, own)[0] as number;
    const rest = shapeOf(own).filter((_, i) => i !== at);
    return Array.from({ length: shapeOf(own)[at] as number }, (_, i) => reshape(sliceAxis(own, at, i, 1), rest));
  },
  Concat: (inputs, { axis }) => {
    const all = upcast(listOf(inputs));
    const at = axesOf(axis, all[0] as ValueId)[0] as number;
    const filled = all.filter((x) => sizeOf(shapeOf(x)) > 0);
    const xs = filled.length === 0 ? all.slice(0, 1) : filled;
    return xs.length === 1 ? (xs[0] as ValueId) : one('concat', { axis: at }, xs);
  },
  PadV2: ({ x }, { paddings, constantValue }) =>
    one(
      'pad',
      { before: paddings.map((p: number[]) => p[0]), after: paddings.map((p: number[]) => p[1]), value: constantValue },
      [x as ValueId],
    ),
  Reverse: ({ x }, { dims }) => one('reverse', { axes: axesOf(dims, x as ValueId) }, [x as ValueId]),
  GatherV2: ({ x, indices }, { axis, batchDims }) =>
    one('gather', { axis: axesOf(axis, x as ValueId)[0] as number, batchDims: batchDims ?? 0 }, [
      x as ValueId,
      cast(indices as ValueId, 'int32'),
    ]),
  OneHot: ({ indices }, { dtype, depth, onValue, offValue }) => {
    const own = cast(indices as ValueId, 'int32');
    const hot = compare(
      'equal',
      reshape(own, [...shapeOf(own), 1]),
      one('iota', { shape: [depth], axis: 0, dtype: 'int32' }, []),
    );
    return select(hot, scalar(onValue, dtype ?? 'int32'), scalar(offValue, dtype ?? 'int32'));
  },
  Softmax: ({ logits }) => unary('exp', logSoftmax(logits as ValueId)),
  LogSoftmax: ({ logits }) => logSoftmax(logits as ValueId),
  Fill: (_, { shape, value, dtype }) => splat(value, shape, dtype ?? 'float32'),
};

/** Lowers one kernel call. */
export function lower(
  kernel: string,
  inputs: Readonly<Record<string, tf.TensorInfo>>,
  attrs: KernelAttrs,
): ValueId | readonly ValueId[] | undefined {
  const rule = LOWERINGS[kernel];
  if (rule === undefined) return undefined;
  const values: Record<string, ValueId> = {};
  for (const [name, tensor] of Object.entries(inputs))
    if (tensor !== undefined && tensor !== null) values[name] = toValue(tensor, kernel);
  return rule(values, attrs);
}
