import { describe, expect, it } from 'vitest';
import {
  logUniform,
  logUniformInteger,
  normal,
  rademacher,
  truncatedNormal,
  uniform,
  words,
} from '../../../jit/random/draws.ts';
import { fold, rootKey } from '../../../jit/random/key.ts';
import { normalCdf } from './normal-distribution.ts';

const key = rootKey('draws');
const COUNT = 200_000;
// Keys are fixed, so a test that passes keeps passing: bounds are four standard errors, Kolmogorov's at probability 1e-4.
const STANDARD_ERRORS = 4;
const KOLMOGOROV = 2.23;

function moment(draws: Float32Array, order: number): number {
  return draws.reduce((sum, x) => sum + x ** order, 0) / draws.length;
}

/** Largest distance between the empirical and a given distribution function, times the square root of the count. */
function kolmogorov(draws: Float32Array, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(draws).sort();
  let worst = 0;
  sorted.forEach((x, i) => {
    const p = cdf(x);
    worst = Math.max(worst, Math.abs(p - i / draws.length), Math.abs(p - (i + 1) / draws.length));
  });
  return worst * Math.sqrt(draws.length);
}

describe('normal', () => {
  const draws = normal(key, COUNT);

  it('is pinned', () => {
    expect([...normal(rootKey(0), 6)]).toEqual([
      0.19833627343177795, 0.03676358610391617, -1.0032668113708496, -0.33672791719436646, -0.8176259398460388,
      0.5200498104095459,
    ]);
  });

  it('has the moments of a standard normal', () => {
    const exact = [0, 1, 0, 3, 0, 15];
    const variance = [1, 2, 15, 96, 945, 10_170];
    exact.forEach((expected, i) =>
      expect(Math.abs(moment(draws, i + 1) - expected)).toBeLessThan(
        STANDARD_ERRORS * Math.sqrt((variance[i] ?? 0) / COUNT),
      ),
    );
  });

  it('has the distribution of a standard normal', () => {
    expect(kolmogorov(draws, normalCdf)).toBeLessThan(KOLMOGOROV);
  });

  it('has tails', () => {
    const beyond = normal(key, 4_000_000).reduce((count, x) => count + (Math.abs(x) > 4 ? 1 : 0), 0);
    const expected = 4_000_000 * 2 * (1 - normalCdf(4));
    expect(Math.abs(beyond - expected)).toBeLessThan(STANDARD_ERRORS * Math.sqrt(expected));
  });
});

describe('truncatedNormal', () => {
  const draws = truncatedNormal(key, COUNT);

  it('is pinned', () => {
    expect([...truncatedNormal(rootKey(0), 6)]).toEqual([
      0.1892007738351822, 0.0350901335477829, -0.9406846165657043, -0.3208560645580292, -0.7717651724815369,
      0.49430450797080994,
    ]);
  });

  it('stays within two and is not corrected in variance', () => {
    expect(draws.every((x) => Math.abs(x) <= 2)).toBe(true);
    expect(Math.sqrt(moment(draws, 2))).toBeCloseTo(0.8796, 2);
    expect(Math.abs(moment(draws, 1))).toBeLessThan((STANDARD_ERRORS * 0.8796) / Math.sqrt(COUNT));
  });

  it('has the distribution of a normal conditioned on [-2, 2]', () => {
    const low = normalCdf(-2);
    expect(kolmogorov(draws, (x) => (normalCdf(x) - low) / (1 - 2 * low))).toBeLessThan(KOLMOGOROV);
  });
});

describe('uniform', () => {
  const draws = uniform(key, COUNT);

  it('is pinned', () => {
    expect([...uniform(rootKey(0), 6)]).toEqual([
      0.15721797943115234, 0.029326438903808594, 0.6842679381370544, 0.2636779546737671, 0.5864291787147522,
      0.39697110652923584,
    ]);
  });

  it('lies in [0, 1) in steps of 2^-24', () => {
    expect(draws.every((x) => x >= 0 && x < 1 && Number.isInteger(x * 2 ** 24))).toBe(true);
    expect(kolmogorov(draws, (x) => x)).toBeLessThan(KOLMOGOROV);
  });
});

describe('rademacher', () => {
  it('is pinned', () => {
    expect([...rademacher(rootKey(0), 12)]).toEqual([-1, -1, 1, 1, 1, -1, 1, 1, -1, -1, 1, 1]);
  });

  it('is -1 or 1 with equal probability', () => {
    const draws = rademacher(key, COUNT);
    expect(draws.every((x) => x === 1 || x === -1)).toBe(true);
    expect(Math.abs(moment(draws, 1))).toBeLessThan(STANDARD_ERRORS / Math.sqrt(COUNT));
  });
});

describe('logUniform', () => {
  it('is pinned', () => {
    expect([...logUniform(rootKey(0), 4, { min: 1e-3, max: 1e3 })]).toEqual([
      0.008776231668889523, 0.0014995430829003453, 12.752861022949219, 0.038200393319129944,
    ]);
  });

  it('has a uniform logarithm', () => {
    const draws = logUniform(key, COUNT, { min: 0.01, max: 10 });
    expect(draws.every((x) => x >= Math.fround(0.01) && x <= 10)).toBe(true);
    expect(kolmogorov(draws, (x) => Math.log(x / 0.01) / Math.log(1000))).toBeLessThan(KOLMOGOROV);
    expect([...logUniform(key, 3, { min: 2, max: 2 })]).toEqual([2, 2, 2]);
  });

  it('refuses bounds that are none', () => {
    expect(() => logUniform(key, 1, { min: 0, max: 1 })).toThrow(
      new RangeError('Cannot draw a log-uniform number: expected bounds 0 < min <= max but got min 0 and max 1'),
    );
  });
});

describe('logUniformInteger', () => {
  it('is pinned', () => {
    expect([0, 1, 2, 3, 4].map((i) => logUniformInteger(fold(key, i), { min: 100, max: 2000 }))).toEqual([
      1498, 425, 267, 276, 156,
    ]);
  });

  it('has the probabilities of the floor of a log-uniform number', () => {
    const counts = new Map<number, number>();
    const draws = 20_000;
    for (let i = 0; i < draws; i += 1) {
      const value = logUniformInteger(fold(key, i), { min: 2, max: 7 });
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6]);
    for (const [value, count] of counts) {
      const p = Math.log((value + 1) / value) / Math.log(7 / 2);
      expect(Math.abs(count - p * draws)).toBeLessThan(STANDARD_ERRORS * Math.sqrt(draws * p * (1 - p)));
    }
  });

  it('takes a range of one', () => {
    expect(logUniformInteger(key, { min: 50, max: 50 })).toBe(50);
    expect(logUniformInteger(key, { min: 50, max: 51 })).toBe(50);
  });

  it('refuses bounds that are none', () => {
    expect(() => logUniformInteger(key, { min: 5, max: 4 })).toThrow(
      new RangeError('Cannot draw a log-uniform integer: expected bounds 0 < min <= max but got min 5 and max 4'),
    );
  });
});

describe('draws', () => {
  it('depend on key and index alone', () => {
    for (const draw of [words, uniform, normal, truncatedNormal, rademacher]) {
      const all = draw(key, 5000);
      for (const [first, count] of [
        [0, 1],
        [1, 7],
        [2047, 3],
        [2046, 2100],
        [4999, 1],
      ] as const)
        expect([...draw(key, count, { first })]).toEqual(Array.from(all.slice(first, first + count)));
    }
    const far = 2 ** 34 + 1;
    expect([...words(key, 5, { first: far })]).toEqual(
      [0, 1, 2, 3, 4].map((i) => words(key, 1, { first: far + i })[0]),
    );
    expect(words(key, 1, { first: far - 1 })).not.toEqual(words(key, 1));
  });

  it('of different labels are uncorrelated', () => {
    const named = ['a', 'b', 'noise', 'batches'].map((label) => normal(fold(key, label), COUNT));
    const counted = [0, 1, 2, 3].map((label) => normal(fold(key, label), COUNT));
    const all = [...named, ...counted];
    all.forEach((x, i) =>
      all.slice(i + 1).forEach((y) => {
        const correlation = x.reduce((sum, value, at) => sum + value * (y[at] ?? NaN), 0) / COUNT;
        expect(Math.abs(correlation)).toBeLessThan(STANDARD_ERRORS / Math.sqrt(COUNT));
      }),
    );
  });

  it('of neighbouring indices are uncorrelated', () => {
    const draws = normal(key, COUNT);
    for (const lag of [1, 2, 3, 4]) {
      const correlation = draws.reduce((sum, x, i) => sum + x * (draws[i + lag] ?? 0), 0) / COUNT;
      expect(Math.abs(correlation)).toBeLessThan(STANDARD_ERRORS / Math.sqrt(COUNT));
    }
  });

  it('refuse a count that is none', () => {
    expect(() => normal(key, -1)).toThrow(RangeError);
    expect(() => normal(key, 1, { first: 0.5 })).toThrow(
      new RangeError('Cannot draw: expected count and first to be integers of at least 0 but got 1 and 0.5'),
    );
  });
});
