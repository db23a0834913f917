import type { Attributes, Graph, Node, Op, ValueId } from '../../graph/graph.ts';
import { callGroups } from '../bodies.ts';
import { isFlat } from './elementwise.ts';

/** Primitives whose output is a step function of their inputs, or doesn't depend on their elements. */
const UNREACHED: ReadonlySet<Op> = new Set<Op>(['constant', 'iota', 'size', 'compare', 'argReduce', 'stopGradient']);

/** Which outputs of a node have a derivative by at least one of the flagged inputs. Only float32 values have derivatives. */
export function reachedOutputs(node: Node, flags: readonly boolean[]): readonly boolean[] {
  if (!flags.includes(true) || UNREACHED.has(node.op)) return node.outputs.map(() => false);
  if (node.op === 'unary' || node.op === 'binary') return [!isFlat(node.attrs.fn)];
  if (node.op === 'call') return reachedOfCall(node.attrs, flags);
  if (node.op === 'scan') return reachedOfScan(node.attrs, flags);
  if (node.op === 'cond') {
    const operands = flags.slice(1);
    const other = reachedThrough(node.attrs.otherwise, operands);
    return reachedThrough(node.attrs.then, operands).map((flag, index) => flag || other[index] === true);
  }
  return node.outputs.map(() => true);
}

/** Which outputs of a graph have a derivative by at least one of the flagged inputs. */
export function reachedThrough(graph: Graph, flags: readonly boolean[]): readonly boolean[] {
  const isFloat = (id: ValueId): boolean => graph.values[id]?.dtype === 'float32';
  const reached = new Set<ValueId>();
  graph.inputs.forEach(({ value }, index) => {
    if (flags[index] === true && isFloat(value)) reached.add(value);
  });
  for (const node of graph.nodes) markReached(node, { reached, isFloat });
  return graph.outputs.map(({ value }) => reached.has(value));
}

/** Adds to `reached` what a node's outputs add to it. */
export function markReached(
  node: Node,
  { reached, isFloat }: { readonly reached: Set<ValueId>; readonly isFloat: (id: ValueId) => boolean },
): void {
  const flags = node.inputs.map((id) => reached.has(id));
  if (!flags.includes(true)) return;
  reachedOutputs(node, flags).forEach((flag, index) => {
    const id = node.outputs[index] as ValueId;
    if (flag && isFloat(id)) reached.add(id);
  });
}

function reachedOfCall(attrs: Attributes['call'], flags: readonly boolean[]): readonly boolean[] {
  const own = callGroups(attrs).map(({ start, size }) => flags.slice(start, start + size).includes(true));
  return reachedThrough(attrs.body, own).flatMap((flag) => Array.from({ length: attrs.count }, () => flag));
}

/** A carry is reached when its first value is, or what a step makes of it. */
function reachedOfScan({ body, carries }: Attributes['scan'], flags: readonly boolean[]): readonly boolean[] {
  const own = [...flags];
  for (;;) {
    const outputs = reachedThrough(body, own);
    const added = outputs.findIndex((flag, index) => index < carries && flag && own[index] !== true);
    if (added < 0) return outputs.map((flag, index) => flag || (index < carries && own[index] === true));
    outputs.slice(0, carries).forEach((flag, index) => {
      own[index] ||= flag;
    });
  }
}
