import { expect, test } from 'vitest';
import { sizeOf } from '../../jit/graph/graph.ts';
import { mlpSpecs, readSizes, SIZES } from '../../scripts/bench/sizes.ts';

test.each([
  ['2410', 2410],
  ['100k', 101_770],
  ['1m', 997_962],
  ['10m', 10_022_794],
])('the network that stands for %s has %i parameters', (name, count) => {
  const specs = mlpSpecs(SIZES.get(name) ?? []);
  expect([...specs.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(count);
});

test('roles go by place', () => {
  expect([...mlpSpecs([4, 3, 3, 2]).values()].map(({ path, role }) => [path, role])).toEqual([
    ['dense0/kernel', 'input'],
    ['dense0/bias', 'bias'],
    ['dense1/kernel', 'hidden'],
    ['dense1/bias', 'bias'],
    ['dense2/kernel', 'output'],
    ['dense2/bias', 'bias'],
  ]);
});

test('lists of sizes', () => {
  expect(readSizes('2410,1m', '--sizes')).toEqual(['2410', '1m']);
  expect(() => readSizes('', '--sizes')).toThrow(
    'Cannot read --sizes: expected sizes among 2410, 100k, 1m, 10m, separated by commas, but got ""',
  );
});
