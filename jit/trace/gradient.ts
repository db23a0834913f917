import * as tf from '@tensorflow/tfjs-core';
import { replay } from '../engines/eager/replay.ts';
import { type ValueId, typeText } from '../graph/graph.ts';
import { appendGradient } from '../transform/differentiate.ts';
import { here, placeText } from './place.ts';
import { isTracing, recording, tensorOf, typeOf, valueOf } from './recording.ts';
import { ShapeError } from '../graph/shape-error.ts';
import { type Group, groupOf } from './structure.ts';
import { traceClosure } from './trace.ts';

/** Tensors by path. */
type Tensors = Group<tf.Tensor>;

/** What a function to differentiate may give: the scalar, or a record that holds it as `loss` or `value` beside other tensors. */
export type Objective =
  | tf.Tensor
  | (Readonly<Record<string, tf.Tensor>> & ({ readonly loss: tf.Tensor } | { readonly value: tf.Tensor }));

export interface ValueAndGradient {
  /** The scalar that was differentiated. */
  readonly value: tf.Tensor;
  /** What else the function gave. */
  readonly aux: Readonly<Record<string, tf.Tensor>>;
  /** Derivative of the value by each parameter; zeros where it doesn't depend on it. */
  readonly grads: Tensors;
}

/**
 * A float32 scalar function's value at `params` and its gradient, by reverse-mode differentiation of the graph. Traced, both are
 * recorded in place; eagerly, the function is traced and the graph is run on the active TensorFlow.js backend.
 * @throws ShapeError where the function gives no float32 scalar.
 */
export function valueAndGradient(f: (params: Tensors) => Objective, params: Tensors): ValueAndGradient {
  return isTracing() ? record(f, params) : run(f, params);
}

function record(f: (params: Tensors) => Objective, params: Tensors): ValueAndGradient {
  const { builder } = recording();
  const own = distinct(params);
  const since = builder.nodes.length;
  const { value, aux } = partsOf(f(own));
  const type = typeOf(value);
  if (type.shape.length > 0 || type.dtype !== 'float32')
    throw new ShapeError(
      `Cannot differentiate: expected a float32 scalar but got ${typeText(type)}, in ${placeText(here(), 'valueAndGradient')}; reduce it by tf.sum or tf.mean`,
    );
  const gradients = appendGradient(builder, {
    outputs: [valueOf(value, 'valueAndGradient')],
    cotangents: [builder.splat(1)],
    wrt: [...own.values()].map((tensor) => valueOf(tensor, 'valueAndGradient')),
    since,
  });
  const grads = new Map([...own.keys()].map((path, index) => [path, tensorOf(gradients[index] ?? 0)]));
  return { value, aux, grads };
}

/** Parameters with a value each: two paths that stand for one value would get each other's gradient. */
function distinct(params: Tensors): Map<string, tf.Tensor> {
  const { builder } = recording();
  const seen = new Set<ValueId>();
  return new Map(
    [...params].map(([path, tensor]) => {
      const value = valueOf(tensor, 'valueAndGradient');
      if (!seen.has(value)) {
        seen.add(value);
        return [path, tensor];
      }
      return [path, tensorOf(builder.one('reshape', { shape: builder.type(value).shape }, [value]))];
    }),
  );
}

function partsOf(result: Objective): Pick<ValueAndGradient, 'value' | 'aux'> {
  if (result instanceof tf.Tensor) return { value: result, aux: {} };
  const name = result['loss'] === undefined ? 'value' : 'loss';
  const { [name]: value, ...aux } = result;
  if (value === undefined)
    throw new TypeError(
      `Cannot differentiate: expected a tensor or a record with loss or value but got one with ${Object.keys(result).join(', ')}`,
    );
  return { value, aux };
}

function run(f: (params: Tensors) => Objective, params: Tensors): ValueAndGradient {
  const flat = new Map([...params].map(([path, tensor]) => [`params/${path}`, tensor]));
  const { graph, inputs } = traceClosure('value and gradient', flat, (traced) => {
    const { value, aux, grads } = record(f, groupOf(traced, 'params'));
    return new Map([
      ['value', value],
      ...Object.entries(aux).map(([name, tensor]) => [`aux/${name}`, tensor] as const),
      ...[...grads].map(([path, tensor]) => [`grads/${path}`, tensor] as const),
    ]);
  });
  const outputs = replay(graph, inputs);
  return {
    value: outputs.get('value') as tf.Tensor,
    aux: Object.fromEntries(groupOf(outputs, 'aux')),
    grads: groupOf(outputs, 'grads'),
  };
}

/**
 * The Hessian of a scalar function at `params` times `tangents`: the gradient of the inner product of its gradient with them. Costs a
 * few evaluations of the gradient, never the Hessian.
 * @throws RangeError where a parameter has no tangent.
 */
export function hvp(f: (params: Tensors) => Objective, params: Tensors, tangents: Tensors): Tensors {
  const along = (at: Tensors): tf.Tensor => {
    const { grads } = valueAndGradient(f, at);
    const products = [...grads].map(([path, gradient]) => {
      const tangent = tangents.get(path);
      if (tangent === undefined)
        throw new RangeError(`Cannot multiply by the Hessian: expected a tangent for ${path} but it is missing`);
      return tf.sum(tf.mul(gradient, tangent));
    });
    return products.length === 0 ? tf.scalar(0) : tf.addN(products);
  };
  const { value, grads } = valueAndGradient(along, params);
  if (!isTracing()) value.dispose();
  return grads;
}
