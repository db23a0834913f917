import type { Buffer, BufferId, Program, Statement } from '../ir/program.ts';
import { accessesOf } from './access.ts';

/** Where each local buffer lies in the memory that a program works in. */
export interface MemoryPlan {
  /** First byte of each local buffer, a multiple of 64. */
  readonly offsets: ReadonlyMap<BufferId, number>;
  readonly sizeBytes: number;
}

const ALIGNMENT_BYTES = 64;

/** Bytes of an element in memory. */
export function elementBytes({ dtype }: Pick<Buffer, 'dtype'>): number {
  return dtype === 'bool' ? 1 : 4;
}

/** Gives every local buffer a place; buffers that are never in use at the same time may share it. */
export function planMemory({ body, buffers }: Program): MemoryPlan {
  const lives = new Map<BufferId, { first: number; last: number; reads: boolean }>();
  let position = 0;
  /** Gives the stretch of positions that the block takes. */
  const visit = (block: readonly Statement[]): { first: number; last: number } => {
    const start = position;
    for (const statement of block) {
      const at = position;
      position += 1;
      if (statement.kind === 'branch') {
        touch(statement.condition.buffer, at, true);
        visit(statement.then);
        visit(statement.otherwise);
      } else if (statement.kind === 'repeat') {
        const { first, last } = visit(statement.body);
        // What lives beyond a round lives through all of them.
        const inside = new Set(
          statement.body.flatMap((inner) => [...accessesOf(inner).reads.keys(), ...accessesOf(inner).writes.keys()]),
        );
        for (const buffer of inside) {
          const life = lives.get(buffer);
          if (life === undefined) continue;
          if (life.first < first || life.reads || isUsedAfter(buffer, statement)) {
            life.first = Math.min(life.first, at);
            life.last = Math.max(life.last, last);
          }
        }
      } else {
        const { reads, writes } = accessesOf(statement);
        for (const buffer of writes.keys()) touch(buffer, at, reads.has(buffer));
        for (const buffer of reads.keys()) touch(buffer, at, true);
      }
    }
    return { first: start, last: position };
  };
  const count = (block: readonly Statement[], loops: readonly Statement[]): void => {
    for (const statement of block) {
      const inner = statement.kind === 'repeat' ? [...loops, statement] : loops;
      if (statement.kind === 'repeat') count(statement.body, inner);
      else if (statement.kind === 'branch') {
        note(statement.condition.buffer, loops);
        count(statement.then, loops);
        count(statement.otherwise, loops);
      } else {
        const { reads, writes } = accessesOf(statement);
        for (const buffer of [...reads.keys(), ...writes.keys()]) note(buffer, loops);
      }
    }
  };
  /** For each buffer the loops that hold all of its uses. */
  const common = new Map<BufferId, ReadonlySet<Statement>>();
  const note = (buffer: BufferId, loops: readonly Statement[]): void => {
    const known = common.get(buffer);
    common.set(buffer, new Set(loops.filter((loop) => known?.has(loop) ?? true)));
  };
  const isUsedAfter = (buffer: BufferId, loop: Statement): boolean => common.get(buffer)?.has(loop) !== true;
  const touch = (buffer: BufferId, at: number, reads: boolean): void => {
    if (buffers[buffer]?.kind !== 'local') return;
    const life = lives.get(buffer);
    if (life === undefined) lives.set(buffer, { first: at, last: at, reads });
    else life.last = at;
  };
  count(body, []);
  visit(body);
  return placed(lives, buffers);
}

function placed(
  lives: ReadonlyMap<BufferId, { readonly first: number; readonly last: number }>,
  buffers: readonly Buffer[],
): MemoryPlan {
  const offsets = new Map<BufferId, number>();
  const taken: { readonly start: number; readonly end: number; readonly last: number }[] = [];
  let sizeBytes = 0;
  for (const [buffer, { first, last }] of [...lives].toSorted((a, b) => a[1].first - b[1].first)) {
    const spec = buffers[buffer] as Buffer;
    const bytes = Math.max(1, Math.ceil((spec.size * elementBytes(spec)) / ALIGNMENT_BYTES)) * ALIGNMENT_BYTES;
    const busy = taken.filter((other) => other.last >= first).toSorted((a, b) => a.start - b.start);
    let start = 0;
    for (const other of busy) {
      if (start + bytes <= other.start) break;
      start = Math.max(start, other.end);
    }
    taken.push({ start, end: start + bytes, last });
    offsets.set(buffer, start);
    sizeBytes = Math.max(sizeBytes, start + bytes);
  }
  return { offsets, sizeBytes };
}
