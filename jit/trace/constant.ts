import * as tf from '@tensorflow/tfjs-core';
import { allocate, type DType, sizeOf } from '../graph/graph.ts';
import { isTracing, record, toTensor } from './session.ts';

/**
 * A constant tensor, traced or eager: the one way to a table of numbers in traced code. `shape` defaults to one axis of all values.
 * @throws RangeError when the number of values isn't that of the shape.
 */
export function constant(
  values: readonly number[],
  shape: readonly number[] = [values.length],
  dtype: DType = 'float32',
): tf.Tensor {
  if (sizeOf(shape) !== values.length)
    throw new RangeError(
      `Cannot make a constant: expected ${sizeOf(shape)} values for the shape [${shape}] but got ${values.length}`,
    );
  if (!isTracing()) return tf.tensor([...values], [...shape], dtype);
  const data = allocate(dtype, values.length);
  data.set(values);
  return toTensor(record('constant', { shape, dtype, data }, [])[0] as number);
}
