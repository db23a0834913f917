import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { HandEntry } from '../../lopt/registry-entry.ts';
import { array, arrays, elements, specsOf } from './arrays-of.ts';
import { startOn, WAYS } from './engines.ts';

/** The optimizer of docs/add-an-optimizer.md, read from there: what the guide says works. */
async function entryOfTheGuide(): Promise<HandEntry> {
  const guide = readFileSync(new URL('../../docs/add-an-optimizer.md', import.meta.url), 'utf8');
  const [, source = ''] = /```ts\n([^]*?)```/.exec(guide) ?? [];
  const hand = fileURLToPath(new URL('../../lopt/hand/', import.meta.url));
  const core = fileURLToPath(import.meta.resolve('@tensorflow/tfjs-core'));
  const folder = mkdtempSync(join(tmpdir(), 'lopt-guide-'));
  try {
    const file = join(folder, 'signum.ts');
    const placed = source.replaceAll(/from '(\.[^']+)'/g, (_, path: string) => `from '${join(hand, path)}'`);
    writeFileSync(file, placed.replace(`'@tensorflow/tfjs-core'`, `'${core}'`));
    const { SIGNUM } = (await import(file)) as { SIGNUM: HandEntry };
    return SIGNUM;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.each(WAYS)('the guide’s optimizer runs (%s)', async (way) => {
  const optimizer = (await entryOfTheGuide()).create({ lr: 0.5, beta: 0.75 });
  const params = arrays({ w: array([1, 1, 1]) });
  const run = await startOn(way, { optimizer, specs: specsOf(params), params, horizon: 2 });
  await run.step({ grads: arrays({ w: array([4, -4, 0]) }), loss: 1 });
  // m: 1, -1, 0; then .75 * 1 - .25 * 2 = .25, so that the sign stays.
  const { params: next } = await run.step({ grads: arrays({ w: array([-2, -2, 0]) }), loss: 1 });
  run.dispose();
  expect(elements(next)).toEqual({ w: [0, 2, 1] });
});
