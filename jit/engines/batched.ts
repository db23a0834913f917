import type { Graph } from '../graph/graph.ts';
import { batch } from '../transform/batch.ts';
import type { CompileOptions } from './engine.ts';

/**
 * The graph that an engine runs for these options: with a particle axis where `particles` is given.
 * @throws RangeError when `mapped` names no input, or is given without `particles`, or `particles` is no positive integer.
 */
export function batched(graph: Graph, options: CompileOptions): Graph {
  checkParticles(graph, options);
  const { particles, mapped = new Set() } = options;
  return particles === undefined ? graph : batch(graph, { particles, mapped });
}

/** Checks the options that say which inputs carry a particle axis; throws as `batched`. */
export function checkParticles(graph: Graph, { particles, mapped }: CompileOptions): void {
  const refuse = (expected: string, got: string): never => {
    throw new RangeError(`Cannot compile ${graph.name}: expected ${expected} but got ${got}`);
  };
  for (const name of mapped ?? [])
    if (!graph.inputs.some((port) => port.name === name))
      refuse(`mapped inputs among ${graph.inputs.map((port) => port.name).join(', ')}`, name);
  if (particles === undefined) {
    if (mapped !== undefined && mapped.size > 0) refuse('a number of particles with mapped inputs', 'none');
    return;
  }
  if (!Number.isInteger(particles) || particles < 1) refuse('a whole number of particles from 1', String(particles));
}

/** Checks which inputs are consumed. @throws RangeError when one, or the output that takes its place, doesn't exist. */
export function checkDonated({ name, inputs, outputs }: Graph, donate: CompileOptions['donate']): void {
  for (const [input, output] of donate ?? []) {
    if (!inputs.some((port) => port.name === input))
      throw new RangeError(`Cannot compile ${name}: expected an input to donate but got ${input}`);
    if (!outputs.some((port) => port.name === output))
      throw new RangeError(`Cannot compile ${name}: expected an output to replace ${input} but got ${output}`);
  }
}
