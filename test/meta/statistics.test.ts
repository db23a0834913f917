import { describe, expect, test } from 'vitest';
import { meanInterval, median, spread, tDistribution, tQuantile } from '../../meta/statistics.ts';

// Published tables give six digits or more; the function is exact to rounding.
const TABLE_DIGITS = 6;

describe('tQuantile', () => {
  test.each([
    // Closed forms: tan(pi (p - 1/2)) for 1 degree, (2p - 1) sqrt(2 / (4 p (1 - p))) for 2.
    [0.975, 1, Math.tan(Math.PI * 0.475)],
    [0.975, 2, 0.95 * Math.sqrt(2 / (4 * 0.975 * 0.025))],
    [0.75, 1, 1],
    [0.025, 1, -Math.tan(Math.PI * 0.475)],
    [0.5, 7, 0],
    // scipy.stats.t.ppf
    [0.975, 4, 2.7764451051977987],
    [0.975, 9, 2.2621571627409915],
    [0.975, 29, 2.045229642132703],
    [0.975, 99, 1.9842169515086827],
    [0.995, 3, 5.840909309732877],
  ])('of probability %f with %i degrees of freedom', (probability, degrees, expected) => {
    expect(tQuantile(probability, degrees)).toBeCloseTo(expected, 9);
  });

  test('is the inverse of the distribution function', () => {
    for (const degrees of [1, 2, 3.5, 10, 200])
      for (const probability of [0.001, 0.2, 0.6, 0.99])
        expect(tDistribution(tQuantile(probability, degrees), degrees)).toBeCloseTo(probability, 12);
  });

  test('refuses what is no probability', () => {
    expect(() => tQuantile(1, 4)).toThrow(
      new RangeError('Cannot take a quantile: expected a probability strictly between 0 and 1 but got 1'),
    );
    expect(() => tQuantile(0.9, 0)).toThrow(
      new RangeError('Cannot take a quantile: expected at least 1 degree of freedom but got 0'),
    );
  });
});

describe('meanInterval', () => {
  test('of five seeds uses t, not the normal distribution', () => {
    const { mean, interval, count } = meanInterval([0.3, 0.34, 0.29, 0.41, 0.36]);
    expect(mean).toBeCloseTo(0.34, 12);
    expect(interval?.low).toBeCloseTo(0.279808, TABLE_DIGITS);
    expect(interval?.high).toBeCloseTo(0.400192, TABLE_DIGITS);
    expect(count).toBe(5);
  });

  test('of one seed has no interval', () => {
    expect(meanInterval([0.3])).toEqual({ mean: 0.3, interval: null, count: 1 });
  });

  test('of equal values has width 0', () => {
    const { mean, interval } = meanInterval([0.1, 0.1, 0.1]);
    expect(interval).toEqual({ low: mean, high: mean });
  });

  test('of 0..99', () => {
    const { interval } = meanInterval(Array.from({ length: 100 }, (_, index) => index));
    expect(interval?.low).toBeCloseTo(43.743, 3);
    expect(interval?.high).toBeCloseTo(55.257, 3);
  });
});

test('median and spread', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
  expect(spread([3, 1, 10])).toEqual({ min: 1, median: 3, max: 10 });
  expect(() => spread([])).toThrow(new RangeError('Cannot measure a spread: expected at least one value but got none'));
});
