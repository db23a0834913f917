import * as tf from '@tensorflow/tfjs-core';
import type { DType } from '../../graph/graph.ts';
import { ShapeError } from '../../graph/shape-error.ts';
import { type KernelRule, type KernelTable, withAttributes } from './kernel-rule.ts';

function likeOf(value: number): KernelRule {
  return (emit, { of }) => emit.fill(value, { shape: emit.shape(of('x')), dtype: emit.dtype(of('x')) });
}

function asNumeric(dtype: tf.DataType): DType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw new ShapeError(`Cannot make a tensor: expected float32, int32 or bool but got ${dtype}`);
}

/** As many numbers as TensorFlow.js counts; a step of 1 goes downwards where stop is below start. */
const range: KernelRule = withAttributes((emit, _, { start, stop, step, dtype }: tf.RangeAttrs) => {
  if (dtype === 'int32' && !(Number.isInteger(start) && Number.isInteger(step)))
    throw new ShapeError(`Cannot apply range: expected whole numbers for int32 but got start ${start}, step ${step}`);
  const isEmpty = start === stop || (start < stop && step < 0) || (stop < start && step > 1);
  const count = isEmpty ? 0 : Math.abs(Math.ceil((stop - start) / step));
  const stride = stop < start && step === 1 ? -1 : step;
  const counts = emit.one('iota', { shape: [count], axis: 0, dtype }, []);
  const strides = stride === 1 ? counts : emit.binary('mul', counts, emit.fill(stride, { dtype }));
  return start === 0 ? strides : emit.binary('add', strides, emit.fill(start, { dtype }));
});

const linSpace: KernelRule = withAttributes((emit, _, { start, stop, num }: tf.LinSpaceAttrs) => {
  if (num === 1) return emit.fill(start, { shape: [1] });
  const counts = emit.one('iota', { shape: [num], axis: 0, dtype: 'float32' }, []);
  return emit.binary('add', emit.binary('mul', counts, emit.fill((stop - start) / (num - 1))), emit.fill(start));
});

/** Tensors from nothing but numbers. */
export const CREATION: KernelTable = {
  Fill: withAttributes((emit, _, { shape, value, dtype }: tf.FillAttrs) =>
    emit.fill(Number(value), { shape, dtype: asNumeric(dtype ?? tf.util.inferDtype(value)) }),
  ),
  ZerosLike: likeOf(0),
  OnesLike: likeOf(1),
  Range: range,
  LinSpace: linSpace,
};
