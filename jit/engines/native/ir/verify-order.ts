import { agreeingCounters } from './collisions.ts';
import { type Index, dependencies, indexKey } from './index-expression.ts';
import type { BufferId, Kernel, Operation, OperationId } from './program.ts';

/** One place of memory that an operation touches. */
interface Access {
  readonly id: OperationId;
  readonly kind: 'load' | 'store' | 'adds' | 'reduce';
  readonly index: Index;
  /** Of a write: the counters that its value changes with. */
  readonly changing: ReadonlySet<number>;
  /** Of a reduction. */
  readonly over: readonly number[];
}

interface OrderScope {
  readonly nameOf: (buffer: BufferId) => string;
  readonly fail: (id: OperationId, expected: string, got: string) => never;
}

/** Whether a kernel that is reached runs its code; with `over`, whether a reduction over these counters writes. */
export function isRun({ loops }: Pick<Kernel, 'loops'>, over: readonly number[] = []): boolean {
  return loops.every(({ counter, extent }) => extent > 0 || over.includes(counter));
}

/** Checks that the order of loops that aren't `ordered` makes no difference, as documented in verify.ts. */
export function verifyOrder(kernel: Kernel, { nameOf, fail }: OrderScope): void {
  const changing = changingCounters(kernel);
  const free = kernel.loops
    .filter(({ counter, extent }) => extent > 1 && !kernel.ordered.has(counter))
    .map(({ counter }) => counter);
  const agreeing = cached((a, b) =>
    agreeingCounters(a, b, { loops: kernel.loops, isFixed: (id) => changing[id]?.size === 0 }),
  );
  for (const [buffer, accesses] of accessesOf(kernel, changing))
    for (const [place, b] of accesses.entries())
      for (const a of accesses.slice(0, place + 1)) {
        if (a.kind === b.kind && (a.kind === 'load' || a.kind === 'adds')) continue;
        if (a === b) {
          const equal = agreeing(a.index, a.index);
          const isSettled = (counter: number) => equal === 'never' || equal.has(counter) || a.over.includes(counter);
          const loose = free.filter((counter) => !isSettled(counter));
          if (loose.length > 0 && ![...a.changing].every(isSettled))
            fail(a.id, `a place for each ${counterList(loose)}, or one value for all`, indexKey(a.index));
          continue;
        }
        const isReduce = a.kind === 'reduce' || b.kind === 'reduce';
        if (isReduce && (a.kind === 'load' || b.kind === 'load'))
          fail(
            b.id,
            `no load of ${nameOf(buffer)} in a kernel that reduces to it`,
            `%${a.kind === 'load' ? a.id : b.id}`,
          );
        const equal = agreeing(a.index, b.index);
        if (equal === 'never') continue;
        if (isReduce) fail(b.id, `places of ${nameOf(buffer)} that %${a.id} doesn’t write`, indexKey(b.index));
        const loose = free.filter((counter) => !equal.has(counter));
        if (loose.length > 0)
          fail(
            b.id,
            `the places of %${a.id}, ${indexKey(a.index)}, at the same ${counterList(loose)} alone`,
            indexKey(b.index),
          );
      }
}

function counterList(counters: readonly number[]): string {
  return counters.map((counter) => `i${counter}`).join(', ');
}

type Agreeing = (a: Index, b: Index) => ReadonlySet<number> | 'never';

/** Looks only once at pairs that differ alike: code that was written out has many. */
function cached(agreeing: Agreeing): Agreeing {
  const keys = new Map<Index, string>();
  const termsKey = (index: Index): string => {
    const key = keys.get(index) ?? indexKey({ offset: 0, terms: index.terms });
    keys.set(index, key);
    return key;
  };
  const known = new Map<string, ReturnType<Agreeing>>();
  return (a, b) => {
    const key = `${b.offset - a.offset} ${termsKey(a)} ${termsKey(b)}`;
    const found = known.get(key) ?? agreeing(a, b);
    known.set(key, found);
    return found;
  };
}

/** The accesses to each buffer that the kernel writes. */
function accessesOf(
  kernel: Kernel,
  changing: readonly ReadonlySet<number>[],
): ReadonlyMap<BufferId, readonly Access[]> {
  const accesses = new Map<BufferId, Access[]>();
  const isEmpty = !isRun(kernel);
  for (const [id, operation] of kernel.operations.entries()) {
    if (operation.op !== 'load' && operation.op !== 'store' && operation.op !== 'reduce') continue;
    // Without runs of the code, only reductions over nothing write.
    if (isEmpty && !(operation.op === 'reduce' && isRun(kernel, operation.over))) continue;
    const own = accesses.get(operation.buffer) ?? [];
    accesses.set(operation.buffer, own);
    own.push({
      id,
      kind: operation.op === 'store' && operation.adds ? 'adds' : operation.op,
      index: operation.index,
      changing: (operation.op === 'load' ? undefined : changing[operation.value]) ?? new Set(),
      over: operation.op === 'reduce' ? operation.over : [],
    });
  }
  return new Map([...accesses].filter(([, own]) => own.some(({ kind }) => kind !== 'load')));
}

/** For each operation the counters, of the kernel's loops that run more than once, that its value may change with. */
function changingCounters(kernel: Kernel): readonly ReadonlySet<number>[] {
  const all = new Set(kernel.loops.filter(({ extent }) => extent > 1).map(({ counter }) => counter));
  const writes = new Map<BufferId, OperationId[]>();
  for (const [id, operation] of kernel.operations.entries())
    if (operation.op === 'store' || operation.op === 'reduce')
      writes.set(operation.buffer, [...(writes.get(operation.buffer) ?? []), id]);
  const sets: ReadonlySet<number>[] = [];
  const union = (ids: Iterable<OperationId>): ReadonlySet<number> => {
    const counters = new Set<number>();
    for (const id of ids) for (const counter of sets[id] ?? all) counters.add(counter);
    return counters;
  };
  const ofIndex = (index: Index): ReadonlySet<number> => {
    const { counters, operations } = dependencies(index);
    return new Set([...[...counters].filter((counter) => all.has(counter)), ...union(operations)]);
  };
  const ofLoad = (operation: Extract<Operation, { op: 'load' }>): ReadonlySet<number> => {
    const [first, ...others] = writes.get(operation.buffer) ?? [];
    if (first === undefined) return ofIndex(operation.index);
    // What is loaded from a buffer that the kernel writes may be of any run, but for what this run has just stored.
    const write = kernel.operations[first] as Operation;
    const isOwn =
      others.length === 0 &&
      first < sets.length &&
      write.op === 'store' &&
      !write.adds &&
      indexKey(write.index) === indexKey(operation.index);
    return isOwn ? union([write.value]) : all;
  };
  for (const operation of kernel.operations) sets.push(ofOperation(operation));
  return sets;

  function ofOperation(operation: Operation): ReadonlySet<number> {
    switch (operation.op) {
      case 'index':
        return ofIndex(operation.index);
      case 'load':
        return ofLoad(operation);
      case 'unary':
      case 'cast':
        return union([operation.x]);
      case 'binary':
      case 'compare':
        return union([operation.a, operation.b]);
      case 'select':
        return union([operation.condition, operation.a, operation.b]);
      case 'constant':
      case 'store':
      case 'reduce':
        break;
    }
    return new Set();
  }
}
