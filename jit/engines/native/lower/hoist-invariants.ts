import { GraphBuilder } from '../../../graph/builder.ts';
import type { Attributes, Graph, Node, ValueId, ValueType } from '../../../graph/graph.ts';
import { withBodies } from '../../../transform/bodies.ts';

/**
 * The graph with everything that a loop would compute anew in each round, though it never changes, computed once before it: what depends
 * on a scan's captured values alone becomes a captured value itself.
 */
export function hoistInvariants(graph: Graph): Graph {
  const builder = new GraphBuilder(graph.name);
  const values = new Map<ValueId, ValueId>();
  for (const { name, value } of graph.inputs) values.set(value, builder.input(name, graph.values[value] as ValueType));
  for (const given of graph.nodes) {
    const node = withBodies(given, hoistInvariants);
    const inputs = node.inputs.map((id) => values.get(id) as ValueId);
    const outputs =
      node.op === 'scan'
        ? hoistedScan(builder, node.attrs, inputs)
        : builder.add(node.op, node.attrs, inputs, node.place);
    node.outputs.forEach((id, index) => values.set(id, outputs[index] as ValueId));
  }
  return builder.finish(graph.outputs.map(({ name, value }) => ({ name, value: values.get(value) as ValueId })));
}

/** Costs nothing wherever it stands, so it stays where it is used. */
const isFree = ({ op }: Node): boolean => op === 'constant' || op === 'iota';

function hoistedScan(outer: GraphBuilder, attrs: Attributes['scan'], inputs: readonly ValueId[]): readonly ValueId[] {
  const { body, carries, sequences } = attrs;
  /** Values of the body that never change, and what they are outside. */
  const outside = new Map<ValueId, ValueId>();
  const captured = new Set<ValueId>();
  body.inputs.forEach(({ value }, index) => {
    if (index < carries + sequences) return;
    outside.set(value, inputs[index] as ValueId);
    captured.add(value);
  });
  const free = new Map<ValueId, Node>();
  const moved = new Set<Node>();
  for (const node of body.nodes) {
    if (isFree(node)) for (const id of node.outputs) free.set(id, node);
    else if (node.inputs.every((id) => outside.has(id) || free.has(id))) {
      const own = node.inputs.map((id) => {
        const known = outside.get(id);
        if (known !== undefined) return known;
        const { op, attrs: freeAttrs } = free.get(id) as Node;
        return outer.one(op, freeAttrs, []);
      });
      const made = outer.add(node.op, node.attrs, own, node.place);
      node.outputs.forEach((id, index) => outside.set(id, made[index] as ValueId));
      moved.add(node);
    }
  }
  if (moved.size === 0) return outer.add('scan', attrs, inputs);
  const inner = new GraphBuilder(body.name);
  const values = new Map<ValueId, ValueId>();
  for (const { name, value } of body.inputs) values.set(value, inner.input(name, body.values[value] as ValueType));
  const stays = body.nodes.filter((node) => !moved.has(node));
  const wanted = new Set([...stays.flatMap((node) => node.inputs), ...body.outputs.map(({ value }) => value)]);
  const added = [...outside].filter(([id]) => wanted.has(id) && !captured.has(id));
  added.forEach(([id], index) => values.set(id, inner.input(`invariant/${index}`, body.values[id] as ValueType)));
  for (const node of stays) {
    const made = inner.add(
      node.op,
      node.attrs,
      node.inputs.map((id) => values.get(id) as ValueId),
      node.place,
    );
    node.outputs.forEach((id, index) => values.set(id, made[index] as ValueId));
  }
  const next = inner.finish(body.outputs.map(({ name, value }) => ({ name, value: values.get(value) as ValueId })));
  return outer.add('scan', { ...attrs, body: next }, [...inputs, ...added.map(([, id]) => id)]);
}
