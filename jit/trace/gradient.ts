import * as tf from '@tensorflow/tfjs-core';
import type { ValueId, ValueType } from '../graph/graph.ts';
import { replay } from '../engines/eager/replay.ts';
import { appendGradient } from '../transform/differentiate.ts';
import { isTracing, session, toTensor, toValue } from './session.ts';
import { type Group, groupOf } from './structure.ts';
import { trace } from './trace.ts';

type Aux = Readonly<Record<string, tf.Tensor>>;
type Objective = (params: Group<tf.Tensor>) => tf.Tensor | (Aux & { readonly loss: tf.Tensor });

/** A scalar function's value, what else it returned, and its gradient by each parameter. Differentiates the Graph: the forward pass alone is traced. */
export function valueAndGradient(
  f: Objective,
  params: Group<tf.Tensor>,
): { readonly value: tf.Tensor; readonly aux: Aux; readonly grads: Group<tf.Tensor> } {
  if (!isTracing()) return eagerly(f, params);
  const { builder } = session();
  const since = builder.nodes.length;
  const result = f(params);
  const { loss, ...aux } = result instanceof tf.Tensor ? { loss: result } : result;
  const value = toValue(loss, 'valueAndGradient');
  if (builder.type(value).shape.length !== 0)
    throw new RangeError(
      `Cannot differentiate: expected a scalar but got a float32[${builder.type(value).shape}]; reduce it with tf.mean or tf.sum`,
    );
  const wrt = [...params.values()].map((x) => toValue(x, 'valueAndGradient'));
  const seed = builder.splat(1);
  const grads = appendGradient(builder, { outputs: [value], cotangents: [seed], wrt, since });
  return {
    value: loss,
    aux,
    grads: new Map([...params.keys()].map((path, index) => [path, toTensor(grads[index] as ValueId)])),
  };
}

function eagerly(f: Objective, params: Group<tf.Tensor>): { value: tf.Tensor; aux: Aux; grads: Group<tf.Tensor> } {
  const types = new Map(
    [...params].map(([path, x]): [string, ValueType] => [path, { shape: x.shape, dtype: x.dtype as 'float32' }]),
  );
  const graph = trace(
    (x) => {
      const { value, aux, grads } = valueAndGradient(f, x.params as Group<tf.Tensor>);
      return { value, aux: new Map(Object.entries(aux)), grads };
    },
    { params: types },
    { name: 'value and gradient' },
  );
  const outputs = replay(graph, new Map([...params].map(([path, x]) => [`params/${path}`, x])));
  return {
    value: outputs.get('value') as tf.Tensor,
    aux: Object.fromEntries(groupOf(outputs, 'aux')),
    grads: groupOf(outputs, 'grads'),
  };
}
