import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { agreeingCounters } from '../../../../../jit/engines/native/ir/collisions.ts';
import {
  type Index,
  addIndex,
  computedIndex,
  constantIndex,
  counterIndex,
  dotIndex,
  quotient,
  remainder,
  rowMajorStrides,
  scaleIndex,
  unflatten,
} from '../../../../../jit/engines/native/ir/index-expression.ts';
import { ALL, EXTENTS, anyIndex, valueAt } from './random-indices.ts';

/** Counter 0 is of a loop round the kernel, the others are the kernel's own. */
const LOOPS = EXTENTS.map((extent, counter) => ({ counter, extent })).slice(1);
const OWN = LOOPS.map(({ counter }) => counter);
const isFixed = (): boolean => false;

/** The counters of the kernel that agree wherever the indices do, by trying all pairs of runs; `never` where none meet. */
function agreeingByTrial(a: Index, b: Index): ReadonlySet<number> | 'never' {
  const runs = new Map<string, (readonly number[])[]>();
  for (const counters of ALL) {
    const key = `${counters[0]} ${valueAt(a, counters)}`;
    runs.set(key, [...(runs.get(key) ?? []), counters]);
  }
  const agreeing = new Set(OWN);
  let meet = false;
  for (const q of ALL)
    for (const p of runs.get(`${q[0]} ${valueAt(b, q)}`) ?? []) {
      meet = true;
      for (const counter of OWN) if (p[counter] !== q[counter]) agreeing.delete(counter);
    }
  return meet ? agreeing : 'never';
}

function expectSound(a: Index, b: Index): void {
  const got = agreeingCounters(a, b, { loops: LOOPS, isFixed });
  const want = agreeingByTrial(a, b);
  if (got === 'never') expect(want).toBe('never');
  else if (want !== 'never') for (const counter of got) expect([...want]).toContain(counter);
}

describe('counters that are said to agree do', () => {
  test('for any two indices', () => {
    fc.assert(fc.property(anyIndex, anyIndex, expectSound), { numRuns: 300, seed: 9 });
  });

  test('for an index and itself, moved or not', () => {
    const moves = fc.integer({ min: -6, max: 6 }).map(constantIndex);
    fc.assert(
      fc.property(anyIndex, moves, (a, move) => {
        expectSound(a, a);
        expectSound(a, addIndex(a, move));
      }),
      { numRuns: 300, seed: 9 },
    );
  });

  test('all of them for places of elements, in any shape that they are seen in', () => {
    const shape = EXTENTS.slice(1);
    const flat = dotIndex(
      LOOPS.map(({ counter, extent }) => counterIndex(counter, extent)),
      rowMajorStrides(shape),
    );
    for (const [extents, perm] of [
      [[84], [0]],
      [
        [4, 21],
        [1, 0],
      ],
      [
        [2, 6, 7],
        [2, 0, 1],
      ],
      [
        [7, 4, 3],
        [2, 1, 0],
      ],
      [
        [14, 6],
        [1, 0],
      ],
    ] as const) {
      const digits = unflatten(flat, extents);
      const moved = dotIndex(
        perm.map((axis) => digits[axis] as Index),
        rowMajorStrides(perm.map((axis) => extents[axis] as number)),
      );
      expect(agreeingCounters(moved, moved, { loops: LOOPS, isFixed })).toEqual(new Set(OWN));
    }
  });
});

describe('cases', () => {
  const [t, i, j] = [counterIndex(7, 5), counterIndex(1, 3), counterIndex(2, 4)];
  const row = addIndex(scaleIndex(i, 4), j);
  test.each<[string, Index, Index, ReadonlySet<number> | 'never']>([
    ['one place for all', constantIndex(3), constantIndex(3), new Set()],
    ['places apart', constantIndex(3), constantIndex(4), 'never'],
    ['a row and the next', row, addIndex(row, constantIndex(4)), new Set([2])],
    ['even and odd', scaleIndex(row, 2), addIndex(scaleIndex(row, 2), constantIndex(1)), 'never'],
    ['a step of the loop outside', addIndex(row, scaleIndex(t, 12)), addIndex(row, scaleIndex(t, 12)), new Set([1, 2])],
    ['rows that overlap', addIndex(scaleIndex(i, 3), j), addIndex(scaleIndex(i, 3), j), new Set()],
    ['half of the digits', remainder(row, 6), remainder(row, 6), new Set()],
    ['pairs of rows', quotient(row, 8), quotient(row, 8), new Set()],
    ['a computed index', addIndex(computedIndex(0), j), addIndex(computedIndex(0), j), new Set()],
  ])('%s', (_, a, b, want) => {
    expect(agreeingCounters(a, b, { loops: LOOPS, isFixed })).toEqual(want);
  });

  test('a computed index that never changes is no unknown', () => {
    const index = addIndex(computedIndex(0), j);
    expect(agreeingCounters(index, index, { loops: LOOPS, isFixed: () => true })).toEqual(new Set([2]));
  });

  test('gives up, and says that nothing agrees, where a search would be long', () => {
    const loops = Array.from({ length: 12 }, (_, counter) => ({ counter, extent: 97 }));
    const index = dotIndex(
      loops.map(({ counter, extent }) => counterIndex(counter, extent)),
      loops.map((_, place) => 1000 + 7 * place * place),
    );
    expect(agreeingCounters(index, addIndex(index, constantIndex(1)), { loops, isFixed })).toEqual(new Set());
  });
});
