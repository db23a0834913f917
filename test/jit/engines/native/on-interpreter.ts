import { interpret } from '../../../../jit/engines/native/ir/interpret.ts';
import type { Program } from '../../../../jit/engines/native/ir/program.ts';
import { verifyProgram } from '../../../../jit/engines/native/ir/verify.ts';
import { lower } from '../../../../jit/engines/native/lower/lower.ts';
import type { HostArray } from '../../../../jit/graph/graph.ts';
import type { Run } from '../runs.ts';

/** Runs a graph's loop program, as it is after some passes, on the interpreter; the program is verified first. */
export function onInterpreter(prepare: (program: Program) => Program): Run {
  return async (graph, inputs) => {
    const program = prepare(lower(graph));
    verifyProgram(program);
    const results = interpret(program, new Map([...inputs].map(([name, { data }]) => [name, data])));
    return new Map(
      graph.outputs.map(({ name, value }) => {
        const { shape, dtype } = graph.values[value] as HostArray;
        return [name, { shape, dtype, data: results.get(name) as HostArray['data'] }];
      }),
    );
  };
}
