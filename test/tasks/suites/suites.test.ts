import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESERVED_STYLES } from '../../../tasks/data-sets/glyph-styles.ts';
import { resolveDataSets } from '../../../tasks/data-sets/resolve.ts';
import { loadDataSets } from '../../../tasks/files/load-data-sets.ts';
import { loadSuite } from '../../../tasks/files/load-suite.ts';
import { createTask } from '../../../tasks/registry.ts';
import { readSuite } from '../../../tasks/suites/suite.ts';

describe('the held-out suite', () => {
  it('has tasks that can be made from what ships', async () => {
    const suite = await loadSuite('held-out');
    const { dataSets } = await loadDataSets();
    expect(suite.horizons).toEqual([500, 2000]);
    const made = suite.tasks.map(({ family, options, standIns }) => {
      const { uses } = resolveDataSets([String(options['data'])], dataSets, standIns);
      return createTask(family, { ...options, data: uses.get(String(options['data'])) }, { dataSets });
    });
    expect(made.map(({ name, data }) => [name, data?.dataSet])).toEqual([
      ['image-mlp', 'glyphs-dotted'],
      ['image-mlp', 'glyphs-outline'],
      ['image-mlp', 'digits'],
      ['image-autoencoder', 'glyphs-outline'],
      ['softmax-regression', 'digits'],
    ]);
    // Rows that no meta-training sees, with and without MNIST.
    expect(made.filter(({ data }) => RESERVED_STYLES.some((style) => style === data?.dataSet)).length).toBe(3);
  });
});

describe('the development suite', () => {
  it('has the held-out suite’s kinds of task, and none of its tasks or reserved styles', async () => {
    const [development, heldOut] = [await loadSuite('development'), await loadSuite('held-out')];
    const { dataSets } = await loadDataSets();
    expect(development.horizons).toEqual(heldOut.horizons);
    expect(development.tasks.map(({ family }) => family)).toEqual(heldOut.tasks.map(({ family }) => family));
    const heldOutOptions = new Set(heldOut.tasks.map(({ options }) => JSON.stringify(options)));
    for (const { family, options } of development.tasks) {
      expect(heldOutOptions).not.toContain(JSON.stringify(options));
      expect(RESERVED_STYLES.some((style) => style === options['data'])).toBe(false);
      expect(createTask(family, options, { dataSets }).data?.dataSet).toBe(options['data']);
    }
  });
});

describe('readSuite', () => {
  const good = { name: 'mine', horizons: [10], tasks: [{ family: 'quadratic' }] };

  it('fills in what may be left out', () => {
    expect(readSuite(good, { file: 'mine.json' })).toEqual({
      name: 'mine',
      description: '-',
      horizons: [10],
      tasks: [{ title: 'quadratic', family: 'quadratic', options: {}, standIns: new Map() }],
    });
  });

  it.each<[string, unknown, string]>([
    ['no object', 3, 'expected the suite to be an object but got 3'],
    [
      'an unknown member',
      { ...good, horizon: 3 },
      'expected the members of the suite among name, description, horizons, tasks but got horizon',
    ],
    ['no horizons', { ...good, horizons: [] }, 'expected horizons to be a list of step counts but got []'],
    ['a horizon of 0', { ...good, horizons: [0] }, 'expected horizons to be a list of step counts but got [0]'],
    ['no tasks', { ...good, tasks: [] }, 'expected tasks to be a list of at least one but got []'],
    [
      'an unknown family',
      { ...good, tasks: [{ family: 'x' }] },
      'expected tasks[0].family to be one of quadratic, softmax-regression, image-mlp, image-autoencoder but got x',
    ],
    [
      'a stand-in that is no name',
      { ...good, tasks: [{ family: 'quadratic', standIns: { mnist: 3 } }] },
      'expected tasks[0].standIns.mnist to be a text but got 3',
    ],
  ])('refuses %s', (_, json, message) => {
    expect(() => readSuite(json, { file: 'mine.json' })).toThrow(`Cannot use suite mine.json: ${message}`);
  });
});

describe('loadSuite', () => {
  let root = '';
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'lopt suite #1%20 '));
  });
  afterAll(async () => {
    await rm(root, { recursive: true });
  });

  it('reads a file', async () => {
    const file = join(root, 'a b.json');
    await writeFile(file, JSON.stringify({ name: 'mine', horizons: [5], tasks: [{ family: 'quadratic' }] }));
    expect((await loadSuite(file)).name).toBe('mine');
  });

  it('refuses a file that is missing or no JSON', async () => {
    await expect(loadSuite('nowhere.json')).rejects.toThrow(
      new RangeError(
        'Cannot load suite nowhere.json: expected one of held-out, development or the path of a JSON file that can be read',
      ),
    );
    const file = join(root, 'broken.json');
    await writeFile(file, '{"name":');
    await expect(loadSuite(file)).rejects.toThrow(`Cannot load suite ${file}: expected JSON but it can't be parsed: `);
  });
});
