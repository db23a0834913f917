/** How each state of an optimizer starts, read off the Graph of its init. */
import { type Graph, type Node, type Op, type ValueId, sameType } from '../jit/graph/graph.ts';

/**
 * A state that starts with one number everywhere, or as a copy of an input of init, as `params/w`; `init` when it takes a model to
 * compute.
 */
export type StateStart = { readonly constant: number } | { readonly copy: string } | 'init';

/** These only move elements about: of equal elements they make equal ones. */
const MOVES: ReadonlySet<Op> = new Set([
  'reshape',
  'broadcast',
  'slice',
  'transpose',
  'reverse',
  'concat',
  'stopGradient',
]);

/** Of these the output is the input itself where it has the same type. */
const COPIES: ReadonlySet<Op> = new Set(['reshape', 'broadcast', 'stopGradient']);

/** What is known of a value. */
type Known = { readonly constant: number } | { readonly copy: string } | undefined;

/** How each output of an init graph starts, by name. */
export function stateStarts(init: Graph): ReadonlyMap<string, StateStart> {
  const inputs = init.inputs.map(({ name }): Known => ({ copy: name }));
  const known = knownOutputs(init, inputs);
  return new Map(init.outputs.map(({ name }, index) => [name, known[index] ?? 'init']));
}

function knownOutputs(graph: Graph, inputs: readonly Known[]): readonly Known[] {
  const known = new Map<ValueId, Known>(graph.inputs.map(({ value }, index) => [value, inputs[index]]));
  for (const node of graph.nodes) {
    const outputs = knownOf(
      graph,
      node,
      node.inputs.map((id) => known.get(id)),
    );
    node.outputs.forEach((id, index) => known.set(id, outputs[index]));
  }
  return graph.outputs.map(({ value }) => known.get(value));
}

function knownOf(graph: Graph, node: Node, inputs: readonly Known[]): readonly Known[] {
  if (node.op === 'constant') {
    const [value, ...others] = node.attrs.data;
    const isSplat = value !== undefined && others.every((other) => Object.is(other, value));
    return [isSplat ? { constant: value } : undefined];
  }
  if (node.op === 'call') return callOutputs(node, inputs);
  const [first] = inputs;
  const isKept = MOVES.has(node.op) && isConstant(first) && inputs.every((other) => equal(first, other));
  const isCopy = COPIES.has(node.op) && sameTypes(graph, node);
  return node.outputs.map(() => (isKept || isCopy ? first : undefined));
}

function callOutputs({ attrs: { body, count, mapped } }: Node<'call'>, inputs: readonly Known[]): readonly Known[] {
  const calls = Array.from({ length: count }, (_, call) => {
    let start = 0;
    const own = mapped.map((isMapped) => {
      const value = inputs[start + (isMapped ? call : 0)];
      start += isMapped ? count : 1;
      return value;
    });
    return knownOutputs(body, own);
  });
  return body.outputs.flatMap((_, index) => calls.map((outputs) => outputs[index]));
}

function isConstant(known: Known): known is { readonly constant: number } {
  return known !== undefined && 'constant' in known;
}

function equal(a: Known, b: Known): boolean {
  return isConstant(a) && isConstant(b) && Object.is(a.constant, b.constant);
}

function sameTypes(graph: Graph, node: Node): boolean {
  const [before, after] = [graph.values[node.inputs[0] ?? -1], graph.values[node.outputs[0] ?? -1]];
  return before !== undefined && after !== undefined && sameType(before, after);
}
