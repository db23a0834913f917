import * as tf from '@tensorflow/tfjs-core';
import type { Graph, ValueType } from '../graph/graph.ts';
import { registerTraceBackend } from './backend.ts';
import { LOWERINGS } from './lowering.ts';
import { Session, session, toTensor, toValue, within } from './session.ts';
import { type Group, type Like, type Structure, flatten, unflatten } from './structure.ts';

/**
 * Traces a function of tensors into a Graph. `types` says what the inputs are, single ones and groups by path; the graph's ports are
 * named `member` and `member/path`. The function runs once, on tensors without values; it may use TensorFlow.js and the authoring functions of this folder.
 * @throws TraceError where the function does what a Graph can't express.
 */
export function trace<I extends Structure<ValueType>>(
  rule: (inputs: Like<I, tf.Tensor>) => Structure<tf.Tensor>,
  types: I,
  { name = 'traced' }: { readonly name?: string } = {},
): Graph {
  registerTraceBackend(Object.keys(LOWERINGS));
  const own = new Session(name, undefined, false);
  return within(own, () => {
    const inputs = new Map(
      [...flatten(types as Structure<ValueType>)].map(([port, type]) => [
        port,
        toTensor(own.builder.input(port, type)),
      ]),
    );
    return finish(rule(unflatten(types, inputs)));
  });
}

/** The running trace's graph with these outputs. */
export function finish(outputs: Structure<tf.Tensor>): Graph {
  const ports = [...flatten(outputs)].map(([name, tensor]) => ({ name, value: toValue(tensor, `the output ${name}`) }));
  return session().builder.finish(ports);
}

/** Traces a body inside the running trace; captured values of enclosing traces become its last inputs. */
export function traceBody(
  name: string,
  types: Group<ValueType>,
  mayCapture: boolean,
  rule: (inputs: Map<string, tf.Tensor>) => Structure<tf.Tensor>,
): { readonly graph: Graph; readonly captured: readonly number[] } {
  const own = new Session(name, session(), mayCapture);
  const graph = within(own, () => {
    const inputs = new Map([...types].map(([port, type]) => [port, toTensor(own.builder.input(port, type))]));
    return finish(rule(inputs));
  });
  return { graph, captured: own.captures.map(({ outer }) => outer) };
}
