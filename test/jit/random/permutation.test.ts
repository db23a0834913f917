import { describe, expect, it } from 'vitest';
import { fold, rootKey } from '../../../jit/random/key.ts';
import { permutation, permute } from '../../../jit/random/permutation.ts';

const key = rootKey('permutation');

describe('permutation', () => {
  it.each([1, 2, 3, 7, 63, 64, 65, 1000, 1797, 4096, 4097, 70_000])('of %i is a bijection', (size) => {
    const { at } = permutation(key, size);
    const seen = new Uint8Array(size);
    for (let i = 0; i < size; i += 1) seen[at(i)] = 1;
    expect(seen.every((x) => x === 1)).toBe(true);
  });

  it('is pinned', () => {
    const { at } = permutation(rootKey(0), 1797);
    expect([0, 1, 2, 3, 4, 5].map(at)).toEqual([857, 885, 514, 1022, 1482, 712]);
    expect(permute(rootKey(0), 2 ** 31, 5)).toBe(476207878);
  });

  it('reaches every order of a small set equally often', () => {
    const size = 4;
    const orders = 24;
    const draws = 24_000;
    const counts = new Map<string, number>();
    for (let i = 0; i < draws; i += 1) {
      const { at } = permutation(fold(key, i), size);
      const order = [0, 1, 2, 3].map(at).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(orders);
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - draws / orders) ** 2 / (draws / orders), 0);
    // 23 degrees of freedom: exceeded with probability 1e-4.
    expect(chiSquare).toBeLessThan(56);
  });

  it('sends every index everywhere', () => {
    const size = 50;
    const draws = 20_000;
    const counts = new Float64Array(size);
    for (let i = 0; i < draws; i += 1) {
      const to = permute(fold(key, 'to', i), size, 17);
      counts[to] = (counts[to] ?? 0) + 1;
    }
    const chiSquare = counts.reduce((sum, n) => sum + (n - draws / size) ** 2 / (draws / size), 0);
    // 49 degrees of freedom: exceeded with probability 1e-4.
    expect(chiSquare).toBeLessThan(94);
  });

  it('refuses sizes and indices outside', () => {
    expect(() => permutation(key, 0)).toThrow(
      new RangeError('Cannot permute: expected a size from 1 to 2147483648 but got 0'),
    );
    expect(() => permute(key, 5, 5)).toThrow(new RangeError('Cannot permute: expected an index from 0 to 4 but got 5'));
  });
});
