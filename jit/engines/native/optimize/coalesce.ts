import { type Index, indexKey } from '../ir/index-expression.ts';
import type { Buffer, BufferId, Kernel, Statement } from '../ir/program.ts';
import { accessesOf } from './access.ts';
import { withBuffers } from './rewrite.ts';

/**
 * Lets values that take each other's place share memory, so that they needn't be copied: the next value of a loop's carry is computed
 * where the old one was, and a branch that mostly changes nothing changes nothing.
 */
export function coalesce(body: readonly Statement[], buffers: readonly Buffer[]): readonly Statement[] {
  return body.map((statement): Statement => {
    if (statement.kind === 'branch')
      return {
        ...statement,
        then: coalesce(statement.then, buffers),
        otherwise: coalesce(statement.otherwise, buffers),
      };
    if (statement.kind !== 'repeat') return statement;
    const outside = new Set<BufferId>();
    for (const other of body) {
      if (other === statement) continue;
      const { reads, writes } = accessesOf(other);
      for (const buffer of [...reads.keys(), ...writes.keys()]) outside.add(buffer);
    }
    const inner = coalesce(statement.body, buffers);
    return { ...statement, body: coalesceRound(inner, { buffers, outside }) };
  });
}

interface Context {
  readonly buffers: readonly Buffer[];
  /** Buffers that are used outside of the loop. */
  readonly outside: ReadonlySet<BufferId>;
}

/** One round of a loop, in which pairs that are copied into one another are made one until none is left that can be. */
function coalesceRound(given: readonly Statement[], context: Context): readonly Statement[] {
  let block = given;
  const tried = new Set<string>();
  for (;;) {
    const pair = copiesIn(block).find(({ from, to }) => !tried.has(`${from} ${to}`));
    if (pair === undefined) return block;
    tried.add(`${pair.from} ${pair.to}`);
    for (const [temporary, home] of [
      [pair.from, pair.to],
      [pair.to, pair.from],
    ] as const)
      if (mayShare(block, { temporary, home, ...context })) {
        block = block.map((statement) => withBuffers(statement, (buffer) => (buffer === temporary ? home : buffer)));
        break;
      }
  }
}

/** Buffers of which one is stored, place by place, into the other or along with it. */
function copiesIn(block: readonly Statement[]): readonly { readonly from: BufferId; readonly to: BufferId }[] {
  return block.flatMap((statement) => {
    if (statement.kind === 'branch') return [...copiesIn(statement.then), ...copiesIn(statement.otherwise)];
    if (statement.kind !== 'kernel') return [];
    const { operations } = statement;
    const pairs: { from: BufferId; to: BufferId }[] = [];
    const stored = new Map<string, BufferId>();
    for (const operation of operations) {
      if (operation.op !== 'store' || operation.adds) continue;
      const value = operations[operation.value];
      if (
        value?.op === 'load' &&
        value.buffer !== operation.buffer &&
        indexKey(value.index) === indexKey(operation.index)
      )
        pairs.push({ from: value.buffer, to: operation.buffer });
      const key = `${operation.value} ${indexKey(operation.index)}`;
      const other = stored.get(key);
      if (other !== undefined && other !== operation.buffer) pairs.push({ from: other, to: operation.buffer });
      stored.set(key, operation.buffer);
    }
    return pairs;
  });
}

/**
 * Whether a buffer that lives within a round may lie in the memory of another: at no time do both hold something that is still read. In
 * round order, first what reads `home`'s old value, then `temporary`'s life, then what writes `home` for the next round.
 */
function mayShare(
  block: readonly Statement[],
  { temporary, home, buffers, outside }: Context & { readonly temporary: BufferId; readonly home: BufferId },
): boolean {
  const [a, b] = [buffers[temporary], buffers[home]];
  if (a === undefined || b === undefined || a.kind !== 'local' || b.kind !== 'local') return false;
  if (a.size !== b.size || a.dtype !== b.dtype || outside.has(temporary)) return false;
  const uses = (buffer: BufferId, kind: 'reads' | 'writes') =>
    block.flatMap((statement, index) => (accessesOf(statement)[kind].has(buffer) ? [index] : []));
  const [firstWrite, lastWrite] = ends(uses(temporary, 'writes'));
  const [firstRead, lastRead] = ends(uses(temporary, 'reads'));
  const [, lastHomeRead] = ends(uses(home, 'reads'));
  const [firstHomeWrite, lastHomeWrite] = ends(uses(home, 'writes'));
  if (firstWrite === undefined || lastWrite === undefined) return false;
  // Nothing is carried from round to round in the temporary.
  if (firstRead !== undefined && firstRead < firstWrite) return false;
  if (firstRead === firstWrite && !writesBeforeReading(block[firstWrite] as Statement, temporary)) return false;
  // What reads the old value comes before the temporary is written, or is the same statement at the same places.
  if (lastHomeRead !== undefined && lastHomeRead > firstWrite) return false;
  if (lastHomeRead === firstWrite && !isInPlace(block[firstWrite] as Statement, { read: home, written: temporary }))
    return false;
  if (firstHomeWrite === undefined) return true;
  // One statement writes both alike, and nothing else does: they hold the same.
  if (firstHomeWrite === lastHomeWrite && firstWrite === lastWrite && firstHomeWrite === firstWrite)
    if (writesTwins(block[firstWrite] as Statement, temporary, home)) return true;
  // What writes the next value comes after the temporary's last use, or is the same statement at the same places.
  const lastUse = Math.max(lastWrite, lastRead ?? lastWrite);
  if (firstHomeWrite > lastUse) return true;
  return (
    firstHomeWrite === lastUse && isInPlace(block[firstHomeWrite] as Statement, { read: temporary, written: home })
  );
}

const ends = (indices: readonly number[]): readonly [number | undefined, number | undefined] => [
  indices[0],
  indices.at(-1),
];

/** Whether a kernel writes to both the same values at the same places. */
function writesTwins(statement: Statement, one: BufferId, other: BufferId): boolean {
  if (statement.kind !== 'kernel') return false;
  const stores = (buffer: BufferId) =>
    statement.operations.flatMap((operation) => {
      if ((operation.op !== 'store' && operation.op !== 'reduce') || operation.buffer !== buffer) return [];
      return operation.op === 'store' && !operation.adds ? [`${operation.value} ${indexKey(operation.index)}`] : ['?'];
    });
  const [a, b] = [stores(one), stores(other)];
  return a.length > 0 && !a.includes('?') && a.toSorted().join() === b.toSorted().join();
}

/** Whether every read of a buffer in a statement comes after a write. */
function writesBeforeReading(statement: Statement, buffer: BufferId): boolean {
  if (statement.kind === 'branch')
    return [statement.then, statement.otherwise].every((body) => {
      const first = body.find((inner) => accessesOf(inner).reads.has(buffer) || accessesOf(inner).writes.has(buffer));
      return first === undefined || !accessesOf(first).reads.has(buffer);
    });
  return false;
}

/** Whether a statement that reads one buffer and writes another could write the first instead. */
function isInPlace(
  statement: Statement,
  { read, written }: { readonly read: BufferId; readonly written: BufferId },
): boolean {
  if (statement.kind === 'kernel') return isKernelInPlace(statement, { read, written });
  if (statement.kind !== 'branch' || statement.condition.buffer === read) return false;
  return [statement.then, statement.otherwise].every((body) => {
    const first = body.findIndex((inner) => accessesOf(inner).writes.has(written));
    const last = body.findLastIndex((inner) => accessesOf(inner).reads.has(read));
    if (first < 0 || last < first) return true;
    return last === first && isInPlace(body[first] as Statement, { read, written });
  });
}

function isKernelInPlace(
  kernel: Kernel,
  { read, written }: { readonly read: BufferId; readonly written: BufferId },
): boolean {
  if (kernel.ordered.size > 0) return false;
  const stores = new Set<string>();
  let lastLoad = -1;
  let firstStore = Number.POSITIVE_INFINITY;
  const places: Index[] = [];
  for (const [id, operation] of kernel.operations.entries()) {
    if (operation.op === 'reduce' && operation.buffer === written) return false;
    if (operation.op === 'store' && operation.buffer === written) {
      if (operation.adds) return false;
      stores.add(indexKey(operation.index));
      firstStore = Math.min(firstStore, id);
    }
    if (operation.op === 'load' && operation.buffer === read) {
      places.push(operation.index);
      lastLoad = id;
    }
  }
  // A load after the store would see the new value.
  return lastLoad < firstStore && places.every((index) => stores.has(indexKey(index)));
}
