import { describe, expect, test } from 'vitest';
import { rootKey } from '../../jit/random/key.ts';
import { thetaSize } from '../../lopt/learned/theta.ts';
import { createLearned, createOptimizer } from '../../lopt/registry.ts';
import { readTrajectory } from './golden-files.ts';

test.each([
  ['adafac-mlp', {}, 197],
  ['adafac-mlp', { hidden: 32 }, 2409],
  ['celo2', {}, 347],
  ['celo2-base', {}, 347],
])('%s %j has as many meta-parameters as published', (name, options, count) => {
  expect(thetaSize(createLearned(name, options).theta)).toBe(count);
});

describe.each(['adafac_mlp_h4', 'strong_adafac_h32', 'celo2', 'strong_celo2_base'])('theta of %s', (golden) => {
  const { optimizer, options, theta: published = new Map() } = readTrajectory(golden);
  const learned = createLearned(optimizer, options);

  test('goes to our names and back without a change', () => {
    const ours = learned.importTheta(published);
    expect([...ours.keys()]).toEqual(learned.theta.map(({ path }) => path));
    const back = learned.exportTheta(ours);
    expect(Object.fromEntries(back)).toEqual(Object.fromEntries(published));
  });

  test('is copied: later changes of the file’s arrays don’t reach it', () => {
    const [first] = learned.theta;
    const ours = learned.importTheta(published);
    expect(ours.get(first?.path ?? '')?.data).not.toBe(published.get(first?.published ?? '')?.data);
  });
});

test('missing, unexpected and mis-shaped leaves are listed', () => {
  const { theta = new Map() } = readTrajectory('adafac_mlp_h4');
  const broken = new Map([...theta].filter(([path]) => path !== 'nn | ~ | b0'));
  broken.set('nn | ~ | w9', { shape: [1], dtype: 'float32', data: new Float32Array(1) });
  expect(() => createLearned('adafac-mlp', { hidden: 8 }).importTheta(broken)).toThrow(
    new RangeError(
      'Cannot import a published theta into adafac-mlp: expected 9 leaves but got missing nn | ~ | b0; unexpected nn | ~ | w9; ' +
        'mis-shaped nn | ~ | w0 is [39,4], not [39,8], nn | ~ | w1 is [4,4], not [8,8], nn | ~ | b1 is [4], not [8], nn | ~ | w2 is [4,2], not [8,2] ' +
        '(are the options those that theta was made with?)',
    ),
  );
  expect(() => createLearned('celo2').optimizer(new Map())).toThrow(
    /^Cannot use a theta for celo2: expected 19 leaves/,
  );
});

test('a random theta is a function of the key, leaf by leaf, with the published scales', () => {
  const learned = createLearned('adafac-mlp', { hidden: 32 });
  const a = learned.initTheta(rootKey(1));
  expect(learned.initTheta(rootKey(1))).toEqual(a);
  expect(learned.initTheta(rootKey(2)).get('layer0/kernel')?.data).not.toEqual(a.get('layer0/kernel')?.data);
  const kernel = [...(a.get('layer0/kernel')?.data ?? [])];
  const bound = 2 / Math.sqrt(39);
  expect(Math.max(...kernel.map(Math.abs))).toBeLessThanOrEqual(bound);
  // 1,248 draws; the standard deviation of a normal truncated to [-2, 2] is .8796 and its estimate is within 4 * .8796 / sqrt(2 * 1248).
  const deviation = Math.sqrt(kernel.reduce((sum, x) => sum + x * x, 0) / kernel.length) * Math.sqrt(39);
  expect(Math.abs(deviation - 0.8796)).toBeLessThan(0.07);
  for (const path of ['decays/momentum', 'decays/secondMoment', 'decays/factored', 'layer0/bias', 'layer2/bias'])
    expect([...(a.get(path)?.data ?? [1])].every((x) => x === 0)).toBe(true);
  expect(a.get('layer1/kernel')?.data).not.toEqual(a.get('layer0/kernel')?.data.slice(0, 1024));
});

test('decays must come in pairs', () => {
  expect(() => createLearned('adafac-mlp', { momentumDecays: [0.9, 0.99] })).toThrow(
    new RangeError(
      'Cannot create adafac-mlp: expected option factoredDecays to be as many decays as momentumDecays has (2) but got [0.9,0.99,0.999]',
    ),
  );
});

test('a learned name alone is an error that lists what ships', () => {
  expect(() => createOptimizer('celo2', {}, { shipped: ['celo2-digits'] })).toThrow(
    new RangeError(
      'Cannot create celo2: expected a theta for this learned optimizer but got its name alone; meta-train one (lopt meta-train) ' +
        'and give its run directory, or use one that ships: celo2-digits',
    ),
  );
  expect(() => createLearned('adam')).toThrow(
    new RangeError('Cannot create a learned optimizer: expected one of adafac-mlp, celo2, celo2-base but got adam'),
  );
});
