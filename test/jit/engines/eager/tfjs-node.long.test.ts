import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEagerEngine } from '../../../../jit/engines/eager/eager-engine.ts';
import { graphOf, plainCase } from '../primitive-cases.ts';
import { expectAgreement, onEngine } from '../runs.ts';
import { hasTfjsNode } from '../../../tfjs-node.ts';

describe.skipIf(!hasTfjsNode())('eager on tfjs-node', () => {
  test('every primitive means the same', async () => {
    const engine = await createEagerEngine({ device: 'tfjs-node' });
    expect(engine.description.version).toMatch(/^4\.22\.0, TensorFlow 2\./);
    const many = fc.array(plainCase, { minLength: 150, maxLength: 150 });
    for (const cases of fc.sample(many, { numRuns: 10, seed: 4_321 }))
      await expectAgreement((graph, inputs) => onEngine(engine, graph, inputs), {
        ...graphOf(cases),
        describe: (output) => {
          const one = cases[Number(output.split('/')[0])];
          return `${output} ${one?.text} ${one?.inputs.map((x) => `[${x.data.join()}]`).join(' ')}`;
        },
      });
  });
});
