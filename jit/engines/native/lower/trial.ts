import { type Node, type ValueId, type ValueType } from '../../../graph/graph.ts';
import { type Index, addIndex, constantIndex, counterIndex, indexKey, scaleIndex } from '../ir/index-expression.ts';
import type { Kernel, Loop, OperationId } from '../ir/program.ts';
import type { ProgramParts } from './buffers.ts';
import { type Demand, DemandSignal, demand } from './demand.ts';
import { KernelBuilder } from './kernel-builder.ts';
import { LONGEST_UNROLLED, type PullContext, combinations, splitOf } from './pull-rules.ts';
import { type View, placeIn } from './view.ts';

/** How a kernel under trial runs along one axis of its domain. */
type Axis =
  | { readonly kind: 'loop'; readonly extent: number; readonly counter: number }
  | { readonly kind: 'unrolled'; readonly extent: number }
  | { readonly kind: 'split'; readonly extent: number; readonly by: number; readonly high: Axis; readonly low: Axis };

/** What pulls read from. */
export interface Source {
  type(value: ValueId): ValueType;
  /** Where a value is in memory, if it is. */
  view(value: ValueId): View | undefined;
  /** Whether a value is to be in memory before anything uses it. */
  isStored(value: ValueId): boolean;
  maker(value: ValueId): Node | undefined;
  /** An element of what a node makes, by its pull rule. */
  pullNode(context: PullContext, node: Node, at: { output: ValueId; indices: readonly Index[] }): OperationId;
  /** Puts a value into memory. */
  store(value: ValueId): void;
}

/** What a kernel does at the points of its domain: one with the loops' counters, or, where axes are written out, one for each of their indices. */
export type Body = (context: PullContext, points: readonly (readonly Index[])[]) => void;

const MOST_TRIES = 200;

/**
 * Makes a kernel over a domain. The code for one point is tried; what stands in its way (a value that must be in memory, a loop that
 * must be written out or fall in two) is dealt with, and it is tried again.
 * @param domain extents of the axes.
 * @param alone a value that is computed here though it is one of those that are stored.
 */
export function makeKernel(
  parts: ProgramParts,
  source: Source,
  {
    name,
    domain,
    alone,
    body,
    ordered = [],
  }: { name: string; domain: readonly number[]; alone?: ValueId; body: Body; ordered?: readonly number[] },
): Kernel {
  let axes: readonly Axis[] = domain.map((extent): Axis => ({ kind: 'loop', extent, counter: parts.counter() }));
  let shortAxesDone = false;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const trial = new Trial(source, { name, axes, alone });
    try {
      body(trial, [...pointsOf(axes)]);
      if (trial.wroteOut && !shortAxesDone) {
        shortAxesDone = true;
        const short = shortAxes(axes, ordered);
        if (short.length > 0) {
          axes = axes.map((axis, index) => (short.includes(index) ? { kind: 'unrolled', extent: axis.extent } : axis));
          continue;
        }
      }
      const loops = axes.flatMap(loopsOf).filter(({ extent }) => extent > 1);
      const orderedCounters = ordered.flatMap((axis) =>
        loopsOf(axes[axis] as Axis).flatMap(({ counter, extent }) => (extent > 1 ? [counter] : [])),
      );
      return trial.builder.finish(loops, new Set(orderedCounters));
    } catch (signal) {
      if (!(signal instanceof DemandSignal)) throw signal;
      axes = meet(signal.demand, { parts, source, axes });
    }
  }
  throw new RangeError(`Cannot make a kernel for ${name}: expected to be done in ${MOST_TRIES} tries`);
}

/** Where sums over short axes are written out, other short axes are too: so that they are computed once for all of them. */
function shortAxes(axes: readonly Axis[], ordered: readonly number[]): readonly number[] {
  const longest = Math.max(...axes.map(({ extent }) => extent));
  return axes.flatMap((axis, index) =>
    axis.kind === 'loop' && axis.extent > 1 && axis.extent <= 16 && axis.extent < longest && !ordered.includes(index)
      ? [index]
      : [],
  );
}

function meet(
  what: Demand,
  { parts, source, axes }: { parts: ProgramParts; source: Source; axes: readonly Axis[] },
): readonly Axis[] {
  if (what.kind === 'store') {
    source.store(what.value);
    return axes;
  }
  return axes.map((axis) => changed(axis, what, parts));
}

function changed(axis: Axis, what: Exclude<Demand, { kind: 'store' }>, parts: ProgramParts): Axis {
  if (axis.kind === 'unrolled') return axis;
  if (axis.kind === 'split')
    return { ...axis, high: changed(axis.high, what, parts), low: changed(axis.low, what, parts) };
  if (axis.counter !== what.counter) return axis;
  if (what.kind === 'unroll') return { kind: 'unrolled', extent: axis.extent };
  const loop = (extent: number): Axis => ({ kind: 'loop', extent, counter: parts.counter() });
  return { kind: 'split', extent: axis.extent, by: what.by, high: loop(axis.extent / what.by), low: loop(what.by) };
}

/** The loops of an axis, outermost first. */
export function loopsOf(axis: Axis): readonly Loop[] {
  if (axis.kind === 'loop') return [{ counter: axis.counter, extent: axis.extent }];
  return axis.kind === 'split' ? [...loopsOf(axis.high), ...loopsOf(axis.low)] : [];
}

/** The indices of the points that are written out: all loops stand for themselves. */
function* pointsOf(axes: readonly Axis[]): Generator<readonly Index[]> {
  const choices = axes.map(indicesOf);
  for (const at of combinations(choices.map((list) => list.length)))
    yield at.map((choice, axis) => choices[axis]?.[choice] as Index);
}

function indicesOf(axis: Axis): readonly Index[] {
  if (axis.kind === 'loop') return [counterIndex(axis.counter, axis.extent)];
  if (axis.kind === 'unrolled') return Array.from({ length: axis.extent }, (_, index) => constantIndex(index));
  const { high, low, by } = axis;
  return indicesOf(high).flatMap((h) => indicesOf(low).map((l) => addIndex(scaleIndex(h, by), l)));
}

/** One try. */
class Trial implements PullContext {
  readonly builder: KernelBuilder;
  /** Whether sums over a short axis, one for each round of a loop, were written out. */
  wroteOut = false;
  readonly #source: Source;
  readonly #alone: ValueId | undefined;
  readonly #memo = new Map<string, OperationId>();
  readonly #counters = new Map<number, number>();

  constructor(
    source: Source,
    { name, axes, alone }: { name: string; axes: readonly Axis[]; alone: ValueId | undefined },
  ) {
    this.#source = source;
    this.#alone = alone;
    this.builder = new KernelBuilder(name);
    for (const { counter, extent } of axes.flatMap(loopsOf)) this.#counters.set(counter, extent);
  }

  type(value: ValueId): ValueType {
    return this.#source.type(value);
  }

  add(operation: Parameters<KernelBuilder['add']>[0]): OperationId {
    return this.builder.add(operation);
  }

  operation(id: OperationId): ReturnType<KernelBuilder['operation']> {
    return this.builder.operation(id);
  }

  unrollable({ offset, terms: [term, ...others] }: Index): number | undefined {
    if (term === undefined || others.length > 0 || offset !== 0 || term.factor !== 1) return undefined;
    const { atom } = term;
    return atom.kind === 'counter' && this.#counters.has(atom.counter) && atom.extent <= LONGEST_UNROLLED
      ? atom.counter
      : undefined;
  }

  pull(value: ValueId, indices: readonly Index[]): OperationId {
    const key = `${value}@${indices.map(indexKey).join()}`;
    const known = this.#memo.get(key);
    if (known !== undefined) return known;
    for (const index of indices) {
      const split = splitOf(index);
      if (split !== undefined && this.#counters.has(split.counter)) demand({ kind: 'split', ...split });
    }
    const made = this.#made(value, indices);
    this.#memo.set(key, made);
    return made;
  }

  #made(value: ValueId, indices: readonly Index[]): OperationId {
    const view = this.#source.view(value);
    if (view !== undefined) return this.add({ op: 'load', buffer: view.buffer, index: placeIn(view, indices) });
    const node = this.#source.maker(value);
    if (node === undefined) throw new RangeError(`Cannot lower value ${value}: expected a node or memory that has it`);
    if (value !== this.#alone && this.#source.isStored(value)) return demand({ kind: 'store', value });
    if (node.op === 'reduce' && indices.some(({ terms }) => terms.length > 0)) this.wroteOut = true;
    return this.#source.pullNode(this, node, { output: value, indices });
  }
}
