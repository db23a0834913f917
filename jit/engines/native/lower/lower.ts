import { type Graph, sizeOf } from '../../../graph/graph.ts';
import { simplify } from '../../../transform/simplify.ts';
import type { Program } from '../ir/program.ts';
import { ProgramParts } from './buffers.ts';
import { expandCalls } from './expand-calls.ts';
import { hoistInvariants } from './hoist-invariants.ts';
import { Region } from './region.ts';
import { wholeView } from './view.ts';

/** The loop program of a graph: one particle's. Inputs and outputs keep their names and lie row by row. */
export function lower(graph: Graph): Program {
  const ready = simplify(hoistInvariants(simplify(expandCalls(simplify(graph)))));
  const parts = new ProgramParts();
  const type = (value: number) => ready.values[value] as (typeof ready.values)[number];
  const inputs = ready.inputs.map(({ name, value }) => {
    const { shape, dtype } = type(value);
    return { name, view: wholeView(parts.buffer({ name, dtype, size: sizeOf(shape), kind: 'input' }), shape) };
  });
  const region = new Region(
    parts,
    ready,
    inputs.map(({ view }) => view),
  );
  const outputs = ready.outputs.map(({ name, value }) => {
    const { shape, dtype } = type(value);
    const buffer = parts.buffer({ name, dtype, size: sizeOf(shape), kind: 'output' });
    region.copy(value, wholeView(buffer, shape), name);
    return { name, buffer };
  });
  return {
    name: graph.name,
    buffers: parts.buffers,
    inputs: inputs.map(({ name, view }) => ({ name, buffer: view.buffer })),
    outputs,
    body: region.statements,
  };
}
