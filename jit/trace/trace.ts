import { Tensor } from '@tensorflow/tfjs-core';
import type { Graph, ValueId, ValueType } from '../graph/graph.ts';
import { traceBackend } from './backend.ts';
import { refuse } from './place.ts';
import { type Enclosing, Recording, recording, tensorOf, typeOf, valueOf, whileRecording } from './recording.ts';
import { type Group, type Like, type Structure, flatten, unflatten } from './structure.ts';

/** Anything that is a structure of tensors, interfaces included. */
export type TensorStructure<S> = { readonly [K in keyof S]: Tensor | Group<Tensor> };

export interface TraceOptions {
  /** Name of the graph. Default: `traced`. */
  readonly name?: string;
  /** Whether each node is to know its place in the author's code, which makes tracing several times slower. Default: false. */
  readonly places?: boolean;
}

/**
 * The Graph of a function of tensors, which runs once, on tensors that have shapes and no values. `types` says what goes in, single
 * tensors and groups of them by path; the graph's inputs are named `member` and `member/path`, and its outputs likewise by what the
 * function gives. The function may use every function of TensorFlow.js that is made of the primitives, and the authoring functions of
 * this folder.
 * @throws TraceError where it does what a graph can't express. @throws ShapeError where shapes or dtypes don't fit.
 */
export function trace<I extends Structure<ValueType>, O extends TensorStructure<O>>(
  rule: (inputs: Like<I, Tensor>) => O,
  types: I,
  { name = 'traced', places = false }: TraceOptions = {},
): Graph {
  const own = new Recording(name, { keepsPlaces: places });
  return whileRecording(own, traceBackend(), () => {
    const flat: ReadonlyMap<string, ValueType> = flatten<ValueType>(types);
    const inputs = new Map([...flat].map(([port, type]) => [port, tensorOf(own.builder.input(port, type))]));
    return finishGraph(own, outputsOf(rule(unflatten(types, inputs))));
  });
}

/** Outputs by flat name. @throws TraceError for what is no record, such as a tensor or a promise. */
export function outputsOf<O extends TensorStructure<O>>(outputs: O): Map<string, Tensor> {
  if (outputs instanceof Tensor || outputs instanceof Promise || typeof outputs !== 'object' || outputs === null)
    refuse({
      call: 'a function',
      expected: 'it to give a record of tensors and groups of tensors',
      got: outputs instanceof Tensor ? 'a tensor' : outputs instanceof Promise ? 'a promise' : typeof outputs,
      wayOut: outputs instanceof Promise ? 'traced functions are not async' : 'write ({ name: tensor })',
    });
  return flatten<Tensor>(outputs);
}

function finishGraph(own: Recording, outputs: ReadonlyMap<string, Tensor>): Graph {
  return own.builder.finish([...outputs].map(([name, tensor]) => ({ name, value: outputValue(tensor, name) })));
}

function outputValue(tensor: unknown, name: string): ValueId {
  if (tensor instanceof Tensor) return valueOf(tensor, { output: name });
  const wayOut = tensor === undefined ? 'leave it out' : 'give tensors, of numbers by tf.scalar';
  return refuse({ call: { output: name }, expected: 'a tensor', got: typeof tensor, wayOut });
}

/** A body of a node: its graph, and the values of the enclosing trace that it captured, which are its last inputs. */
export interface TracedBody {
  readonly graph: Graph;
  readonly captured: readonly number[];
}

/**
 * Traces a body inside the running trace. `body` gets its inputs by name and gives outputs by name. It may close over tensors of the
 * enclosing trace unless `handOver` says how to hand them over.
 */
export function traceBody(
  name: string,
  types: ReadonlyMap<string, ValueType>,
  {
    handOver,
    body,
  }: {
    readonly handOver?: Enclosing['handOver'];
    readonly body: (inputs: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, Tensor>;
  },
): TracedBody {
  const outer = recording();
  const own = new Recording(name, {
    enclosing: { recording: outer, handOver },
    keepsPlaces: outer.keepsPlaces,
  });
  const graph = whileRecording(own, traceBackend(), () => {
    const inputs = new Map([...types].map(([port, type]) => [port, tensorOf(own.builder.input(port, type))]));
    return finishGraph(own, body(inputs));
  });
  return { graph, captured: [...own.captured.keys()] };
}

/** A traced function of tensors that have values, with those that it closes over as further inputs. */
export interface TracedClosure {
  readonly graph: Graph;
  /** Every input by name. */
  readonly inputs: ReadonlyMap<string, Tensor>;
}

/** Traces a function on the types of these tensors; tensors with values that it closes over become inputs as well. */
export function traceClosure(
  name: string,
  tensors: ReadonlyMap<string, Tensor>,
  body: (inputs: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, Tensor>,
): TracedClosure {
  const own = new Recording(name, { bindsTensors: true });
  const graph = whileRecording(own, traceBackend(), () => {
    const types = [...tensors].map(([port, tensor]) => [port, typeOf(tensor)] as const);
    const inputs = new Map(types.map(([port, type]) => [port, tensorOf(own.builder.input(port, type))]));
    return finishGraph(own, body(inputs));
  });
  const bound = [...(own.bound ?? new Map<object, never>()).values()].map(({ tensor }, index): [string, Tensor] => [
    `tensor/${index}`,
    tensor,
  ]);
  return { graph, inputs: new Map([...tensors, ...bound]) };
}
