import { describe, expect, it } from 'vitest';
import { fold, rootKey } from '../../../jit/random/key.ts';

describe('rootKey', () => {
  it('is pinned', () => {
    expect(rootKey(0)).toEqual({ low: 3351604952, high: 3234633741 });
    expect(rootKey('lopt')).toEqual({ low: 435128962, high: 2451630415 });
  });

  it('takes seeds as text', () => {
    expect(rootKey(7)).toEqual(rootKey('7'));
    expect(rootKey(7)).not.toEqual(rootKey('7.0'));
  });

  it('refuses what is no seed', () => {
    expect(() => rootKey(NaN)).toThrow(
      new TypeError('Cannot make a key: expected the seed to be text or a finite number but got NaN'),
    );
  });
});

describe('fold', () => {
  const key = rootKey(1);

  it('is pinned', () => {
    expect(fold(key, 'batches', 3)).toEqual({ low: 1772899406, high: 1346906322 });
    expect(fold(key, -1)).toEqual({ low: 609993887, high: 153528131 });
    expect(fold(key, '')).toEqual({ low: 3428709050, high: 3222288541 });
    expect(fold(key, 'a label of more than eight bytes')).toEqual({ low: 1549632480, high: 3873660065 });
  });

  it('goes label by label', () => {
    expect(fold(fold(key, 'a'), 2)).toEqual(fold(key, 'a', 2));
    expect(fold(key)).toEqual(key);
  });

  it('tells labels apart', () => {
    const labels: readonly (string | number)[][] = [
      [],
      [0],
      [1],
      [-1],
      [2 ** 32],
      [-(2 ** 32)],
      [2 ** 53 - 1],
      ['0'],
      ['1'],
      [''],
      ['a'],
      ['a\0'],
      ['\0a'],
      ['ab'],
      ['ba'],
      ['a', 'b'],
      ['b', 'a'],
      ['12345678'],
      ['12345678', ''],
      ['123456789'],
      ['12345678', '9'],
      ['é'],
      [0, 0],
      [0, 1],
      [1, 0],
    ];
    const keys = new Set(labels.map((path) => JSON.stringify(fold(key, ...path))));
    expect(keys.size).toBe(labels.length);
  });

  it('has no collisions among many labels', () => {
    const keys = new Set<string>();
    for (let a = 0; a < 200; a += 1) for (let b = 0; b < 200; b += 1) keys.add(JSON.stringify(fold(key, a, `${b}`)));
    expect(keys.size).toBe(40_000);
  });

  it('refuses labels that are no integers', () => {
    expect(() => fold(key, 1.5)).toThrow(
      new TypeError('Cannot fold a label into a key: expected text or a safe integer but got 1.5'),
    );
    expect(() => fold(key, 2 ** 53)).toThrow(
      new TypeError('Cannot fold a label into a key: expected text or a safe integer but got 9007199254740992'),
    );
  });
});
