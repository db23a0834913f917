import { type Graph, type Node, type ValueId, type ValueType, allocate, sizeOf } from '../../graph/graph.ts';
import { checkDonated } from '../batched.ts';
import type { CompileOptions } from '../engine.ts';
import { type EmitOptions, emitOnnx, usedInputs } from './emit.ts';

/** An input or output of a program, and what the model calls it; without `model` it is no input or output of the model. */
export interface ProgramPort {
  readonly name: string;
  readonly type: ValueType;
  readonly model?: string;
}

/** A graph made ready for a session. */
export interface Program {
  readonly name: string;
  /** Absent when no output has elements. */
  readonly model?: Uint8Array;
  readonly inputs: readonly ProgramPort[];
  readonly outputs: readonly ProgramPort[];
  /** Names of the inputs that a run consumes. */
  readonly donated: ReadonlySet<string>;
}

const typeOf = (graph: Graph, value: ValueId): ValueType => graph.values[value] as ValueType;
const hasElements = (type: ValueType): boolean => sizeOf(type.shape) > 0;

/**
 * Makes a (batched) graph ready: the model's inputs are the used ones that have elements, its outputs those that have elements, under short
 * names (an input and an output may share theirs in a graph, not in a model).
 * @throws RangeError when a donated input or the output that takes its place doesn't exist.
 */
export function onnxProgram(graph: Graph, { donate }: CompileOptions, emit: EmitOptions = {}): Program {
  const used = usedInputs(graph);
  const inputs = graph.inputs.map(({ name, value }, index): ProgramPort => {
    const type = typeOf(graph, value);
    return used.has(name) && hasElements(type) ? { name, type, model: `i${index}` } : { name, type };
  });
  const outputs = graph.outputs.map(({ name, value }, index): ProgramPort => {
    const type = typeOf(graph, value);
    return hasElements(type) ? { name, type, model: `o${index}` } : { name, type };
  });
  checkDonated(graph, donate);
  const program = { name: graph.name, inputs, outputs, donated: new Set(donate?.keys()) };
  if (outputs.every((port) => port.model === undefined)) return program;
  const ports = (all: Graph['inputs'], own: readonly ProgramPort[]) =>
    all.flatMap(({ value }, index) => {
      const name = own[index]?.model;
      return name === undefined ? [] : [{ name, value }];
    });
  const empty = graph.inputs.filter(({ value }) => !hasElements(typeOf(graph, value)));
  const constants = empty.map(({ value }): Node<'constant'> => {
    const { shape, dtype } = typeOf(graph, value);
    return { op: 'constant', attrs: { shape, dtype, data: allocate(dtype, 0) }, inputs: [], outputs: [value] };
  });
  const model = emitOnnx(
    {
      ...graph,
      inputs: ports(graph.inputs, inputs),
      outputs: ports(graph.outputs, outputs),
      nodes: [...constants, ...graph.nodes],
    },
    emit,
  );
  return { ...program, model };
}
