import type * as tf from '@tensorflow/tfjs-core';
import type { DType, Reduction, ValueId } from '../../graph/graph.ts';
import { isWithin } from '../engine-internals.ts';
import type { Emit } from './emit.ts';
import { type KernelRule, type KernelTable, axesOf, axisOf, withAttributes } from './kernel-rule.ts';

/** All kernels that reduce; Max names its axes otherwise. */
interface ReductionAttributes {
  readonly axis?: number | readonly number[] | null;
  readonly reductionIndices?: number | readonly number[] | null;
  readonly keepDims?: boolean;
}

function reduction(
  apply: (emit: Emit, x: ValueId, options: { axes: number[]; keepDims: boolean }) => ValueId,
): KernelRule {
  return withAttributes((emit, { of }, { axis, reductionIndices, keepDims }: ReductionAttributes) =>
    apply(emit, of('x'), {
      axes: axesOf(reductionIndices ?? axis, emit.shape(of('x'))),
      keepDims: keepDims ?? false,
    }),
  );
}

/** A reduction of numbers: bools count as `dtype`. */
function ofNumbers(fn: Reduction, dtype: DType): KernelRule {
  return reduction((emit, x, options) =>
    emit.reduce(fn, dtype === 'float32' || emit.dtype(x) === 'bool' ? emit.cast(x, dtype) : x, options),
  );
}

/** Functions of TensorFlow.js that subtract the maximum for the range alone: what it adds to the derivative cancels. */
const SHIFTED_BY_MAX: ReadonlySet<string> = new Set(['logSoftmax', 'logSumExp', 'softmaxCrossEntropy']);

/** The largest or smallest, of bools too. */
function extreme(fn: 'max' | 'min'): KernelRule {
  return reduction((emit, x, options) => {
    const result = emit.reduce(emit.dtype(x) !== 'bool' ? fn : fn === 'max' ? 'any' : 'all', x, options);
    return fn === 'max' && isWithin(SHIFTED_BY_MAX) ? emit.one('stopGradient', {}, [result]) : result;
  });
}

function argExtreme(fn: 'max' | 'min'): KernelRule {
  return withAttributes((emit, { of }, { axis }: tf.ArgMaxAttrs) => {
    const x = emit.dtype(of('x')) === 'bool' ? emit.cast(of('x'), 'int32') : of('x');
    return emit.one('argReduce', { fn, axis: axisOf(axis, emit.shape(x)) }, [x]);
  });
}

function cumulative(fn: 'sum' | 'prod'): KernelRule {
  return withAttributes((emit, { of }, { axis, exclusive, reverse }: tf.CumsumAttrs) => {
    const x = emit.dtype(of('x')) === 'bool' ? emit.cast(of('x'), 'int32') : of('x');
    return emit.one('cumulative', { fn, axis: axisOf(axis, emit.shape(x)), exclusive, reverse }, [x]);
  });
}

/** The maximum is subtracted for the range alone: what it adds to the derivative cancels. */
function shifted(emit: Emit, x: ValueId, axis: number): ValueId {
  const largest = emit.reduce('max', x, { axes: [axis], keepDims: true });
  return emit.binary('sub', x, emit.one('stopGradient', {}, [largest]));
}

const softmax: KernelRule = withAttributes((emit, { of }, { dim }: tf.SoftmaxAttrs) => {
  const x = emit.cast(of('logits'), 'float32');
  const axis = axisOf(dim, emit.shape(x));
  const powers = emit.unary('exp', shifted(emit, x, axis));
  return emit.binary('div', powers, emit.reduce('sum', powers, { axes: [axis], keepDims: true }));
});

const logSoftmax: KernelRule = withAttributes((emit, { of }, { axis }: tf.LogSoftmaxAttrs) => {
  const x = emit.cast(of('logits'), 'float32');
  const last = axisOf(axis, emit.shape(x));
  const logits = shifted(emit, x, last);
  const sum = emit.reduce('sum', emit.unary('exp', logits), { axes: [last], keepDims: true });
  return emit.binary('sub', logits, emit.unary('log', sum));
});

/** Statistics that have fewer elements than x are repeated along the leading axes. */
const batchNorm: KernelRule = withAttributes((emit, { of, maybe }, { varianceEpsilon }: tf.FusedBatchNormAttrs) => {
  const [x, mean, variance] = [of('x'), of('mean'), of('variance')];
  const [scale, offset] = [maybe('scale'), maybe('offset')];
  const deviation = emit.unary('sqrt', emit.binary('add', variance, emit.fill(varianceEpsilon ?? 0.001)));
  const centred = emit.binary('sub', x, mean);
  const scaled = scale === undefined ? centred : emit.binary('mul', centred, scale);
  const normalised = emit.binary('div', scaled, deviation);
  return offset === undefined ? normalised : emit.binary('add', offset, normalised);
});

/** Sums, means, extremes, running sums, and what is made of them. */
export const REDUCTIONS: KernelTable = {
  Sum: ofNumbers('sum', 'int32'),
  Mean: ofNumbers('mean', 'float32'),
  Prod: ofNumbers('prod', 'int32'),
  Max: extreme('max'),
  Min: extreme('min'),
  Any: reduction((emit, x, options) => emit.reduce('any', x, options)),
  All: reduction((emit, x, options) => emit.reduce('all', x, options)),
  ArgMax: argExtreme('max'),
  ArgMin: argExtreme('min'),
  Cumsum: cumulative('sum'),
  Cumprod: cumulative('prod'),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  FusedBatchNorm: batchNorm,
};
