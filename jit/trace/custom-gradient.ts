import * as tf from '@tensorflow/tfjs-core';
import type { Graph, ValueType } from '../graph/graph.ts';
import { isTracing, record, tensorOf, typeOf, valueOf } from './recording.ts';
import { traceBody } from './trace.ts';

/** Tensors by name. */
type Named = Readonly<Record<string, tf.Tensor>>;

/** The tensor unchanged, with derivative zero. */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  // One boundary: the tensor has the shape of x, which is what T says of it.
  if (isTracing()) return tensorOf(record('stopGradient', {}, [valueOf(x, 'stopGradient')])[0] ?? 0) as T;
  const stopped = tf.customGrad((y) => ({ value: tf.clone(y as T), gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy) }));
  return stopped(x) as T;
}

/**
 * A function with a derivative of its own: `backward` takes the inputs and a cotangent for each output, and gives one for each
 * input. Neither closes over tensors. Run eagerly it is `forward`; valueAndGradient and hvp know its derivative, tf.grads doesn't.
 * @throws TraceError where either closes over a tensor. @throws ShapeError where the cotangents aren't like the inputs.
 */
export function customGradient<I extends Named, O extends Named>(
  forward: (inputs: I) => O,
  backward: (inputs: I, cotangents: { readonly [K in keyof O]: tf.Tensor }) => { readonly [K in keyof I]: tf.Tensor },
): (inputs: I) => O {
  return (inputs) => {
    if (!isTracing()) return forward(inputs);
    const own = typesOf(inputs);
    const forwardGraph = body('customGradient', own, (given) => forward(given as I));
    const names = [...own.keys()];
    const outputs = new Map(
      forwardGraph.outputs.map(({ name, value }) => [name, forwardGraph.values[value] as ValueType]),
    );
    const types = new Map([...prefixed('inputs', own), ...prefixed('cotangents', outputs)]);
    const backwardGraph = body('the backward of customGradient', types, (given) => {
      const under = (group: string, members: Iterable<string>): Named =>
        Object.fromEntries([...members].map((name) => [name, given[`${group}/${name}`] as tf.Tensor]));
      const cotangents = backward(under('inputs', names) as I, under('cotangents', outputs.keys()) as O);
      return Object.fromEntries(names.map((name) => [name, cotangents[name] as tf.Tensor]));
    });
    const values = record(
      'customGradient',
      { forward: forwardGraph, backward: backwardGraph },
      names.map((name) => valueOf(inputs[name] as tf.Tensor, 'customGradient')),
    );
    // One boundary: the outputs have just been given by `forward`, under these names.
    return Object.fromEntries([...outputs.keys()].map((name, index) => [name, tensorOf(values[index] ?? 0)])) as O;
  };
}

function typesOf(tensors: Named): Map<string, ValueType> {
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, typeOf(tensor)]));
}

function prefixed(group: string, types: ReadonlyMap<string, ValueType>): [string, ValueType][] {
  return [...types].map(([name, type]) => [`${group}/${name}`, type]);
}

function body(name: string, types: ReadonlyMap<string, ValueType>, run: (inputs: Named) => Named): Graph {
  const { graph } = traceBody(name, types, {
    handOver: 'hand it over as an input',
    body: (inputs) => new Map(Object.entries(run(Object.fromEntries(inputs)))),
  });
  return graph;
}
