import { type Graph, type Node, type Op, type ValueId, type ValueType, sizeOf } from '../../../graph/graph.ts';
import { LONGEST_UNROLLED, freeAxes } from './pull-rules.ts';

/** Rough cost of one element of a primitive's output, in additions: what it takes to compute it again. */
const COSTS: { readonly [O in Op]?: number } = { binary: 1, compare: 1, select: 1, cast: 1, gather: 4 };
const FUNCTION_COSTS: Readonly<Record<string, number>> = {
  neg: 1,
  abs: 1,
  sign: 2,
  relu: 1,
  not: 1,
  isNan: 1,
  isInf: 1,
  isFinite: 1,
  floor: 1,
  ceil: 1,
  round: 1,
  div: 6,
  mod: 10,
  floorDiv: 8,
  pow: 40,
  atan2: 30,
};
/** Of a function that isn't listed. */
const FUNCTION_COST = 12;
/** What a value that is used twice may cost to be computed twice instead of kept. */
const CHEAP = 5;
/** Longest axes, in all, that a reduction writes out. */
const LONGEST_REDUCED = 16;
/** How many times longer than the rows of weights an axis must be that they are applied along. */
const LONG = 8;
/** Most products that a contraction writes out. */
const MOST_PRODUCTS = 320;

const ALWAYS_STORED: ReadonlySet<Op> = new Set(['argReduce', 'scatterAdd', 'cumulative', 'scan', 'cond']);
/** Move elements about; what they cost is what their input costs. */
const LAYOUT: ReadonlySet<Op> = new Set([
  'reshape',
  'transpose',
  'slice',
  'pad',
  'concat',
  'reverse',
  'broadcast',
  'stopGradient',
]);

/** Which values of a graph are put in memory; the others are computed where they are used. */
export function storedValues(graph: Graph): ReadonlySet<ValueId> {
  const type = (id: ValueId): ValueType => graph.values[id] as ValueType;
  const makers = new Map<ValueId, Node>();
  for (const node of graph.nodes) for (const id of node.outputs) makers.set(id, node);
  const users = new Map<ValueId, Node[]>();
  for (const node of graph.nodes)
    for (const id of new Set(node.inputs)) users.set(id, [...(users.get(id) ?? []), node]);
  const stored = new Set<ValueId>();
  /** Cost of an element, from what is in memory. */
  const costs = new Map<ValueId, number>();
  for (const node of graph.nodes) {
    const given = node.inputs.reduce((sum, id) => sum + (stored.has(id) ? 0 : (costs.get(id) ?? 0)), 0);
    for (const id of node.outputs) {
      let cost = given + ownCost(node);
      const isMade =
        ALWAYS_STORED.has(node.op) ||
        (node.op === 'reduce' && !isShortReduction(node, type)) ||
        (node.op === 'contract' && !isSmallContraction(node, { type, makers, stored }));
      if (node.op === 'reduce' && !isMade) cost = (given + 1) * LONGEST_REDUCED;
      if (node.op === 'contract' && !isMade) cost = 1000;
      const own = users.get(id) ?? [];
      const isShared = !LAYOUT.has(node.op) && cost > CHEAP && usersThrough(id, users).size > 1;
      // What is broadcast would be computed again for each element of the larger.
      const size = sizeOf(type(id).shape);
      const feedsLarger = cost > 1 && own.some((user) => isLarger(user, { id, size, graph, makers, users }));
      if (isMade || isShared || feedsLarger) stored.add(id);
      costs.set(id, cost);
    }
  }
  return stored;
}

/** Whether what a node makes, or what is made of that by moving elements, has more elements. */
function isLarger(
  node: Node,
  context: {
    readonly id: ValueId;
    readonly size: number;
    readonly graph: Graph;
    readonly makers: ReadonlyMap<ValueId, Node>;
    readonly users: ReadonlyMap<ValueId, readonly Node[]>;
  },
): boolean {
  if (node.op === 'scan' || node.op === 'cond' || node.op === 'reduce' || node.op === 'contract') return false;
  if (node.op === 'concat' || node.op === 'pad' || node.op === 'scatterAdd' || node.op === 'gather') return false;
  return node.outputs.some((output) => {
    if (sizeOf((context.graph.values[output] as ValueType).shape) >= 2 * context.size) return true;
    return LAYOUT.has(node.op) && (context.users.get(output) ?? []).some((user) => isLarger(user, context));
  });
}

/** Keep every element, so that what they are used for is what their input is used for. */
const RELAID: ReadonlySet<Op> = new Set(['reshape', 'transpose', 'reverse', 'stopGradient']);

/** What uses a value, also after its elements have been moved about. */
function usersThrough(id: ValueId, users: ReadonlyMap<ValueId, readonly Node[]>): ReadonlySet<Node> {
  const found = new Set<Node>();
  for (const node of users.get(id) ?? [])
    if (RELAID.has(node.op))
      for (const output of node.outputs) usersThrough(output, users).forEach((user) => found.add(user));
    else found.add(node);
  return found;
}

function ownCost(node: Node): number {
  if (node.op === 'unary' || (node.op === 'binary' && node.attrs.fn in FUNCTION_COSTS))
    return FUNCTION_COSTS[node.attrs.fn] ?? FUNCTION_COST;
  return COSTS[node.op] ?? 0;
}

function isShortReduction(node: Node<'reduce'>, type: (id: ValueId) => ValueType): boolean {
  const { shape } = type(node.inputs[0] as ValueId);
  const length = sizeOf(node.attrs.axes.map((axis) => shape[axis] as number));
  return length > 0 && length <= LONGEST_REDUCED;
}

/**
 * Whether a contraction is a short sum for each of many elements, of values that are computed on the way: then it is written out where
 * it is used. A layer of a network that is applied to every element of a long axis is one; a product of two matrices isn't.
 */
function isSmallContraction(
  node: Node<'contract'>,
  {
    type,
    makers,
    stored,
  }: {
    readonly type: (id: ValueId) => ValueType;
    readonly makers: ReadonlyMap<ValueId, Node>;
    readonly stored: ReadonlySet<ValueId>;
  },
): boolean {
  const { leftBatch, rightBatch, leftContract, rightContract } = node.attrs;
  if (leftBatch.length > 0) return false;
  const sides = [
    { id: node.inputs[0] as ValueId, batch: leftBatch, contracted: leftContract },
    { id: node.inputs[1] as ValueId, batch: rightBatch, contracted: rightContract },
  ].map(({ id, batch, contracted }) => {
    const own = type(id);
    const free = freeAxes(own, [...batch, ...contracted]);
    return {
      id,
      contracted,
      inner: sizeOf(contracted.map((axis) => own.shape[axis] as number)),
      free: sizeOf(free.map((axis) => own.shape[axis] as number)),
      last: own.shape.findLastIndex((extent) => extent > 1),
    };
  });
  const [few, many] = sides.toSorted((a, b) => a.free - b.free) as [(typeof sides)[number], (typeof sides)[number]];
  if (few.inner === 0) return true;
  if (few.inner > LONGEST_UNROLLED || few.free > LONGEST_UNROLLED || few.inner * few.free > MOST_PRODUCTS) return false;
  if (many.free < LONG * few.free || many.contracted.includes(many.last)) return false;
  const isComputed = !stored.has(many.id) && makers.has(many.id) && !isPlain(many.id, { makers, stored });
  return isComputed || few.inner * few.free <= LONGEST_UNROLLED;
}

/** Whether a value is a part of what is in memory, differently laid out. */
function isPlain(
  id: ValueId,
  context: { readonly makers: ReadonlyMap<ValueId, Node>; readonly stored: ReadonlySet<ValueId> },
): boolean {
  const node = context.makers.get(id);
  if (node === undefined || context.stored.has(id)) return true;
  if (node.op === 'concat' || node.op === 'pad' || !LAYOUT.has(node.op)) return node.op === 'constant';
  return node.inputs.every((input) => isPlain(input, context));
}
