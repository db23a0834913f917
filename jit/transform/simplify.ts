import { GraphBuilder } from '../graph/builder.ts';
import { type Graph, type Node, type ValueId, type ValueType, sameShape, sizeOf } from '../graph/graph.ts';

const key = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) =>
    ArrayBuffer.isView(item)
      ? { a: item.constructor.name, v: [...(item as Float32Array)].map((n) => (Object.is(n, -0) ? '-0' : String(n))) }
      : item,
  );

/** Dead code and common subexpressions go; layout ops that change nothing go. Values don't change. */
export function simplify(graph: Graph): Graph {
  const b = new GraphBuilder(graph.name);
  const live = new Set(graph.outputs.map((port) => port.value));
  for (const node of [...graph.nodes].reverse())
    if (node.outputs.some((id) => live.has(id))) for (const id of node.inputs) live.add(id);
  const map = new Map<ValueId, ValueId>();
  const seen = new Map<string, readonly ValueId[]>();
  for (const { name, value } of graph.inputs) map.set(value, b.input(name, graph.values[value] as ValueType));
  for (const node of graph.nodes) {
    if (!node.outputs.some((id) => live.has(id))) continue;
    const inputs = node.inputs.map((id) => map.get(id) as ValueId);
    const outputs = trivial(node, inputs, graph) ?? add(b, node, inputs, seen);
    node.outputs.forEach((id, index) => map.set(id, outputs[index] as ValueId));
  }
  return b.finish(graph.outputs.map(({ name, value }) => ({ name, value: map.get(value) as ValueId })));
}

function trivial(node: Node, inputs: readonly ValueId[], graph: Graph): readonly ValueId[] | undefined {
  const type = (id: ValueId | undefined): ValueType => graph.values[id as ValueId] as ValueType;
  if (node.op === 'reshape' || node.op === 'broadcast' || node.op === 'slice' || node.op === 'pad')
    return sameShape(type(node.inputs[0]).shape, type(node.outputs[0]).shape) ? inputs : undefined;
  if (node.op === 'cast') return type(node.inputs[0]).dtype === node.attrs.dtype ? inputs : undefined;
  if (node.op === 'transpose') return node.attrs.perm.every((axis, i) => axis === i) ? inputs : undefined;
  if (node.op === 'concat') return inputs.length === 1 ? inputs : undefined;
  return undefined;
}

function add(
  b: GraphBuilder,
  node: Node,
  inputs: readonly ValueId[],
  seen: Map<string, readonly ValueId[]>,
): readonly ValueId[] {
  if (node.op === 'scan') return b.add('scan', { ...node.attrs, body: simplify(node.attrs.body) }, inputs);
  if (node.op === 'cond')
    return b.add('cond', { then: simplify(node.attrs.then), otherwise: simplify(node.attrs.otherwise) }, inputs);
  if (node.op === 'call') return b.add('call', { ...node.attrs, body: simplify(node.attrs.body) }, inputs);
  if (node.op === 'customGradient') return b.add(node.op, node.attrs, inputs);
  if (node.op === 'size') {
    const { shape } = b.type(inputs[0] as ValueId);
    return [b.splat(sizeOf(node.attrs.axes.map((axis) => shape[axis] as number)))];
  }
  const id = `${node.op}|${inputs.join()}|${key(node.attrs)}`;
  const known = seen.get(id);
  if (known !== undefined) return known;
  const outputs = b.add(node.op, node.attrs, inputs, node.place);
  seen.set(id, outputs);
  return outputs;
}
