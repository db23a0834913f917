import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../graph/graph.ts';
import { axesOf } from './lowering/kernel-rule.ts';
import { isTracing, record, tensorOf, valueOf } from './recording.ts';

/**
 * The number of elements of `x`, or the product of its extents along some axes, as a float32 scalar: how a rule gets a number that
 * depends on the shape, so that one graph can serve every shape. Its derivative is zero.
 */
export function size(x: tf.Tensor, axes?: number | readonly number[]): tf.Scalar {
  const own = axesOf(axes, x.shape);
  if (!isTracing()) return tf.scalar(sizeOf(own.map((axis) => x.shape[axis] ?? 1)));
  const [value = 0] = record('size', { axes: own }, [valueOf(x, 'size')]);
  // One boundary: the primitive gives a scalar.
  return tensorOf(value) as tf.Scalar;
}
