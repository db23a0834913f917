import type * as tf from '@tensorflow/tfjs-core';
import { type ValueId, sizeOf } from '../../graph/graph.ts';
import type { Emit } from './emit.ts';
import { type KernelRule, type KernelTable, axisOf, extentOf, withAttributes } from './kernel-rule.ts';

const gather: KernelRule = withAttributes((emit, { of }, { axis, batchDims }: tf.GatherV2Attrs) => {
  const [x, indices] = [of('x'), emit.cast(of('indices'), 'int32')];
  const leading = batchDims ?? 0;
  return emit.one(
    'gather',
    {
      axis: axisOf(axis, emit.shape(x)),
      batchDims: leading < 0 ? leading + emit.shape(indices).length : leading,
    },
    [x, indices],
  );
});

/** Positions in the first `k` axes, `[..., k]`, as positions in those axes made one. */
function flatIndices(emit: Emit, indices: ValueId, extents: readonly number[]): ValueId {
  const shape = emit.shape(indices);
  const axis = shape.length - 1;
  return (
    extents.reduce<ValueId | undefined>((sum, extent, begin) => {
      const one = emit.reshape(emit.sliceAxis(indices, { axis, begin, size: 1 }), shape.slice(0, -1));
      if (sum === undefined) return one;
      return emit.binary('add', emit.binary('mul', sum, emit.fill(extent, { dtype: 'int32' })), one);
    }, undefined) ?? emit.fill(0, { shape: shape.slice(0, -1), dtype: 'int32' })
  );
}

const gatherNd: KernelRule = (emit, { of }) => {
  const [params, indices] = [of('params'), emit.cast(of('indices'), 'int32')];
  const shape = emit.shape(params);
  const depth = extentOf(emit.shape(indices), emit.shape(indices).length - 1);
  const leading = shape.slice(0, depth);
  const flat = emit.reshape(params, [sizeOf(leading), ...shape.slice(depth)]);
  return emit.one('gather', { axis: 0, batchDims: 0 }, [flat, flatIndices(emit, indices, leading)]);
};

/** Updates at the same position add up. */
const scatterNd: KernelRule = withAttributes((emit, { of }, { shape }: tf.ScatterNdAttrs) => {
  const [indices, updates] = [emit.cast(of('indices'), 'int32'), of('updates')];
  const depth = extentOf(emit.shape(indices), emit.shape(indices).length - 1);
  const leading = shape.slice(0, depth);
  const added = emit.one('scatterAdd', { axis: 0, batchDims: 0, size: sizeOf(leading) }, [
    flatIndices(emit, indices, leading),
    updates,
  ]);
  return emit.reshape(added, shape);
});

/** Sums by segment; elements whose segment isn't there count for none: they go to one more segment, which is cut off. */
const segmentSum: KernelRule = withAttributes((emit, { of }, { numSegments }: tf.UnsortedSegmentSumAttrs) => {
  const [x, segments] = [emit.cast(of('x'), 'float32'), emit.cast(of('segmentIds'), 'int32')];
  const count = emit.fill(numSegments, { dtype: 'int32' });
  const isThere = emit.binary(
    'and',
    emit.compare('greaterEqual', segments, emit.fill(0, { dtype: 'int32' })),
    emit.compare('less', segments, count),
  );
  const sums = emit.one('scatterAdd', { axis: 0, batchDims: 0, size: numSegments + 1 }, [
    emit.select(isThere, segments, count),
    x,
  ]);
  return emit.sliceAxis(sums, { axis: 0, begin: 0, size: numSegments });
});

const oneHot: KernelRule = withAttributes((emit, { of }, { dtype, depth, onValue, offValue }: tf.OneHotAttrs) => {
  const indices = emit.cast(of('indices'), 'int32');
  const element = dtype === 'float32' || dtype === 'bool' ? dtype : 'int32';
  const positions = emit.one('iota', { shape: [depth], axis: 0, dtype: 'int32' }, []);
  const isHot = emit.compare('equal', emit.reshape(indices, [...emit.shape(indices), 1]), positions);
  if (element === 'bool' && onValue === 1 && offValue === 0) return isHot;
  return emit.select(isHot, emit.fill(onValue, { dtype: element }), emit.fill(offValue, { dtype: element }));
});

const diag: KernelRule = (emit, { of }) => {
  const x = of('x');
  const size = sizeOf(emit.shape(x));
  const count = (axis: number): ValueId =>
    emit.one('iota', { shape: axis === 0 ? [size, 1] : [1, size], axis, dtype: 'int32' }, []);
  const isOn = emit.compare('equal', count(0), count(1));
  const column = emit.reshape(x, [size, 1]);
  const square = emit.select(isOn, column, emit.fill(0, { dtype: emit.dtype(x) }));
  return emit.reshape(square, [...emit.shape(x), ...emit.shape(x)]);
};

/** Picking and adding by position. */
export const INDEXING: KernelTable = {
  GatherV2: gather,
  GatherNd: gatherNd,
  ScatterNd: scatterNd,
  UnsortedSegmentSum: segmentSum,
  OneHot: oneHot,
  Diag: diag,
};
