import type { ValueId } from '../../../graph/graph.ts';

/** What lowering must do first so that a kernel can be made: thrown while a kernel is tried, which is then tried again. */
export type Demand =
  /** The value must be in memory. */
  | { readonly kind: 'store'; readonly value: ValueId }
  /** The loop must become straight-line code. */
  | { readonly kind: 'unroll'; readonly counter: number }
  /** The loop must become two, the inner of this extent. */
  | { readonly kind: 'split'; readonly counter: number; readonly by: number };

export class DemandSignal {
  readonly demand: Demand;

  constructor(demand: Demand) {
    this.demand = demand;
  }
}

export function demand(what: Demand): never {
  // Control flow between a pull rule and the kernel that is being tried, never seen outside.
  throw new DemandSignal(what);
}
