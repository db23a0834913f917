import type { GraphBuilder } from '../../graph/builder.ts';
import type { Attributes, Graph, Op, ValueId } from '../../graph/graph.ts';
import type { Build } from '../expressions.ts';

/** A value of the batched graph, and whether it carries the particle axis, which is always axis 0. */
export interface Batched {
  readonly id: ValueId;
  readonly isMapped: boolean;
}

/** A body batched, and which of its outputs carry the particle axis. */
export interface BatchedBody {
  readonly graph: Graph;
  readonly outputs: readonly boolean[];
}

/** What batching rules build with. */
export interface Batching {
  readonly b: Build;
  readonly builder: GraphBuilder;
  readonly particles: number;
  /**
   * Batches a body of which these inputs carry the particle axis, and these outputs (by default: those that depend on such inputs). With `sums`,
   * outputs that aren't to carry it are summed over it.
   */
  readonly body: (
    body: Graph,
    mapped: {
      readonly inputs: readonly boolean[];
      readonly outputs?: readonly boolean[];
      readonly sums?: boolean;
    },
  ) => BatchedBody;
}

/** Adds what a primitive becomes when at least one of its inputs carries the particle axis. */
export type BatchingRule<O extends Op> = (
  batching: Batching,
  attrs: Attributes[O],
  inputs: readonly Batched[],
) => readonly Batched[];

export const mapped = (id: ValueId): Batched => ({ id, isMapped: true });
export const unmapped = (id: ValueId): Batched => ({ id, isMapped: false });

/** An input that must be there. */
export function at(inputs: readonly Batched[], index: number): Batched {
  return inputs[index] as Batched;
}

/** Axes of one particle's value as axes of the batched value. */
export function shifted(axes: readonly number[]): number[] {
  return axes.map((axis) => axis + 1);
}

/** Rank of one particle's value. */
export function rankOf({ b }: Batching, { id, isMapped }: Batched): number {
  return b.shape(id).length - (isMapped ? 1 : 0);
}

/** The value with the particle axis, repeated along it where it has none. */
export function spread({ b, particles }: Batching, x: Batched): ValueId {
  return x.isMapped ? x.id : b.broadcast(x.id, [particles, ...b.shape(x.id)]);
}

/** The value, where it carries the particle axis, with axes of extent one behind that, up to `rank` axes a particle. */
export function raised({ b }: Batching, x: Batched, rank: number): ValueId {
  if (!x.isMapped) return x.id;
  const [particles = 0, ...rest] = b.shape(x.id);
  return b.reshape(x.id, [particles, ...Array.from({ length: rank - rest.length }, () => 1), ...rest]);
}
