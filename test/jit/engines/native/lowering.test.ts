import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import type { Graph, HostArray } from '../../../../jit/graph/graph.ts';
import { interpret } from '../../../../jit/engines/native/ir/interpret.ts';
import { verifyProgram } from '../../../../jit/engines/native/ir/verify.ts';
import { lower } from '../../../../jit/engines/native/lower/lower.ts';
import { optimize } from '../../../../jit/engines/native/optimize/optimize.ts';
import type { Program } from '../../../../jit/engines/native/ir/program.ts';
import { graphOf, plainCase } from '../primitive-cases.ts';
import { type Run, expectAgreement } from '../runs.ts';

const onInterpreter =
  (prepare: (program: Program) => Program): Run =>
  async (graph: Graph, inputs: ReadonlyMap<string, HostArray>) => {
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

describe('the loop program of every primitive', () => {
  test.each([
    ['as lowered', (program: Program) => program],
    ['optimized', optimize],
  ])('%s', async (_, prepare) => {
    const many = fc.array(plainCase, { minLength: 50, maxLength: 50 });
    for (const cases of fc.sample(many, { numRuns: 8, seed: 7 }))
      await expectAgreement(onInterpreter(prepare), {
        ...graphOf(cases),
        describe: (output) => `${output} ${cases[Number(output.split('/')[0])]?.text}`,
      });
  });
});
