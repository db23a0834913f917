import type { Graph } from '../graph/graph.ts';
import { batch } from '../transform/batch.ts';
import type { CompileOptions } from './engine.ts';

/**
 * The graph that an engine runs for these options: with a particle axis where `particles` is given.
 * @throws RangeError when `mapped` names no input, or is given without `particles`, or `particles` is no positive integer.
 */
export function batched(graph: Graph, { particles, mapped }: CompileOptions): Graph {
  const refuse = (expected: string, got: string): never => {
    throw new RangeError(`Cannot compile ${graph.name}: expected ${expected} but got ${got}`);
  };
  for (const name of mapped ?? [])
    if (!graph.inputs.some((port) => port.name === name))
      refuse(`mapped inputs among ${graph.inputs.map((port) => port.name).join(', ')}`, name);
  if (particles === undefined) {
    if (mapped !== undefined && mapped.size > 0) refuse('a number of particles with mapped inputs', 'none');
    return graph;
  }
  if (!Number.isInteger(particles) || particles < 1) refuse('a whole number of particles from 1', String(particles));
  return batch(graph, { particles, mapped: mapped ?? new Set() });
}
