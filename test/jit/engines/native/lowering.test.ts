import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import type { Program } from '../../../../jit/engines/native/ir/program.ts';
import { optimize } from '../../../../jit/engines/native/optimize/optimize.ts';
import { graphOf, plainCase } from '../primitive-cases.ts';
import { expectAgreement } from '../runs.ts';
import { onInterpreter } from './on-interpreter.ts';

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
