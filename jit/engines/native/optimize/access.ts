import { type Index, indexRange } from '../ir/index-expression.ts';
import type { BufferId, Contraction, Place, Statement } from '../ir/program.ts';

/** A stretch of a buffer that a statement may touch, both ends included. */
export interface Stretch {
  readonly min: number;
  readonly max: number;
}

/** What a statement reads and writes, bodies included. */
export interface Accesses {
  readonly reads: ReadonlyMap<BufferId, Stretch>;
  readonly writes: ReadonlyMap<BufferId, Stretch>;
}

const known = new WeakMap<Statement, Accesses>();

/** What a statement reads and writes, bodies included. */
export function accessesOf(statement: Statement): Accesses {
  const before = known.get(statement);
  if (before !== undefined) return before;
  const reads = new Map<BufferId, Stretch>();
  const writes = new Map<BufferId, Stretch>();
  collect(statement, reads, writes);
  const accesses = { reads, writes };
  known.set(statement, accesses);
  return accesses;
}

/** Makes a buffer's stretch as wide as to hold another too. */
export function widen(into: Map<BufferId, Stretch>, buffer: BufferId, { min, max }: Stretch): void {
  const old = into.get(buffer);
  into.set(buffer, old === undefined ? { min, max } : { min: Math.min(old.min, min), max: Math.max(old.max, max) });
}

/** The stretch of an index; all of a buffer where it isn't known. */
function stretch(index: Index): Stretch {
  const range = indexRange(index);
  return Number.isFinite(range.max) && Number.isFinite(range.min) ? range : { min: 0, max: Number.POSITIVE_INFINITY };
}

function collect(statement: Statement, reads: Map<BufferId, Stretch>, writes: Map<BufferId, Stretch>): void {
  switch (statement.kind) {
    case 'kernel':
      for (const operation of statement.operations) {
        if (operation.op === 'load') widen(reads, operation.buffer, stretch(operation.index));
        if (operation.op === 'store' || operation.op === 'reduce')
          widen(writes, operation.buffer, stretch(operation.index));
        if (operation.op === 'store' && operation.adds) widen(reads, operation.buffer, stretch(operation.index));
      }
      break;
    case 'contraction': {
      const { left, right, out } = statement;
      for (const place of [left, right]) widen(reads, place.buffer, operandStretch(statement, place));
      widen(writes, out.buffer, operandStretch(statement, out));
      break;
    }
    case 'repeat':
      for (const inner of statement.body) collect(inner, reads, writes);
      break;
    case 'branch':
      widen(reads, statement.condition.buffer, stretch(statement.condition.index));
      for (const inner of [...statement.then, ...statement.otherwise]) collect(inner, reads, writes);
      break;
  }
}

function operandStretch(contraction: Contraction, place: Place): Stretch {
  let { min, max } = stretch(place.index);
  const side = place === contraction.left ? 'left' : place === contraction.right ? 'right' : 'out';
  for (const axis of contraction.axes) {
    const reach = (axis.extent - 1) * axis[side];
    if (reach > 0) max += reach;
    else min += reach;
  }
  return { min, max };
}

function meets(a: ReadonlyMap<BufferId, Stretch>, b: ReadonlyMap<BufferId, Stretch>): boolean {
  const [few, many] = a.size <= b.size ? [a, b] : [b, a];
  for (const [buffer, one] of few) {
    const other = many.get(buffer);
    if (other !== undefined && one.min <= other.max && other.min <= one.max) return true;
  }
  return false;
}

/** Whether two statements may not change places, from what they touch. */
export function conflictOf(a: Accesses, b: Accesses): boolean {
  return meets(a.writes, b.reads) || meets(a.writes, b.writes) || meets(a.reads, b.writes);
}
