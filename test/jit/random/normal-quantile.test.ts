import { describe, expect, it } from 'vitest';
import { logFloat32, middleQuantile, midpoint, tailQuantile } from '../../../jit/random/normal-quantile.ts';
import { upperTail } from './normal-distribution.ts';

describe('logFloat32', () => {
  it('agrees with Math.log to two units in the last place', () => {
    let worst = 0;
    for (let i = 0; i < 200_000; i += 1) {
      const x = Math.fround(2 ** -33 * 2 ** (i / 6060));
      const expected = Math.log(x);
      worst = Math.max(worst, Math.abs(logFloat32(x) - expected) / Math.max(Math.abs(expected), 2 ** -4));
    }
    expect(worst).toBeLessThan(2 * 2 ** -24 * 2);
    expect(logFloat32(1)).toBe(0);
  });
});

describe('normal quantiles', () => {
  // AS 241 promises seven digits for PPND7; float32 steps add a few units in the last place.
  const RELATIVE_ERROR = 6e-7;

  /** Relative error of a quantile x of the upper tail p, by one Newton step in double precision. */
  function error(x: number, p: number): number {
    const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    return Math.abs((upperTail(x) - p) / density / x);
  }

  it('are right in the middle', () => {
    let worst = 0;
    for (let i = 1; i <= 20_000; i += 1) {
      const q = Math.fround((0.425 * i) / 20_000);
      worst = Math.max(worst, error(middleQuantile(q), 0.5 - q));
    }
    expect(worst).toBeLessThan(RELATIVE_ERROR);
  });

  it('are right in the tail', () => {
    let worst = 0;
    for (let i = 0; i < 20_000; i += 1) {
      const p = Math.fround(2 ** -33 * (0.075 * 2 ** 33) ** (i / 20_000));
      worst = Math.max(worst, error(tailQuantile(p), p));
    }
    expect(worst).toBeLessThan(RELATIVE_ERROR);
  });

  it('keep their digits next to the middle and at the end', () => {
    expect(middleQuantile(midpoint(0)) / (Math.sqrt(2 * Math.PI) * 2 ** -33)).toBeCloseTo(1, 6);
    expect(error(tailQuantile(midpoint(0)), 2 ** -33)).toBeLessThan(RELATIVE_ERROR);
  });
});
