import type * as tf from '@tensorflow/tfjs-core';
import { isTracing, record, toTensor, toValue } from './session.ts';

/** The tensor unchanged, with derivative zero. */
export function stopGradient(x: tf.Tensor): tf.Tensor {
  if (!isTracing()) return x.clone();
  return toTensor(record('stopGradient', {}, [toValue(x, 'stopGradient')])[0] as number);
}
