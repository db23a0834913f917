import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import { ENGINE_RUNS } from './engine-runs.ts';
import { graphOf, plainCase } from './primitive-cases.ts';
import { expectAgreement } from './runs.ts';

describe('every primitive means the same on every engine', () => {
  test.each(ENGINE_RUNS)('%s', async (_, run) => {
    // Sampled rather than asserted: a graph of many cases names those that are wrong, and needs no shrinking.
    const many = fc.array(plainCase, { minLength: 150, maxLength: 150 });
    for (const cases of fc.sample(many, { numRuns: 8, seed: 20_251 }))
      await expectAgreement(run, {
        ...graphOf(cases),
        describe: (output) => {
          const one = cases[Number(output.split('/')[0])];
          return `${output} ${one?.text} ${one?.inputs.map((x) => `[${x.data.join()}]`).join(' ')}`;
        },
      });
  });
});
