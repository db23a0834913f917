import {
  type Atom,
  type Index,
  addIndex,
  counterIndex,
  dependencies,
  indexKey,
  scaleIndex,
  substitute,
} from '../ir/index-expression.ts';
import type { BufferId, Kernel, Loop, Operation, OperationId, Statement } from '../ir/program.ts';
import { KernelBuilder } from '../lower/kernel-builder.ts';
import { type Stretch, accessesOf, conflictOf, widen } from './access.ts';
import { mapBlocks, pointsOf, withOperands } from './rewrite.ts';

/** Most operations of one kernel: beyond this, compilers and register files gain nothing. */
const MOST_OPERATIONS = 6000;
/** Kernels of so few points are put together even where they share nothing: entering a loop costs more than they do. */
const FEW_POINTS = 64;

/**
 * Puts kernels over the same domain together, where what they touch allows it: a value that one writes and another reads at the same
 * point then stays in a register.
 */
export function fuseKernels(block: readonly Statement[]): readonly Statement[] {
  return mapBlocks(block, fuseBlock);
}

function fuseBlock(block: readonly Statement[]): readonly Statement[] {
  const out: (Group | Statement)[] = [];
  for (const statement of block) {
    if (statement.kind !== 'kernel' || statement.ordered.size > 0) {
      out.push(statement);
      continue;
    }
    let at = out.length - 1;
    for (; at >= 0; at -= 1) {
      const earlier = out[at] as Group | Statement;
      if (earlier instanceof Group && earlier.take(statement)) break;
      if (conflictOf(earlier instanceof Group ? earlier.accesses : accessesOf(earlier), accessesOf(statement))) at = 0;
    }
    if (at < 0) out.push(new Group(statement));
  }
  return out.map((item) => (item instanceof Group ? item.kernel() : item));
}

/** A kernel that others are put to. */
class Group {
  readonly accesses: { readonly reads: Map<BufferId, Stretch>; readonly writes: Map<BufferId, Stretch> };
  #loops: readonly Loop[];
  #name: string;
  #builder: KernelBuilder;
  #written = new Map<string, OperationId>();
  #wrote = new Map<BufferId, Set<string>>();
  #read = new Map<BufferId, Set<string>>();

  constructor(kernel: Kernel) {
    const { reads, writes } = accessesOf(kernel);
    this.accesses = { reads: new Map(reads), writes: new Map(writes) };
    this.#loops = kernel.loops;
    this.#name = kernel.name;
    this.#builder = new KernelBuilder(kernel.name);
    this.#append(kernel);
  }

  kernel(): Kernel {
    return { ...this.#builder.finish(this.#loops), name: this.#name };
  }

  /** Whether a later kernel could be put to this one, which it then is: at each point after what is there. */
  take(given: Kernel): boolean {
    const points = pointsOf(given);
    if (pointsOf({ loops: this.#loops }) !== points) return false;
    if (this.#builder.operations.length + given.operations.length > MOST_OPERATIONS) return false;
    const { reads, writes } = accessesOf(given);
    const touches = (buffer: BufferId) => this.accesses.reads.has(buffer) || this.accesses.writes.has(buffer);
    if (points > FEW_POINTS && ![...reads.keys(), ...writes.keys()].some(touches)) return false;
    const common = commonLoops(this.#loops, given.loops);
    if (common === undefined) return false;
    const kernel = onLoops(given, common);
    if (common.length !== this.#loops.length) this.#refine(common);
    if (!this.#mayBeFollowedBy(kernel)) return false;
    if (this.#name !== given.name) this.#name = `${this.#name}, ${given.name}`.slice(0, 60);
    this.#append(kernel);
    for (const [buffer, stretch] of reads) widen(this.accesses.reads, buffer, stretch);
    for (const [buffer, stretch] of writes) widen(this.accesses.writes, buffer, stretch);
    return true;
  }

  /** The same on finer loops. */
  #refine(loops: readonly Loop[]): void {
    const kernel = onLoops(this.kernel(), loops);
    this.#loops = loops;
    this.#builder = new KernelBuilder(kernel.name);
    this.#written = new Map();
    this.#wrote = new Map();
    this.#read = new Map();
    this.#append(kernel);
  }

  #mayBeFollowedBy(kernel: Kernel): boolean {
    const { wrote, read } = placesOf(kernel);
    for (const buffer of wrote.keys()) if (this.#wrote.has(buffer)) return false;
    return covers(this.#wrote, read) && covers(wrote, this.#read);
  }

  /** Adds a kernel's operations; what was just written needn't be read. */
  #append(kernel: Kernel): void {
    append(this.#builder, kernel.operations, this.#written);
    const { wrote, read } = placesOf(kernel);
    for (const [from, into] of [
      [wrote, this.#wrote],
      [read, this.#read],
    ] as const)
      for (const [buffer, keys] of from) {
        const known = into.get(buffer) ?? new Set();
        for (const key of keys) known.add(isElsewhere(key) ? `${ELSEWHERE}${known.size}` : key);
        into.set(buffer, known);
      }
  }
}

/** Loops that both nests can run on: those of one where they are equal, else those of the finer. */
function commonLoops(a: readonly Loop[], b: readonly Loop[]): readonly Loop[] | undefined {
  if (a.length === b.length) return a.every(({ extent }, index) => extent === b[index]?.extent) ? a : undefined;
  const [coarse, fine] = a.length < b.length ? [a, b] : [b, a];
  return grouped(coarse, fine) === undefined ? undefined : fine;
}

/** For each coarse loop the fine ones that make it up. */
function grouped(coarse: readonly Loop[], fine: readonly Loop[]): readonly (readonly Loop[])[] | undefined {
  const groups: Loop[][] = [];
  let next = 0;
  for (const { extent } of coarse) {
    const group: Loop[] = [];
    let product = 1;
    while (product < extent && next < fine.length) {
      const loop = fine[next] as Loop;
      group.push(loop);
      product *= loop.extent;
      next += 1;
    }
    if (product !== extent) return undefined;
    groups.push(group);
  }
  return next === fine.length ? groups : undefined;
}

/** A kernel's operations by the counters of other loops. */
function onLoops(kernel: Kernel, loops: readonly Loop[]): Kernel {
  if (kernel.loops === loops) return kernel;
  const groups = grouped(kernel.loops, loops) ?? [];
  const replaced = new Map<number, Index>();
  const counters = new Map<number, readonly number[]>();
  kernel.loops.forEach(({ counter }, index) => {
    const group = groups[index] ?? [];
    counters.set(
      counter,
      group.map((loop) => loop.counter),
    );
    replaced.set(counter, flatIndex(group));
  });
  const replace = (atom: Atom) => (atom.kind === 'counter' ? replaced.get(atom.counter) : undefined);
  const operations = kernel.operations.map((operation): Operation => {
    const moved = 'index' in operation ? { ...operation, index: substitute(operation.index, replace) } : operation;
    return moved.op === 'reduce'
      ? { ...moved, over: moved.over.flatMap((counter) => counters.get(counter) ?? []) }
      : moved;
  });
  return { ...kernel, loops, operations };
}

function flatIndex(loops: readonly Loop[]): Index {
  return loops.reduce<Index>(
    (flat, { counter, extent }) => addIndex(scaleIndex(flat, extent), counterIndex(counter, extent)),
    { offset: 0, terms: [] },
  );
}

/** Marks a place that other points may touch too. */
const ELSEWHERE = 'elsewhere ';
const isElsewhere = (key: string): boolean => key.startsWith(ELSEWHERE);

type Places = ReadonlyMap<BufferId, ReadonlySet<string>>;

/** The places of each buffer that a point writes and reads. */
function placesOf(kernel: Kernel): { readonly wrote: Places; readonly read: Places } {
  const counters = new Set(kernel.loops.map(({ counter }) => counter));
  const wrote = new Map<BufferId, Set<string>>();
  const read = new Map<BufferId, Set<string>>();
  const note = (into: Map<BufferId, Set<string>>, buffer: BufferId, key: string | undefined): void => {
    const keys = into.get(buffer) ?? new Set();
    keys.add(key ?? `${ELSEWHERE}${keys.size}`);
    into.set(buffer, keys);
  };
  for (const operation of kernel.operations) {
    if (!('buffer' in operation)) continue;
    const { op, buffer, index } = operation;
    const key = op !== 'reduce' && isPointwise(index, counters) ? indexKey(index) : undefined;
    if (op === 'load') note(read, buffer, key);
    else note(wrote, buffer, op === 'store' && operation.adds ? undefined : key);
  }
  return { wrote, read };
}

/** Whether every place that one side touches is one that the other writes at the same point, and at no other. */
function covers(wrote: Places, touched: Places): boolean {
  for (const [buffer, keys] of wrote) {
    const others = touched.get(buffer);
    if (others === undefined) continue;
    if ([...keys].some(isElsewhere) || ![...others].every((key) => keys.has(key))) return false;
  }
  return true;
}

/** Whether different points of a nest have different places by this index. */
function isPointwise(index: Index, counters: ReadonlySet<number>): boolean {
  const { counters: used, operations } = dependencies(index);
  if (operations.size > 0) return false;
  for (const counter of counters) if (!used.has(counter)) return false;
  return true;
}

/** Adds a kernel's operations to another's; what was just written needn't be read. */
function append(builder: KernelBuilder, operations: readonly Operation[], written: Map<string, OperationId>): void {
  const ids: OperationId[] = [];
  const computed = (atom: Atom): Index | undefined =>
    atom.kind === 'computed'
      ? { offset: 0, terms: [{ atom: { kind: 'computed', operation: ids[atom.operation] as OperationId }, factor: 1 }] }
      : undefined;
  for (const operation of operations) {
    const moved = withOperands(operation, (id) => ids[id] as OperationId);
    const own =
      'index' in moved && dependencies(moved.index).operations.size > 0
        ? { ...moved, index: substitute(moved.index, computed) }
        : moved;
    const place = own.op === 'load' || own.op === 'store' ? `${own.buffer} ${indexKey(own.index)}` : '';
    const known = own.op === 'load' ? written.get(place) : undefined;
    if (known !== undefined) ids.push(known);
    else {
      ids.push(builder.add(own));
      if (own.op === 'store' && !own.adds) written.set(place, own.value);
    }
  }
}
