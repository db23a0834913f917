import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sizeOf } from '../../../../../jit/graph/graph.ts';
import {
  type Index,
  ZERO,
  addIndex,
  asConstant,
  computedIndex,
  constantIndex,
  counterIndex,
  dependencies,
  dotIndex,
  indexKey,
  indexRange,
  quotient,
  remainder,
  rowMajorStrides,
  scaleIndex,
  strideOf,
  substitute,
  unflatten,
} from '../../../../../jit/engines/native/ir/index-expression.ts';
import { ALL, EXTENTS, SOME, anyIndex, anyPair, counterPair, valueAt } from './random-indices.ts';

const anyDivisor = fc.integer({ min: 1, max: 12 });
const RUNS = { numRuns: 1500, seed: 9 };

const i = counterPair(0).index;
const j = counterPair(1).index;
const k = counterPair(2).index;
const n = counterIndex(9, 24);

describe('arithmetic agrees with numbers', () => {
  test('sums, multiples, quotients and remainders', () => {
    fc.assert(
      fc.property(anyPair, ({ index, value }) => {
        const { min, max } = indexRange(index);
        const got = ALL.map((counters) => valueAt(index, counters));
        expect(got).toEqual(ALL.map(value));
        expect(Math.min(...got)).toBeGreaterThanOrEqual(min);
        expect(Math.max(...got)).toBeLessThanOrEqual(max);
      }),
      { numRuns: 300, seed: 9 },
    );
  });

  test('unflatten gives digits', () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyPair, shapes, ({ index, value }, shape) => {
        const size = sizeOf(shape);
        const digits = unflatten(remainder(index, size), shape);
        const flat = dotIndex(digits, rowMajorStrides(shape));
        for (const counters of SOME) {
          const want = value(counters) % size;
          const places = digits.map((digit) => valueAt(digit, counters));
          places.forEach((place, axis) => expect(place).toBeLessThan(shape[axis] as number));
          expect(places.reduce((sum, place, axis) => sum * (shape[axis] as number) + place, 0)).toBe(want);
          expect(valueAt(flat, counters)).toBe(want);
        }
      }),
      { numRuns: 300, seed: 9 },
    );
  });

  test('substitute puts indices in place of counters', () => {
    fc.assert(
      fc.property(anyPair, anyPair, ({ index, value }, other) => {
        const inside = remainder(other.index, EXTENTS[1]);
        const substituted = substitute(index, (atom) =>
          atom.kind === 'counter' && atom.counter === 1 ? inside : undefined,
        );
        for (const counters of SOME)
          expect(valueAt(substituted, counters)).toBe(value(counters.with(1, other.value(counters) % EXTENTS[1])));
      }),
      { numRuns: 300, seed: 9 },
    );
  });

  test('a stride is the change by one step; there is none inside a quotient or remainder', () => {
    fc.assert(
      fc.property(anyPair, fc.nat({ max: 3 }), ({ index, value }, counter) => {
        const stride = strideOf(index, counter);
        const { counters } = dependencies(index);
        if (!counters.has(counter)) expect(stride).toBe(0);
        if (stride === undefined) return;
        for (const low of ALL.filter((setting) => setting[counter] === 0))
          expect(value(low.with(counter, 1)) - value(low)).toBe(stride);
      }),
      { numRuns: 300, seed: 9 },
    );
    expect(strideOf(remainder(n, 5), 9)).toBeUndefined();
  });
});

/** Counters with positive factors, and an offset. */
const anyLinear: fc.Arbitrary<Index> = fc
  .tuple(fc.nat({ max: 9 }), fc.array(fc.nat({ max: 24 }), { maxLength: EXTENTS.length }))
  .map(([offset, factors]) =>
    addIndex(
      constantIndex(offset),
      dotIndex(
        factors.map((_, counter) => counterPair(counter).index),
        factors,
      ),
    ),
  );

/** The index by other counters. */
function renamed(index: Index): Index {
  return substitute(index, (atom) =>
    atom.kind === 'counter' ? counterIndex(atom.counter + 10, atom.extent) : undefined,
  );
}

/** The place of an element in memory, by counters of the axes of a tensor: row-major, transposed, or along some axes backwards. */
const anyElement: fc.Arbitrary<{ index: Index; size: number }> = fc
  .tuple(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
  .map(([counters, isBackwards]) => {
    const shape = counters.map((counter) => EXTENTS[counter] ?? 1);
    const indices = counters.map((counter, axis) => {
      const forward = counterPair(counter).index;
      if (isBackwards[axis] !== true) return forward;
      return addIndex(constantIndex((shape[axis] ?? 1) - 1), scaleIndex(forward, -1));
    });
    return { index: dotIndex(indices, rowMajorStrides(shape)), size: sizeOf(shape) };
  });

/** A shape of `size` elements. */
function factorsOf(size: number, choices: readonly number[]): number[] {
  const shape: number[] = [];
  let left = size;
  for (const choice of choices) {
    const divisors = Array.from({ length: left }, (_, n) => n + 1).filter((n) => left % n === 0);
    const extent = divisors[choice % divisors.length] ?? 1;
    shape.push(extent);
    left /= extent;
  }
  return [...shape, left];
}

describe('equal functions have equal keys', () => {
  const same = (a: Index, b: Index): void => expect(indexKey(a)).toBe(indexKey(b));

  test('whatever the order and grouping of sums and multiples', () => {
    fc.assert(
      fc.property(anyIndex, anyIndex, anyIndex, fc.integer({ min: -5, max: 5 }), (a, b, c, by) => {
        same(addIndex(a, b), addIndex(b, a));
        same(addIndex(addIndex(a, b), c), addIndex(a, addIndex(b, c)));
        same(scaleIndex(addIndex(a, b), by), addIndex(scaleIndex(a, by), scaleIndex(b, by)));
        same(addIndex(a, scaleIndex(a, -1)), ZERO);
      }),
      RUNS,
    );
  });

  test('multiples of the divisor come out', () => {
    fc.assert(
      fc.property(anyLinear, anyLinear, anyDivisor, (x, y, by) => {
        const other = renamed(y);
        const sum = addIndex(scaleIndex(x, by), other);
        same(quotient(sum, by), addIndex(x, quotient(other, by)));
        same(remainder(sum, by), remainder(other, by));
        const below = remainder(other, by);
        same(quotient(addIndex(scaleIndex(x, by), below), by), x);
        same(remainder(addIndex(scaleIndex(x, by), below), by), below);
        same(addIndex(scaleIndex(quotient(x, by), by), remainder(x, by)), x);
      }),
      RUNS,
    );
  });

  test('quotients of quotients and remainders of remainders are one', () => {
    fc.assert(
      fc.property(anyLinear, anyDivisor, anyDivisor, (x, a, b) => {
        same(quotient(quotient(x, a), b), quotient(x, a * b));
        same(remainder(remainder(x, a * b), b), remainder(x, b));
      }),
      RUNS,
    );
  });

  test('an index of elements that is seen in another shape and put back is itself', () => {
    fc.assert(
      fc.property(anyElement, fc.array(fc.nat({ max: 99 })), ({ index, size }, choices) => {
        const shape = factorsOf(size, choices);
        const strides = rowMajorStrides(shape);
        const digits = unflatten(index, shape);
        same(dotIndex(digits, strides), index);
        // Transposed in between: the axes in reverse order are flattened, then seen in their shape and put back.
        const reversed = shape.toReversed();
        const transposed = dotIndex(digits.toReversed(), rowMajorStrides(reversed));
        const back = unflatten(transposed, reversed).toReversed();
        back.forEach((digit, axis) => same(digit, digits[axis] ?? ZERO));
        same(dotIndex(back, strides), index);
      }),
      RUNS,
    );
  });

  test('an index in normal form stays as it is', () => {
    fc.assert(
      fc.property(anyIndex, (x) => {
        expect(substitute(x, () => undefined)).toEqual(x);
      }),
      RUNS,
    );
  });
});

describe('forms', () => {
  test.each<[string, Index]>([
    ['0', counterIndex(5, 1)],
    ['3*i0+i1+2', addIndex(addIndex(scaleIndex(i, 3), j), constantIndex(2))],
    ['(i9)/5', quotient(n, 5)],
    ['3*(i9)/5+(i9)mod 5', addIndex(scaleIndex(quotient(n, 5), 3), remainder(n, 5))],
    // i runs to 1, j to 2, k to 3: [2,3,4] seen as [3,8].
    ['(3*i0+i1)/2', quotient(dotIndex([i, j, k], [12, 4, 1]), 8)],
    ['4*(3*i0+i1)mod 2+i2', remainder(dotIndex([i, j, k], [12, 4, 1]), 8)],
    ['((i9)/4)mod 3', remainder(quotient(n, 4), 3)],
    ['((i9)/4)mod 3', quotient(remainder(n, 12), 4)],
    ['(i9)mod 12', addIndex(scaleIndex(remainder(quotient(n, 4), 3), 4), remainder(n, 4))],
    ['-1*i9+3', addIndex(quotient(constantIndex(13), 4), scaleIndex(n, -1))],
    ['(%3)/5', quotient(computedIndex(3), 5)],
    ['2*%3+i0', quotient(dotIndex([computedIndex(3), i, k], [8, 4, 1]), 4)],
  ])('%s', (key, index) => {
    expect(indexKey(index)).toBe(key);
  });

  test('a computed index has no bound and is a dependency', () => {
    const index = addIndex(scaleIndex(computedIndex(3), 4), k);
    expect(indexRange(index)).toEqual({ min: 0, max: Number.POSITIVE_INFINITY });
    expect(indexRange(remainder(index, 5))).toEqual({ min: 0, max: 4 });
    expect(dependencies(remainder(index, 5))).toEqual({ counters: new Set([2]), operations: new Set([3]) });
    expect(indexKey(quotient(addIndex(constantIndex(8), scaleIndex(computedIndex(3), -1)), 4))).toBe('(-1*%3+8)/4');
  });

  test('constants, and shapes without elements', () => {
    expect(asConstant(constantIndex(4))).toBe(4);
    expect(asConstant(i)).toBeUndefined();
    expect(unflatten(n, [2, 0, 3])).toEqual([ZERO, ZERO, ZERO]);
    expect(rowMajorStrides([2, 3, 4])).toEqual([12, 4, 1]);
  });
});
