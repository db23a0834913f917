import { GraphBuilder } from '../../../graph/builder.ts';
import type { Graph, Node, ValueId, ValueType } from '../../../graph/graph.ts';
import { callGroups, withBodies } from '../../../transform/bodies.ts';

/** The graph with each `call` written out as often as it is called, and the forward part of each `customGradient`; also in bodies. */
export function expandCalls(graph: Graph): Graph {
  const builder = new GraphBuilder(graph.name);
  const values = new Map<ValueId, ValueId>();
  for (const { name, value } of graph.inputs) values.set(value, builder.input(name, graph.values[value] as ValueType));
  for (const node of graph.nodes) {
    const outputs = expanded(
      builder,
      node,
      node.inputs.map((id) => values.get(id) as ValueId),
    );
    node.outputs.forEach((id, index) => values.set(id, outputs[index] as ValueId));
  }
  return builder.finish(graph.outputs.map(({ name, value }) => ({ name, value: values.get(value) as ValueId })));
}

function expanded(builder: GraphBuilder, node: Node, inputs: readonly ValueId[]): readonly ValueId[] {
  if (node.op === 'customGradient') return builder.inline(expandCalls(node.attrs.forward), inputs);
  if (node.op !== 'call') {
    const { op, attrs, place } = withBodies(node, expandCalls);
    return builder.add(op, attrs, inputs, place);
  }
  const { body, count } = node.attrs;
  const plain = expandCalls(body);
  const groups = callGroups(node.attrs).map(({ start, size }) => inputs.slice(start, start + size));
  const calls = Array.from({ length: count }, (_, call) =>
    builder.inline(
      plain,
      groups.map((group) => group[group.length === 1 ? 0 : call] as ValueId),
    ),
  );
  return plain.outputs.flatMap((_, output) => calls.map((outputs) => outputs[output] as ValueId));
}
