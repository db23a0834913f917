import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import type { DType, TypedArray, ValueType } from '../../graph/graph.ts';

// The package is CommonJS: its named export type-checks and is missing at run time.
const { ModelProto, TensorProto, AttributeProto } = onnxProto.onnx;

/** Element types as they appear in a model: those of graphs, and int64 (shapes, indices, the `step` of exported models). */
export type ModelDType = DType | 'int64';

const ELEMENT_TYPES = {
  float32: TensorProto.DataType.FLOAT,
  int32: TensorProto.DataType.INT32,
  int64: TensorProto.DataType.INT64,
  bool: TensorProto.DataType.BOOL,
} satisfies Record<ModelDType, number>;

/** ONNX's number for an element type, as `Cast` takes it. */
export function elementType(dtype: ModelDType): number {
  return ELEMENT_TYPES[dtype];
}

/** A constant tensor: elements in row-major order, as many as the shape. */
export interface ModelTensor {
  readonly shape: readonly number[];
  readonly dtype: ModelDType;
  readonly data: TypedArray | BigInt64Array;
}

/** A named value of the model. */
export interface ModelPort {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: ModelDType;
}

/** A graph inside a model: of the model itself, or of a branch or loop, which sees the names around it. */
export interface ModelGraph {
  readonly name: string;
  readonly inputs: readonly ModelPort[];
  readonly nodes: readonly ModelNode[];
  readonly outputs: readonly ModelPort[];
}

/** What an attribute may be: an integer, integers, text, or a graph. (No operator used here takes a float one.) */
export type ModelAttribute = number | readonly number[] | string | ModelGraph;

/** One operator of the default domain. */
export interface ModelNode {
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, ModelAttribute>>;
}

export interface Model {
  readonly graph: ModelGraph;
  readonly initializers: ReadonlyMap<string, ModelTensor>;
  /** Key and value, in the order they are written. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly docString: string;
  readonly producerName: string;
  readonly producerVersion: string;
}

/** The file format's version and the operator set's, which every ONNX Runtime from 1.12 on reads. */
const IR_VERSION = 8;
const OPSET = 17;

function encodePort({ name, shape, dtype }: ModelPort): onnx.IValueInfoProto {
  const dim = shape.map((extent) => ({ dimValue: extent }));
  return { name, type: { tensorType: { elemType: ELEMENT_TYPES[dtype], shape: { dim } } } };
}

function encodeTensor(name: string, { shape, dtype, data }: ModelTensor): onnx.ITensorProto {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dataType: ELEMENT_TYPES[dtype], dims: [...shape], rawData };
}

function encodeAttribute(name: string, value: ModelAttribute): onnx.IAttributeProto {
  const { INT, INTS, STRING, GRAPH } = AttributeProto.AttributeType;
  if (typeof value === 'number') return { name, type: INT, i: value };
  if (typeof value === 'string') return { name, type: STRING, s: new TextEncoder().encode(value) };
  if ('nodes' in value) return { name, type: GRAPH, g: encodeGraph(value, []) };
  return { name, type: INTS, ints: [...value] };
}

function encodeGraph(graph: ModelGraph, initializer: onnx.ITensorProto[]): onnx.IGraphProto {
  return {
    name: graph.name,
    input: graph.inputs.map(encodePort),
    output: graph.outputs.map(encodePort),
    initializer,
    node: graph.nodes.map(({ opType, inputs, outputs, attributes }) => ({
      opType,
      input: [...inputs],
      output: [...outputs],
      attribute: Object.entries(attributes).map(([name, value]) => encodeAttribute(name, value)),
    })),
  };
}

/** The bytes of a model file: the same model gives the same bytes. */
export function encodeModel(model: Model): Uint8Array {
  const initializers = [...model.initializers].map(([name, tensor]) => encodeTensor(name, tensor));
  return ModelProto.encode({
    irVersion: IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET }],
    producerName: model.producerName,
    producerVersion: model.producerVersion,
    docString: model.docString,
    graph: encodeGraph(model.graph, initializers),
    metadataProps: [...model.metadata].map(([key, value]) => ({ key, value })),
  }).finish();
}

/** A graph whose values are called otherwise, where the map says so; inside its nested graphs too. */
export function renamed(graph: ModelGraph, names: ReadonlyMap<string, string>): ModelGraph {
  const called = (name: string): string => names.get(name) ?? name;
  return {
    ...graph,
    outputs: graph.outputs.map((port) => ({ ...port, name: called(port.name) })),
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(called),
      outputs: node.outputs.map(called),
      attributes: Object.fromEntries(
        Object.entries(node.attributes).map(([name, value]) => [
          name,
          typeof value === 'object' && 'nodes' in value ? renamed(value, names) : value,
        ]),
      ),
    })),
  };
}

/** The type of a value as a port of the model. */
export function portOf(name: string, { shape, dtype }: ValueType): ModelPort {
  return { name, shape, dtype };
}
