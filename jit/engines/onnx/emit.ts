import { type Graph, type HostArray, type ValueType, allocate, sizeOf, typeText } from '../../graph/graph.ts';
import { inlineCalls } from '../../transform/inline-calls.ts';
import { simplify } from '../../transform/simplify.ts';
import { type Scope, emitGraph, isEmpty, usedInputs, withoutCopies } from './emit-graph.ts';
import { type Emitted, Emitter } from './emitter.ts';
import { type ModelPort, type ModelTensor, encodeModel, portOf, renamed } from './proto.ts';

export { usedInputs };

export interface EmitOptions {
  /** Inputs that become named initializers with these elements: no inputs of the model any more. */
  readonly initializers?: ReadonlyMap<string, HostArray>;
  /**
   * Inputs that stay inputs and get a default: a caller may leave them out. onnxruntime-node 1.30 *ignores* what is fed for such an
   * input and takes the default; the Python and C interfaces take what is fed.
   */
  readonly defaults?: ReadonlyMap<string, HostArray>;
  /** Names of int32 inputs that the model takes as int64. */
  readonly int64Inputs?: ReadonlySet<string>;
  /** Metadata of the model: key and value, in the order to be written. */
  readonly metadata?: ReadonlyMap<string, string>;
  readonly docString?: string;
  /** What made the model. Default: lopt, without a version. */
  readonly producer?: { readonly name: string; readonly version: string };
  /**
   * Whether loops and branches may be operators (Scan, If). Default true. Otherwise loops are written out step by step and both
   * branches are computed, for execution providers that have neither.
   */
  readonly controlFlow?: boolean;
}

/** A host array with as many elements as its shape says. */
function expanded({ shape, dtype, data }: HostArray): ModelTensor {
  const size = sizeOf(shape);
  return { shape, dtype, data: data.length === size ? data : allocate(dtype, size).fill(data[0] as number) };
}

function checkNames(graph: Graph, { initializers, defaults, int64Inputs }: EmitOptions): void {
  const refuse = (expected: string, got: string): never => {
    throw new RangeError(`Cannot emit ${graph.name} as ONNX: expected ${expected} but got ${got}`);
  };
  const types = new Map(graph.inputs.map((port) => [port.name, graph.values[port.value] as ValueType]));
  for (const { name } of graph.outputs)
    if (types.has(name)) refuse('outputs named otherwise than inputs (ONNX names are unique)', `${name} for both`);
  const used = usedInputs(graph);
  for (const [name, array] of [...(initializers ?? []), ...(defaults ?? [])]) {
    const type =
      types.get(name) ?? refuse(`an input for the initializer ${name}`, `inputs ${[...types.keys()].join(', ')}`);
    if (typeText(type) !== typeText(array)) refuse(`${typeText(type)} for the initializer ${name}`, typeText(array));
  }
  for (const name of initializers?.keys() ?? [])
    if (!used.has(name)) refuse(`an initializer that some output depends on`, `${name} (put it into the metadata)`);
  for (const name of int64Inputs ?? []) {
    const type =
      types.get(name) ?? refuse(`an input for the int64 input ${name}`, `inputs ${[...types.keys()].join(', ')}`);
    if (type.dtype !== 'int32') refuse(`int32 for the int64 input ${name}`, typeText(type));
  }
}

/**
 * Writes a graph as an ONNX model: opset 17, IR version 8, the default domain alone. Inputs and outputs keep their names; the same
 * graph and options give the same bytes.
 * @throws RangeError when an initializer or int64 input is no input of the graph, has another type, or is not used.
 */
export function emitOnnx(graph: Graph, options: EmitOptions = {}): Uint8Array {
  checkNames(graph, options);
  // Simplified first too: a node that nothing uses may name an input that the caller has left out.
  return emit(simplify(inlineCalls(simplify(graph))), options);
}

function emit(graph: Graph, options: EmitOptions): Uint8Array {
  const { initializers, defaults, int64Inputs, metadata, docString = '', producer, controlFlow = true } = options;
  const e = new Emitter([...graph.inputs, ...graph.outputs].map((port) => port.name));
  const scope: Scope = { e, controlFlow };
  const used = usedInputs(graph);
  const inputs: ModelPort[] = [];
  const named = new Map<string, ModelTensor>();
  const { nodes, result } = e.scope(() => {
    const values = graph.inputs.map(({ name, value }): Emitted => {
      const type = graph.values[value] as ValueType;
      const isWide = int64Inputs?.has(name) === true;
      if (initializers?.has(name) !== true)
        inputs.push({ name, shape: type.shape, dtype: isWide ? 'int64' : type.dtype });
      const initial = initializers?.get(name) ?? defaults?.get(name);
      if (initial !== undefined) {
        const tensor = expanded(initial);
        named.set(name, isWide ? { ...tensor, dtype: 'int64', data: BigInt64Array.from(tensor.data, BigInt) } : tensor);
      }
      return { name: isWide && used.has(name) ? e.cast(name, 'int32') : name, shape: type.shape, type };
    });
    return emitGraph(scope, graph, values).map((value) =>
      e.op('Identity', [isEmpty(value.type) ? value.name : e.full(value)]),
    );
  });
  const ports = result.map((name, index) =>
    portOf(name, graph.values[(graph.outputs[index] as Graph['outputs'][number]).value] as ValueType),
  );
  const kept = withoutCopies(nodes, ports);
  const names = new Map(
    ports.map(({ name }, index) => [name, (graph.outputs[index] as Graph['outputs'][number]).name]),
  );
  return encodeModel({
    graph: renamed({ name: graph.name, inputs, nodes: kept, outputs: ports }, names),
    initializers: new Map([...named, ...e.constants]),
    metadata: metadata ?? new Map(),
    docString,
    producerName: producer?.name ?? 'lopt',
    producerVersion: producer?.version ?? '',
  });
}
