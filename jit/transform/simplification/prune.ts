import { type Attributes, type Graph, type Node, type Port, type ValueId, type ValueType } from '../../graph/graph.ts';
import { range } from '../expressions.ts';

/** Values of a graph that its outputs depend on. */
export function liveValues(graph: Pick<Graph, 'nodes'>, outputs: Iterable<ValueId>): Set<ValueId> {
  const live = new Set(outputs);
  for (let index = graph.nodes.length - 1; index >= 0; index -= 1) {
    const node = graph.nodes[index] as Node;
    if (node.outputs.some((id) => live.has(id))) for (const id of node.inputs) live.add(id);
  }
  return live;
}

/** Positions of the ports whose values are live. */
function livePositions(ports: readonly Port[], live: ReadonlySet<ValueId>): number[] {
  return range(ports.length).filter((index) => live.has((ports[index] as Port).value));
}

function keep<T>(items: readonly T[], positions: readonly number[]): T[] {
  return positions.map((position) => items[position] as T);
}

/** A body that gives only some of its outputs and takes only some of its inputs. */
function reduced(body: Graph, { inputs, outputs }: { inputs: readonly number[]; outputs: readonly number[] }): Graph {
  return compact({ ...body, inputs: keep(body.inputs, inputs), outputs: keep(body.outputs, outputs) });
}

/** A node with bodies, its inputs those of the graph being made, and which of the outputs that it had are still there. */
export interface Pruned<O extends 'call' | 'cond' | 'scan'> {
  readonly attrs: Attributes[O];
  readonly inputs: readonly ValueId[];
  /** Position of each remaining output among those that the node had. */
  readonly outputs: readonly number[];
}

/** A call without outputs that nobody uses and inputs that no output needs. */
export function pruneCall(
  { body, count, mapped }: Attributes['call'],
  inputs: readonly ValueId[],
  used: readonly boolean[],
): Pruned<'call'> {
  const outputs = range(body.outputs.length).filter((index) =>
    used.slice(index * count, (index + 1) * count).includes(true),
  );
  const live = liveValues(
    body,
    keep(body.outputs, outputs).map(({ value }) => value),
  );
  const own = livePositions(body.inputs, live);
  let start = 0;
  const groups = mapped.map((isMapped) => {
    const size = isMapped ? count : 1;
    start += size;
    return inputs.slice(start - size, start);
  });
  return {
    attrs: { body: reduced(body, { inputs: own, outputs }), count, mapped: keep(mapped, own) },
    inputs: keep(groups, own).flat(),
    outputs: outputs.flatMap((index) => range(count).map((call) => index * count + call)),
  };
}

/** A cond without outputs that nobody uses and operands that neither branch needs. */
export function pruneCond(
  { then, otherwise }: Attributes['cond'],
  inputs: readonly ValueId[],
  used: readonly boolean[],
): Pruned<'cond'> {
  const outputs = range(then.outputs.length).filter((index) => used[index] === true);
  const needs = [then, otherwise].map((branch) =>
    livePositions(
      branch.inputs,
      liveValues(
        branch,
        keep(branch.outputs, outputs).map(({ value }) => value),
      ),
    ),
  );
  const own = range(then.inputs.length).filter((index) => needs.some((positions) => positions.includes(index)));
  const kept = { inputs: own, outputs };
  return {
    attrs: { then: reduced(then, kept), otherwise: reduced(otherwise, kept) },
    inputs: [inputs[0] as ValueId, ...keep(inputs.slice(1), own)],
    outputs,
  };
}

/**
 * A scan without outputs that nobody uses, carries that only carry themselves on for nobody, and inputs that no step needs. A carry
 * that every step hands on unchanged is a captured value.
 */
export function pruneScan(
  attrs: Attributes['scan'],
  inputs: readonly ValueId[],
  used: readonly boolean[],
): Pruned<'scan'> & {
  /** Carries that stay what they were at first: position of the output, and the value. */
  readonly unchanged: ReadonlyMap<number, ValueId>;
} {
  const { body, length, carries, sequences } = attrs;
  const isUnchanged = (index: number): boolean => body.outputs[index]?.value === body.inputs[index]?.value;
  const unchanged = new Map(
    range(carries)
      .filter(isUnchanged)
      .map((index) => [index, inputs[index] as ValueId]),
  );
  const needed = new Set(range(body.outputs.length).filter((index) => used[index] === true && !unchanged.has(index)));
  let live = new Set<ValueId>();
  for (let before = -1; before !== needed.size;) {
    before = needed.size;
    live = liveValues(
      body,
      [...needed].map((index) => (body.outputs[index] as Port).value),
    );
    for (const index of livePositions(body.inputs.slice(0, carries), live))
      if (!unchanged.has(index)) needed.add(index);
  }
  const outputs = [...needed].toSorted((a, b) => a - b);
  const isLive = (index: number): boolean => live.has((body.inputs[index] as Port).value);
  const steps = outputs.filter((index) => index < carries);
  const slices = range(sequences)
    .map((index) => index + carries)
    .filter(isLive);
  const captured = range(body.inputs.length).filter(
    (index) => isLive(index) && (index >= carries + sequences || unchanged.has(index)),
  );
  const own = [...steps, ...slices, ...captured];
  return {
    attrs: { body: reduced(body, { inputs: own, outputs }), length, carries: steps.length, sequences: slices.length },
    inputs: keep(inputs, own),
    outputs,
    unchanged,
  };
}

/** Whether a loop, branch or call gives something that nobody uses and that could be left out. */
export function hasIdleOutputs(graph: Graph): boolean {
  const live = liveValues(
    graph,
    graph.outputs.map(({ value }) => value),
  );
  return graph.nodes.some((node) => {
    const used = node.outputs.map((id) => live.has(id));
    if (node.op === 'cond') return used.includes(false);
    if (node.op === 'call') {
      const { count, body } = node.attrs;
      return body.outputs.some((_, index) => !used.slice(index * count, (index + 1) * count).includes(true));
    }
    return node.op === 'scan' && pruneScan(node.attrs, node.inputs, used).outputs.length < used.length;
  });
}

function renumbered(
  node: Node,
  ids: { readonly inputs: readonly ValueId[]; readonly outputs: readonly ValueId[] },
): Node {
  return { ...node, ...ids };
}

/** A graph whose values and nodes are those that its outputs need, numbered in order. */
export function compact(graph: Graph): Graph {
  const live = liveValues(
    graph,
    graph.outputs.map(({ value }) => value),
  );
  const values: ValueType[] = [];
  const numbers = new Map<ValueId, ValueId>();
  const number = (id: ValueId): ValueId => {
    const own = values.push(graph.values[id] as ValueType) - 1;
    numbers.set(id, own);
    return own;
  };
  const find = (id: ValueId): ValueId => numbers.get(id) as ValueId;
  const inputs = graph.inputs.map(({ name, value }) => ({ name, value: number(value) }));
  const nodes = graph.nodes
    .filter((node) => node.outputs.some((id) => live.has(id)))
    .map((node): Node => renumbered(node, { inputs: node.inputs.map(find), outputs: node.outputs.map(number) }));
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: find(value) }));
  return { name: graph.name, inputs, nodes, outputs, values };
}

/**
 * A body that holds the constants of one element which are handed to it itself, where they can be folded. `constants` has one for each of
 * its inputs that is one.
 */
export function sinkConstants(body: Graph, constants: readonly (Attributes['constant'] | undefined)[]): Graph {
  const nodes: Node[] = [];
  const values = [...body.values];
  const inputs = body.inputs.map((port, index): Port => {
    const attrs = constants[index];
    if (attrs === undefined || attrs.data.length !== 1) return port;
    nodes.push({ op: 'constant', attrs, inputs: [], outputs: [port.value] });
    // The port stays, for a value that nobody uses.
    return { name: port.name, value: values.push(body.values[port.value] as ValueType) - 1 };
  });
  return nodes.length === 0 ? body : { ...body, values, inputs, nodes: [...nodes, ...body.nodes] };
}
