import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rootKey } from '../../jit/random/key.ts';
import { BUILT_IN_DATA_SETS } from '../../tasks/data-sets/built-in.ts';
import { STAND_INS } from '../../tasks/data-sets/resolve.ts';
import { taskOfModule } from '../../tasks/validate-task.ts';
import { start } from './eager.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('docs/add-a-task.md', () => {
  it('has a module that is a task', async () => {
    const text = await readFile(join(root, 'docs/add-a-task.md'), 'utf8');
    const code = /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
    // Inside the repository, so that the module finds TensorFlow.js.
    await mkdir(join(root, '.cache'), { recursive: true });
    const folder = await mkdtemp(join(root, '.cache/docs-'));
    try {
      await writeFile(join(folder, 'slope.mjs'), code);
      const exports: unknown = await import(pathToFileURL(join(folder, 'slope.mjs')).href);
      const task = await taskOfModule(exports, { source: 'slope.js', dataSets: new Map() });
      const { params, batch, measure } = start(task, rootKey(1));
      const [slope = NaN] = params.get('slope')!.dataSync();
      const errors = [...batch(0).get('x')!.dataSync()].map((x) => slope * x - (3 * x - 1));
      const loss = errors.reduce((sum, error) => sum + error * error, 0) / errors.length;
      expect(Math.abs(measure(params, 0)['loss']! / loss - 1)).toBeLessThan(1e-5);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('docs/data-sets.md', () => {
  it('names every built-in data set and stand-in', async () => {
    const text = await readFile(join(root, 'docs/data-sets.md'), 'utf8');
    for (const name of BUILT_IN_DATA_SETS.keys()) expect(text).toContain(`| ${name} `);
    for (const [name, standIn] of STAND_INS) expect(text).toContain(`${name} by ${standIn}`);
  });
});
