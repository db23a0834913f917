import { dependencies, strideOf, substitute } from '../ir/index-expression.ts';
import type { Index } from '../ir/index-expression.ts';
import type { Kernel, Loop, Operation } from '../ir/program.ts';

/** How a kernel's loops run: outermost first; the last one, where there is a vector loop, takes LANES points at a time. */
export interface LoopPlan {
  readonly kernel: Kernel;
  readonly loops: readonly Loop[];
  readonly vector: Loop | undefined;
}

/** Cost of an access, in vectors, by how far apart the lanes' places are. */
const STRIDED_COST = 10;
const INDEXED_COST = 20;

/**
 * Decides which loop runs along the lanes. Neighbouring loops that every access walks without a gap become one first. Costs are reckoned
 * with the lanes of AVX-512; the code is right for any number.
 */
export function planLoops(given: Kernel, lanes = 16): LoopPlan {
  const kernel = collapsed(given);
  const { loops, ordered } = kernel;
  const candidates = loops.filter(({ counter, extent }) => !ordered.has(counter) && extent > 1);
  const scalar = loops.reduce((product, { extent }) => product * extent, kernel.operations.length);
  let best: Loop | undefined;
  let least = scalar;
  for (const loop of candidates) {
    const cost = vectorCost(kernel, loop, lanes);
    if (cost < least) {
      best = loop;
      least = cost;
    }
  }
  const order = best === undefined ? loops : [...loops.filter((loop) => loop !== best), best];
  return { kernel, loops: order, vector: best };
}

function vectorCost({ loops, operations }: Kernel, { counter, extent }: Loop, lanes: number): number {
  let cost = 0;
  for (const operation of operations) {
    if (operation.op === 'load' || operation.op === 'store') {
      const stride = strideOf(operation.index, counter);
      const isIndexed = stride === undefined || dependencies(operation.index).operations.size > 0;
      cost += isIndexed ? INDEXED_COST : stride === 0 || stride === 1 ? 1 : STRIDED_COST;
    } else if (operation.op === 'reduce') {
      // Along the lanes into one place: across them, once a row. Else into memory at each point.
      const stride = strideOf(operation.index, counter);
      cost += operation.over.includes(counter)
        ? 1 + (8 * lanes) / Math.max(extent, lanes)
        : stride === 1
          ? 2
          : STRIDED_COST;
    } else cost += 1;
  }
  const others = loops.reduce((product, loop) => (loop.counter === counter ? product : product * loop.extent), 1);
  return cost * others * Math.ceil(extent / lanes);
}

/** Neighbouring loops become one where every access goes on from the end of the inner as it goes along it. */
function collapsed(kernel: Kernel): Kernel {
  for (let at = kernel.loops.length - 2; at >= 0; at -= 1) {
    const [outer, inner] = [kernel.loops[at], kernel.loops[at + 1]];
    if (outer === undefined || inner === undefined) continue;
    const next = joined(kernel, outer, inner);
    if (next !== undefined) return collapsed(next);
  }
  return kernel;
}

function joined(kernel: Kernel, outer: Loop, inner: Loop): Kernel | undefined {
  const { loops, ordered, operations } = kernel;
  if (ordered.has(outer.counter) !== ordered.has(inner.counter)) return undefined;
  for (const operation of operations) {
    if (operation.op === 'reduce' && operation.over.includes(outer.counter) !== operation.over.includes(inner.counter))
      return undefined;
    if (!('index' in operation)) continue;
    const [high, low] = [strideOf(operation.index, outer.counter), strideOf(operation.index, inner.counter)];
    if (high === undefined || low === undefined || high !== low * inner.extent) return undefined;
  }
  const extent = outer.extent * inner.extent;
  const one: Index = { offset: 0, terms: [{ atom: { kind: 'counter', counter: inner.counter, extent }, factor: 1 }] };
  const replace = (index: Index): Index =>
    substitute(index, (atom) => {
      if (atom.kind !== 'counter') return undefined;
      if (atom.counter === outer.counter) return { offset: 0, terms: [] };
      return atom.counter === inner.counter ? one : undefined;
    });
  const changed = operations.map((operation): Operation => {
    if (!('index' in operation)) return operation;
    const index = replace(operation.index);
    if (operation.op !== 'reduce') return Object.assign({}, operation, { index });
    const over = operation.over.filter((counter) => counter !== outer.counter);
    return Object.assign({}, operation, { index, over });
  });
  return {
    ...kernel,
    loops: loops.flatMap((loop) =>
      loop === outer ? [] : [loop === inner ? { counter: inner.counter, extent } : loop],
    ),
    operations: changed,
  };
}
