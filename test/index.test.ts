import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createTask, decodeCheckpoint, imageDataSet, loadDataSets, loadOptimizer } from '../index.ts';

/** What a module imports when it is loaded: neither types, nor what it imports later by `import()`. */
async function staticImports(url: URL, seen: Map<string, Set<string>>): Promise<void> {
  if (seen.has(url.href)) return;
  const imports = new Set<string>();
  seen.set(url.href, imports);
  const source = await readFile(url, 'utf8');
  for (const [, names = '', from, alone] of source.matchAll(
    /^(?:import|export) ([^;'"]*) from '([^']+)';|^import '([^']+)';/gm,
  )) {
    const inBraces = /^\{([^}]*)\}$/s.exec(names)?.[1];
    const areTypes = names.startsWith('type ') || inBraces?.split(',').every((name) => /^\s*(type\s|$)/.test(name));
    const specifier = from ?? alone;
    if (specifier === undefined || areTypes === true) continue;
    imports.add(specifier);
    if (specifier.startsWith('.')) await staticImports(new URL(specifier, url), seen);
  }
}

test('the public entry loads in a browser: no Node module, no engine, no second copy of TensorFlow.js', async () => {
  const modules = new Map<string, Set<string>>();
  await staticImports(new URL('../index.ts', import.meta.url), modules);
  expect(modules.size).toBeGreaterThan(40);
  const packages = new Set(
    [...modules.values()].flatMap((imports) => [...imports].filter((name) => !name.startsWith('.'))),
  );
  expect([...packages].toSorted()).toEqual(['@tensorflow/tfjs-core', 'seedrandom']);
});

test('a theta is saved as a checkpoint, from which the optimizer comes back', async () => {
  const { createLearned, rootKey, encodeCheckpoint, thetaTensors } = await import('../index.ts');
  const learned = createLearned('adafac-mlp', { hidden: 4 });
  const bytes = await encodeCheckpoint({
    kind: 'theta',
    optimizer: { name: learned.name, options: learned.options },
    facts: { provenance: { recipe: 'none' } },
    tensors: thetaTensors(learned.initTheta(rootKey(1))),
  });
  const loaded = await loadOptimizer(bytes);
  expect(await loaded.save()).toEqual(bytes);
  const hand = await loadOptimizer('adam');
  await expect(hand.save()).rejects.toThrow('Cannot save adam: it has no theta; its name and options are all there is');
  expect((await decodeCheckpoint(bytes, { file: 'theta' })).kind).toBe('theta');
});

test('tasks learn from the digits, arrays and directories', async () => {
  const digits = await createTask('image-mlp', {});
  expect(digits.data?.dataSet).toBe('digits');
  // 64 pixels to 32 to 10.
  expect([...digits.specs.values()].map(({ shape }) => shape)).toEqual([[64, 32], [32], [32, 10], [10]]);
  expect(digits.data?.resident.get('images')?.shape).toEqual([1797, 8, 8, 1]);

  const labels = Array.from({ length: 20 }, (_, row) => row % 3);
  const mine = imageDataSet({ name: 'mine', rows: 20, size: [1, 1, 1], pixels: new Uint8Array(20).fill(51), labels });
  const options = { data: 'mine', image: [1, 1, 1] };
  const own = await createTask('softmax-regression', options, { dataSets: new Map([['mine', mine]]) });
  expect(own.data?.resident.get('images')?.data).toEqual(new Float32Array(20).fill(0.2));
  expect(own.data?.resident.get('labels')?.data).toEqual(Int32Array.from(labels));

  const { dataSets, messages } = await loadDataSets(new Map([['other', 'tasks/data/digits']]));
  expect([...dataSets.keys()]).toEqual(['digits', 'other']);
  expect(messages).toEqual([]);
  const read = await createTask('image-mlp', { data: 'other' }, { dataSets });
  expect(read.data?.resident.get('images')?.data).toEqual(digits.data?.resident.get('images')?.data);
});
