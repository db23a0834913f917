import * as tf from '@tensorflow/tfjs-core';
import { type ValueId, sizeOf } from '../../graph/graph.ts';
import { ShapeError } from '../../graph/shape-error.ts';
import type { Emit } from './emit.ts';
import { type KernelRule, type KernelTable, axesOf, axisOf, extentOf, withAttributes } from './kernel-rule.ts';

/** TensorFlow.js reads a tensor's shape alone here. */
function infoOf(emit: Emit, x: ValueId): tf.TensorInfo {
  return { dataId: {}, shape: [...emit.shape(x)], dtype: emit.dtype(x) };
}

function insertAxis(emit: Emit, x: ValueId, axis: number): ValueId {
  const shape = emit.shape(x);
  const at = axis < 0 ? shape.length + 1 + axis : axis;
  return emit.reshape(x, shape.toSpliced(at, 0, 1));
}

/** Repetition along axes of extent 1 is broadcasting; else each axis gets one before it along which it is broadcast. */
const tile: KernelRule = withAttributes((emit, { of }, { reps }: tf.TileAttrs) => {
  const x = of('x');
  const shape = emit.shape(x);
  const tiled = shape.map((extent, axis) => extent * extentOf(reps, axis));
  if (shape.every((extent, axis) => extent === 1 || reps[axis] === 1)) return emit.broadcast(x, tiled);
  const split = emit.reshape(
    x,
    shape.flatMap((extent) => [1, extent]),
  );
  const repeated = emit.broadcast(
    split,
    shape.flatMap((extent, axis) => [extentOf(reps, axis), extent]),
  );
  return emit.reshape(repeated, tiled);
});

/** A slice whose range may leave out the last axes, and where a size of -1 is the rest. */
function sliceOf(emit: Emit, x: ValueId, { begin, size }: tf.SliceAttrs): ValueId {
  const [first = [], extents = []] = tf.slice_util.parseSliceParams(infoOf(emit, x), begin, size);
  tf.slice_util.assertParamsValid(infoOf(emit, x), first, extents);
  return emit.slice(x, { begin: first, size: extents });
}

/** Negative strides take the same elements forwards and reverse them. */
const stridedSlice: KernelRule = withAttributes((emit, { of }, attributes: tf.StridedSliceAttrs) => {
  const x = of('x');
  const { begin, end, strides, finalShape } = tf.slice_util.sliceInfo(
    [...emit.shape(x)],
    attributes.begin,
    attributes.end,
    attributes.strides,
    attributes.beginMask,
    attributes.endMask,
    attributes.ellipsisMask,
    attributes.newAxisMask,
    attributes.shrinkAxisMask,
  );
  const axes = emit.shape(x).map((_, axis) => {
    const [first, stride] = [begin[axis] ?? 0, strides[axis] ?? 1];
    const count = Math.max(0, Math.ceil(((end[axis] ?? 0) - first) / stride));
    const lowest = count === 0 ? 0 : stride > 0 ? first : first + (count - 1) * stride;
    return { count, lowest, stride };
  });
  const taken = emit.slice(x, {
    begin: axes.map(({ lowest }) => lowest),
    size: axes.map(({ count }) => count),
    strides: axes.map(({ stride }) => Math.abs(stride)),
  });
  const backwards = axes.flatMap(({ stride, count }, axis) => (stride < 0 && count > 1 ? [axis] : []));
  return emit.reshape(emit.reverse(taken, backwards), finalShape);
});

const splitV: KernelRule = withAttributes((emit, { of }, { numOrSizeSplits, axis }: tf.SplitVAttrs) => {
  const x = of('x');
  const at = axisOf(axis, emit.shape(x));
  const sizes = tf.backend_util.prepareSplitSize(infoOf(emit, x), numOrSizeSplits, at);
  let begin = 0;
  return sizes.map((size) => {
    const part = emit.sliceAxis(x, { axis: at, begin, size });
    begin += size;
    return part;
  });
});

const unpack: KernelRule = withAttributes((emit, { of }, { axis }: tf.UnpackAttrs) => {
  const x = of('value');
  const shape = emit.shape(x);
  const at = axisOf(axis, shape);
  return Array.from({ length: extentOf(shape, at) }, (_, begin) =>
    emit.reshape(emit.sliceAxis(x, { axis: at, begin, size: 1 }), shape.toSpliced(at, 1)),
  );
});

/** Empty parts leave no trace, whatever their other extents. */
const concat: KernelRule = withAttributes((emit, { list }, { axis }: tf.ConcatAttrs) => {
  const shapes = list.map((x) => [...emit.shape(x)]);
  const at = axisOf(axis, shapes[0] ?? []);
  tf.backend_util.assertParamsConsistent(shapes, at);
  const filled = list.filter((x) => sizeOf(emit.shape(x)) > 0);
  return emit.concat(filled.length === 0 ? list : filled, at);
});

const mirrorPad: KernelRule = withAttributes((emit, { of }, { paddings, mode }: tf.MirrorPadAttrs) => {
  // In reflect mode the border itself isn't repeated.
  const skipped = mode === 'reflect' ? 1 : 0;
  let x = of('x');
  for (const [axis, [before, after]] of paddings.entries()) {
    const extent = extentOf(emit.shape(x), axis);
    const mirrored = (begin: number, size: number): ValueId =>
      emit.reverse(emit.sliceAxis(x, { axis, begin, size }), [axis]);
    const parts = [
      ...(before === 0 ? [] : [mirrored(skipped, before)]),
      x,
      ...(after === 0 ? [] : [mirrored(extent - after - skipped, after)]),
    ];
    x = emit.concat(parts, axis);
  }
  return x;
});

/** x `[batch, ...space, ...rest]`, each axis of space cut into blocks, whose offsets become the slow part of the batch. */
const spaceToBatch: KernelRule = withAttributes((emit, { of }, { blockShape, paddings }: tf.SpaceToBatchNDAttrs) => {
  const x = of('x');
  const widths = emit.shape(x).map((_, axis) => paddings[axis - 1] ?? [0, 0]);
  const padded = pad(emit, x, { paddings: widths, value: 0 });
  const count = sizeOf(blockShape);
  const reshaped = tf.backend_util.getReshaped([...emit.shape(padded)], blockShape, count, false);
  const perm = tf.backend_util.getPermuted(reshaped.length, blockShape.length, false);
  const flat = tf.backend_util.getReshapedPermuted([...emit.shape(padded)], blockShape, count, false);
  return emit.reshape(emit.transpose(emit.reshape(padded, reshaped), perm), flat);
});

const batchToSpace: KernelRule = withAttributes((emit, { of }, { blockShape, crops }: tf.BatchToSpaceNDAttrs) => {
  const x = of('x');
  const count = sizeOf(blockShape);
  const shape = [...emit.shape(x)];
  const reshaped = tf.backend_util.getReshaped(shape, blockShape, count);
  const perm = tf.backend_util.getPermuted(reshaped.length, blockShape.length);
  const flat = tf.backend_util.getReshapedPermuted(shape, blockShape, count);
  const whole = emit.reshape(emit.transpose(emit.reshape(x, reshaped), perm), flat);
  return sliceOf(emit, whole, {
    begin: tf.backend_util.getSliceBeginCoords(crops, blockShape.length),
    size: tf.backend_util.getSliceSize(flat, crops, blockShape.length),
  });
});

/** Channels `[block row, block column, depth]` become the rows and columns of a block. */
const depthToSpace: KernelRule = withAttributes((emit, { of }, { blockSize, dataFormat }: tf.DepthToSpaceAttrs) => {
  if (dataFormat !== 'NHWC') throw new ShapeError(`Cannot apply depthToSpace: expected NHWC but got ${dataFormat}`);
  const [batch = 1, height = 1, width = 1, channels = 1] = emit.shape(of('x'));
  const depth = channels / blockSize ** 2;
  const blocks = emit.reshape(of('x'), [batch, height, width, blockSize, blockSize, depth]);
  return emit.reshape(emit.transpose(blocks, [0, 1, 3, 2, 4, 5]), [
    batch,
    height * blockSize,
    width * blockSize,
    depth,
  ]);
});

function pad(
  emit: Emit,
  x: ValueId,
  { paddings, value }: { readonly paddings: readonly (readonly number[])[]; readonly value: number },
): ValueId {
  const before = paddings.map(([width = 0]) => width);
  const after = paddings.map(([, width = 0]) => width);
  return [...before, ...after].every((width) => width === 0) ? x : emit.one('pad', { before, after, value }, [x]);
}

/** Shapes, order of axes and elements, parts and wholes. */
export const SHAPES: KernelTable = {
  Identity: (_, { of }) => of('x'),
  Reshape: withAttributes((emit, { of }, { shape }: tf.ReshapeAttrs) =>
    emit.reshape(of('x'), tf.util.inferFromImplicitShape(shape, sizeOf(emit.shape(of('x'))))),
  ),
  ExpandDims: withAttributes((emit, { of }, { dim }: tf.ExpandDimsAttrs) => insertAxis(emit, of('input'), dim)),
  Tile: tile,
  BroadcastTo: withAttributes((emit, { of }, { shape }: tf.BroadCastToAttrs) => emit.broadcast(of('x'), shape)),
  Transpose: withAttributes((emit, { of }, { perm }: tf.TransposeAttrs) => emit.transpose(of('x'), perm)),
  Slice: withAttributes((emit, { of }, range: tf.SliceAttrs) => sliceOf(emit, of('x'), range)),
  StridedSlice: stridedSlice,
  SplitV: splitV,
  Pack: withAttributes((emit, { list }, { axis }: tf.PackAttrs) => {
    const rank = emit.shape(list[0] ?? 0).length + 1;
    const parts = list.map((x) => insertAxis(emit, x, axis));
    return emit.concat(parts, axis < 0 ? rank + axis : axis);
  }),
  Unpack: unpack,
  Concat: concat,
  PadV2: withAttributes((emit, { of }, { paddings, constantValue }: tf.PadV2Attrs) =>
    pad(emit, of('x'), { paddings, value: constantValue }),
  ),
  MirrorPad: mirrorPad,
  Reverse: withAttributes((emit, { of }, { dims }: tf.ReverseAttrs) =>
    emit.reverse(of('x'), axesOf(dims, emit.shape(of('x')))),
  ),
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  DepthToSpace: depthToSpace,
};
