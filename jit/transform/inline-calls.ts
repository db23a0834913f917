import { GraphBuilder } from '../graph/builder.ts';
import type { Attributes, Graph, ValueId, ValueType } from '../graph/graph.ts';
import { batch } from './batch.ts';

const bodies = (graph: Graph): Graph => inlineCalls(graph);

/** The graph without `call`: one call is inlined; several run as one body batched over the stacked tensors. */
export function inlineCalls(graph: Graph): Graph {
  const b = new GraphBuilder(graph.name);
  const map = new Map<ValueId, ValueId>();
  for (const { name, value } of graph.inputs) map.set(value, b.input(name, graph.values[value] as ValueType));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((id) => map.get(id) as ValueId);
    let outputs: readonly ValueId[];
    if (node.op === 'call') outputs = expand(b, node.attrs, inputs);
    else if (node.op === 'scan') outputs = b.add('scan', { ...node.attrs, body: bodies(node.attrs.body) }, inputs);
    else if (node.op === 'cond')
      outputs = b.add('cond', { then: bodies(node.attrs.then), otherwise: bodies(node.attrs.otherwise) }, inputs);
    else if (node.op === 'customGradient') outputs = b.inline(bodies(node.attrs.forward), inputs);
    else outputs = b.add(node.op, node.attrs, inputs, node.place);
    node.outputs.forEach((id, index) => map.set(id, outputs[index] as ValueId));
  }
  return b.finish(graph.outputs.map(({ name, value }) => ({ name, value: map.get(value) as ValueId })));
}

function expand(
  b: GraphBuilder,
  { body, count, mapped }: Attributes['call'],
  inputs: readonly ValueId[],
): readonly ValueId[] {
  const plain = inlineCalls(body);
  if (count === 1) return b.inline(plain, inputs);
  let start = 0;
  const stacked = mapped.map((isMapped) => {
    const own = inputs.slice(start, start + (isMapped ? count : 1));
    start += own.length;
    if (!isMapped) return own[0] as ValueId;
    return b.one(
      'concat',
      { axis: 0 },
      own.map((id) => b.one('reshape', { shape: [1, ...b.type(id).shape] }, [id])),
    );
  });
  const wide = batch(plain, {
    particles: count,
    mapped: new Set(plain.inputs.filter((_, index) => mapped[index]).map(({ name }) => name)),
  });
  return b.inline(wide, stacked).flatMap((id) =>
    Array.from({ length: count }, (_, index) => {
      const { shape } = b.type(id);
      const rest = shape.slice(1);
      const one = b.one(
        'slice',
        { begin: [index, ...rest.map(() => 0)], size: [1, ...rest], strides: shape.map(() => 1) },
        [id],
      );
      return b.one('reshape', { shape: rest }, [one]);
    }),
  );
}
