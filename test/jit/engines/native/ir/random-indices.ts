import * as fc from 'fast-check';
import {
  type Index,
  addIndex,
  constantIndex,
  counterIndex,
  evaluateIndex,
  quotient,
  remainder,
  scaleIndex,
} from '../../../../../jit/engines/native/ir/index-expression.ts';

/** Extents of counters 0 to 3. */
export const EXTENTS = [2, 3, 4, 7] as const;

/** An index that is never negative, with the function that it should be. */
export interface Pair {
  readonly index: Index;
  readonly value: (counters: readonly number[]) => number;
}

export const counterPair = (counter: number): Pair => ({
  index: counterIndex(counter, EXTENTS[counter] ?? 1),
  value: (counters) => counters[counter] as number,
});
export const anyPair: fc.Arbitrary<Pair> = fc.letrec<{ pair: Pair }>((tie) => ({
  pair: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.nat({ max: 3 }).map(counterPair),
    fc.nat({ max: 9 }).map((n): Pair => ({ index: constantIndex(n), value: () => n })),
    fc.nat({ max: 3 }).map((counter): Pair => {
      const last = (EXTENTS[counter] ?? 1) - 1;
      const forward = counterPair(counter);
      return {
        index: addIndex(constantIndex(last), scaleIndex(forward.index, -1)),
        value: (counters) => last - forward.value(counters),
      };
    }),
    fc.tuple(tie('pair'), tie('pair')).map(([a, b]): Pair => ({
      index: addIndex(a.index, b.index),
      value: (counters) => a.value(counters) + b.value(counters),
    })),
    fc.tuple(tie('pair'), fc.nat({ max: 6 })).map(([a, by]): Pair => ({
      index: scaleIndex(a.index, by),
      value: (counters) => by * a.value(counters),
    })),
    fc.tuple(tie('pair'), fc.integer({ min: 1, max: 12 })).map(([a, by]): Pair => ({
      index: quotient(a.index, by),
      value: (counters) => Math.floor(a.value(counters) / by),
    })),
    fc.tuple(tie('pair'), fc.integer({ min: 1, max: 12 })).map(([a, by]): Pair => ({
      index: remainder(a.index, by),
      value: (counters) => a.value(counters) % by,
    })),
  ),
})).pair;
export const anyIndex = anyPair.map(({ index }) => index);

/** Every setting of the counters. */
export const ALL: readonly (readonly number[])[] = EXTENTS.reduce<number[][]>(
  (settings, extent) => settings.flatMap((one) => Array.from({ length: extent }, (_, i) => [...one, i])),
  [[]],
);
export const SOME = ALL.filter((_, place) => place % 5 === 0);
/** The value of an index for counters 0 to 3. */
export const valueAt = (index: Index, counters: readonly number[]): number =>
  evaluateIndex(index, (atom) => (atom.kind === 'counter' ? (counters[atom.counter] as number) : Number.NaN));
