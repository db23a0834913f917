import { describe, expect, it } from 'vitest';
import { exactExp, exactLog } from '../../../jit/random/elementary.ts';

// Both sides may be off by a unit or two in the last place.
const TOLERANCE = 4 * 2 ** -53;

describe('exactExp and exactLog', () => {
  it('agree with Math to four units in the last place', () => {
    for (let i = 0; i < 20_000; i += 1) {
      const x = -690 + (1380 * i) / 19_999 + 1e-3 * Math.sin(i);
      expect(Math.abs(exactExp(x) / Math.exp(x) - 1)).toBeLessThan(TOLERANCE);
      const y = Math.exp(x);
      expect(Math.abs(exactLog(y) - Math.log(y))).toBeLessThan(TOLERANCE * Math.max(1, Math.abs(Math.log(y))));
      const near = 1 + x * 1e-9;
      expect(Math.abs(exactLog(near) - Math.log(near))).toBeLessThan(TOLERANCE * Math.abs(Math.log(near)) + 1e-300);
    }
  });

  it('are exact where the answer is', () => {
    expect(exactExp(0)).toBe(1);
    expect(exactLog(1)).toBe(0);
    expect(exactLog(Number.MAX_VALUE)).toBeCloseTo(709.782712893384, 12);
  });
});
