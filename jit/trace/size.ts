import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../graph/graph.ts';
import { isTracing, record, toTensor, toValue } from './session.ts';

/**
 * The product of the extents of some axes of `x` (default: all), as a float32 scalar: the way to a number that depends on the shape.
 * Its derivative is zero.
 */
export function size(x: tf.Tensor, axes: readonly number[] = x.shape.map((_, axis) => axis)): tf.Scalar {
  if (!isTracing()) return tf.scalar(sizeOf(axes.map((axis) => x.shape.at(axis) as number)));
  const own = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
  return toTensor(record('size', { axes: own }, [toValue(x, 'size')])[0] as number) as tf.Scalar;
}
