import { GraphBuilder } from '../graph/builder.ts';
import type { Attributes, Graph, ValueId, ValueType } from '../graph/graph.ts';
import { batchBody } from './batch.ts';
import { callGroups, withBodies } from './bodies.ts';
import { expressionsOf } from './expressions.ts';

/**
 * The graph without `call`, also in its bodies: a single call is written out where it stands; of several calls the values that differ are
 * stacked on a new leading axis, the body runs once, batched over it, and the results are taken apart.
 */
export function inlineCalls(graph: Graph): Graph {
  const builder = new GraphBuilder(graph.name);
  const values = new Map<ValueId, ValueId>();
  for (const { name, value } of graph.inputs) values.set(value, builder.input(name, graph.values[value] as ValueType));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((id) => values.get(id) as ValueId);
    let outputs: readonly ValueId[];
    if (node.op === 'call') outputs = inlineCall(builder, node.attrs, inputs);
    else {
      const { op, attrs, place } = withBodies(node, inlineCalls);
      outputs = builder.add(op, attrs, inputs, place);
    }
    node.outputs.forEach((id, index) => values.set(id, outputs[index] as ValueId));
  }
  return builder.finish(graph.outputs.map(({ name, value }) => ({ name, value: values.get(value) as ValueId })));
}

function inlineCall(builder: GraphBuilder, attrs: Attributes['call'], inputs: readonly ValueId[]): readonly ValueId[] {
  const { count } = attrs;
  const body = inlineCalls(attrs.body);
  if (count === 1) return builder.inline(body, inputs);
  const b = expressionsOf(builder);
  const groups = callGroups(attrs).map(({ start, size }) => inputs.slice(start, start + size));
  // What is the same value in all calls needs no stack.
  const differs = groups.map((group) => group.some((id) => id !== group[0]));
  const operands = groups.map((group, index) => (differs[index] === true ? b.stack(group) : (group[0] as ValueId)));
  const wide = batchBody(body, { particles: count, inputs: differs });
  return builder
    .inline(wide.graph, operands)
    .flatMap((id, index) => (wide.outputs[index] === true ? b.unstack(id) : Array.from({ length: count }, () => id)));
}
