import { type Index, dependencies, indexKey, indexRange, substitute } from './index-expression.ts';
import type { OperationId } from './program.ts';

/** Throws the error of a program that isn't legal. */
export type Fail = (where: string, expected: string, got: string) => never;

/** What an index may be made of. */
export interface IndexScope {
  readonly where: string;
  readonly fail: Fail;
  /** Extents of the loops round it, by counter. */
  readonly extents: ReadonlyMap<number, number>;
  /** Whether an operation's value may be an index here. */
  readonly isComputed?: (operation: OperationId) => boolean;
}

/**
 * An index is legal where its numbers are integers, its counters are those of loops round it, with their extents, its computed atoms
 * int32 values made before it in a load or plain store, and it is in normal form.
 */
export function verifyIndex(index: Index, { where, fail, extents, isComputed }: IndexScope): void {
  verifyNumbers(index, (got) =>
    fail(where, 'an index of integers, with factors other than 0 and divisors above 1', got),
  );
  const { operations } = dependencies(index);
  visitCounters(index, (counter, extent) => {
    const own = extents.get(counter);
    if (own === undefined) fail(where, 'an index by counters of loops round it', `i${counter}`);
    if (own !== extent) fail(where, `an index by i${counter} in ${own}`, `i${counter} in ${extent}`);
  });
  for (const operation of operations) {
    if (isComputed === undefined) fail(where, 'an index by counters alone', `%${operation}`);
    else if (!isComputed(operation)) fail(where, 'an index by int32 values made before', `%${operation}`);
  }
  const normal = indexKey(substitute(index, () => undefined));
  if (normal !== indexKey(index)) fail(where, `the normal form ${normal} of an index`, indexKey(index));
}

/** Checks that an index by counters alone stays between 0 and `size` - 1. */
export function verifyInside(index: Index, { where, fail, size, of }: IndexScope & { size: number; of: string }): void {
  if (dependencies(index).operations.size > 0) return;
  const { min, max } = indexRange(index);
  if (min < 0 || max >= size) fail(where, `places from 0 to ${size - 1} of ${of}`, rangeText({ min, max }));
}

export function rangeText({ min, max }: { readonly min: number; readonly max: number }): string {
  return min === max ? String(min) : `${min} to ${max}`;
}

function verifyNumbers(index: Index, fail: (got: string) => never): void {
  if (!Number.isSafeInteger(index.offset)) fail(indexKey(index));
  for (const { atom, factor } of index.terms) {
    if (!Number.isSafeInteger(factor) || factor === 0) fail(indexKey(index));
    if (atom.kind === 'counter' || atom.kind === 'computed') continue;
    if (!Number.isSafeInteger(atom.by) || atom.by < 2) fail(indexKey(index));
    verifyNumbers(atom.of, fail);
  }
}

function visitCounters({ terms }: Index, visit: (counter: number, extent: number) => void): void {
  for (const { atom } of terms) {
    if (atom.kind === 'counter') visit(atom.counter, atom.extent);
    else if (atom.kind !== 'computed') visitCounters(atom.of, visit);
  }
}
