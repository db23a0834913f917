import { type Graph, type Node, type ValueId, type ValueType, sizeOf } from '../../../graph/graph.ts';
import {
  type Index,
  ZERO,
  addIndex,
  constantIndex,
  counterIndex,
  dependencies,
  indexKey,
  scaleIndex,
} from '../ir/index-expression.ts';
import type { Combination, ContractionAxis, OperationId, Place, Statement } from '../ir/program.ts';
import { COMBINATIONS } from '../ir/scalar-functions.ts';
import type { ProgramParts } from './buffers.ts';
import { type PullContext, clampedIndex, freeAxes, pullNode } from './pull-rules.ts';
import { storedValues } from './stored-values.ts';
import { type Body, type Source, makeKernel } from './trial.ts';
import {
  type View,
  broadcastView,
  placeIn,
  reshapeView,
  reverseView,
  rowOfView,
  sliceView,
  transposeView,
  wholeView,
} from './view.ts';

/** Lowers one graph, or one body of a graph, to statements in order. */
export class Region implements Source {
  readonly statements: Statement[] = [];
  readonly #parts: ProgramParts;
  readonly #graph: Graph;
  readonly #views = new Map<ValueId, View>();
  readonly #makers = new Map<ValueId, Node>();
  readonly #stored: ReadonlySet<ValueId>;

  /** @param inputs where the graph's inputs are. */
  constructor(parts: ProgramParts, graph: Graph, inputs: readonly View[]) {
    this.#parts = parts;
    this.#graph = graph;
    graph.inputs.forEach(({ value }, index) => this.#views.set(value, inputs[index] as View));
    for (const node of graph.nodes) for (const id of node.outputs) this.#makers.set(id, node);
    this.#stored = storedValues(graph);
    // In the graph's order, so that a value is seldom asked for before its inputs are there.
    for (const node of graph.nodes) for (const id of node.outputs) if (this.#stored.has(id)) this.store(id);
  }

  type(value: ValueId): ValueType {
    return this.#graph.values[value] as ValueType;
  }

  view(value: ValueId): View | undefined {
    return this.#views.get(value);
  }

  isStored(value: ValueId): boolean {
    return this.#stored.has(value);
  }

  maker(value: ValueId): Node | undefined {
    return this.#makers.get(value);
  }

  pullNode(
    context: Parameters<Source['pullNode']>[0],
    node: Node,
    at: { output: ValueId; indices: readonly Index[] },
  ): OperationId {
    return pullNode(context, this.#graph, node, at);
  }

  /** Puts a value into memory, if it isn't there. */
  store(value: ValueId): void {
    if (this.#views.has(value)) return;
    const node = this.#makers.get(value);
    if (node === undefined)
      throw new RangeError(`Cannot lower ${this.#graph.name}: expected a maker of value ${value}`);
    STATEMENTS[node.op]?.(this, node, value);
    if (!this.#views.has(value)) this.#storeMap(node, value);
  }

  /** Where a value is in memory; it is put there if need be, but for what another layout of memory gives. */
  located(value: ValueId): View {
    const known = this.#views.get(value);
    if (known !== undefined) return known;
    const node = this.#makers.get(value);
    const view = node === undefined || this.#stored.has(value) ? undefined : this.#relaid(node, value);
    if (view !== undefined) {
      this.#views.set(value, view);
      return view;
    }
    this.store(value);
    return this.#views.get(value) as View;
  }

  /** A view of what a layout primitive gives, over its input's memory. */
  #relaid(node: Node, value: ValueId): View | undefined {
    const relay: Relay | undefined = RELAYS[node.op];
    const [input] = node.inputs;
    if (relay === undefined || input === undefined || sizeOf(this.type(value).shape) === 0) return undefined;
    return relay(this.located(input), node);
  }

  define(value: ValueId, view: View): void {
    this.#views.set(value, view);
  }

  /** New memory for a value, row by row. */
  allocate(value: ValueId, name: string): View {
    const { shape, dtype } = this.type(value);
    const view = wholeView(this.#parts.local(name, dtype, sizeOf(shape)), shape);
    this.define(value, view);
    return view;
  }

  kernel(options: {
    name: string;
    domain: readonly number[];
    alone?: ValueId;
    ordered?: readonly number[];
    body: Body;
  }): void {
    if (sizeOf(options.domain) === 0) return;
    this.statements.push(makeKernel(this.#parts, this, options));
  }

  get parts(): ProgramParts {
    return this.#parts;
  }

  /** Computes every element of a value into its place in memory. */
  #storeMap(node: Node, value: ValueId): void {
    const { dtype, shape } = this.type(value);
    if (node.op === 'constant') {
      const { data } = node.attrs;
      const buffer = this.#parts.constant('constant', dtype, data, data.length === 1 ? 1 : sizeOf(shape));
      const view = wholeView(buffer, shape);
      this.define(value, data.length === 1 ? { ...view, strides: shape.map(() => 0) } : view);
      return;
    }
    const name = nameOf(node);
    const buffer = this.#parts.local(name, dtype, sizeOf(shape));
    const view = wholeView(buffer, shape);
    if (node.op === 'concat') {
      let start = 0;
      for (const input of node.inputs) {
        const part = this.type(input).shape;
        this.copy(
          input,
          sliceView(view, {
            begin: shape.map((_, axis) => (axis === node.attrs.axis ? start : 0)),
            size: part,
            strides: shape.map(() => 1),
          }),
          name,
        );
        start += part[node.attrs.axis] as number;
      }
    } else if (node.op === 'pad') {
      const [input] = node.inputs as readonly [ValueId];
      const { before, value: fill } = node.attrs;
      this.fill(view, { value: fill, dtype, name });
      this.copy(
        input,
        sliceView(view, { begin: before, size: this.type(input).shape, strides: shape.map(() => 1) }),
        name,
      );
    } else this.#write({ name, to: view, alone: value, element: (context, indices) => context.pull(value, indices) });
    this.define(value, view);
  }

  fill(to: View, { value, dtype, name }: { value: number; dtype: ValueType['dtype']; name: string }): void {
    this.#write({ name, to, element: (context) => context.add({ op: 'constant', dtype, value }) });
  }

  /** Computes every element of a value into given memory. */
  copy(value: ValueId, to: View, name: string): void {
    this.#write({ name, to, element: (context, indices) => context.pull(value, indices) });
  }

  /** Copies memory. */
  move(from: View, to: View): void {
    this.#write({
      name: 'move',
      to,
      element: (context, indices) => context.add({ op: 'load', buffer: from.buffer, index: placeIn(from, indices) }),
    });
  }

  #write({ name, to, alone, element }: { name: string; to: View; alone?: ValueId; element: Element }): void {
    this.kernel({
      name,
      domain: to.shape,
      ...(alone === undefined ? {} : { alone }),
      body: (context, points) => {
        for (const indices of points) {
          const value = element(context, indices);
          context.add({ op: 'store', buffer: to.buffer, index: placeIn(to, indices), value, adds: false });
        }
      },
    });
  }
}

/** How one element is computed. */
type Element = (context: PullContext, indices: readonly Index[]) => OperationId;

const nameOf = (node: Node): string => {
  if (node.op === 'unary' || node.op === 'binary' || node.op === 'compare' || node.op === 'reduce')
    return node.attrs.fn;
  return node.op;
};

/** What a layout primitive makes of a view; undefined where no strides say it. */
type Relay = (view: View, node: Node) => View | undefined;

const RELAYS: { readonly [O in Node['op']]?: Relay } = {
  reshape: (view, node) => reshapeView(view, (node as Node<'reshape'>).attrs.shape),
  transpose: (view, node) => transposeView(view, (node as Node<'transpose'>).attrs.perm),
  slice: (view, node) => sliceView(view, (node as Node<'slice'>).attrs),
  reverse: (view, node) => reverseView(view, (node as Node<'reverse'>).attrs.axes),
  broadcast: (view, node) => broadcastView(view, (node as Node<'broadcast'>).attrs.shape),
  stopGradient: (view) => view,
};

type StatementRule = (region: Region, node: Node, value: ValueId) => void;

/** Primitives that are statements of their own when they are put into memory. A rule that leaves the value undefined asks for a map. */
const STATEMENTS: { readonly [O in Node['op']]?: StatementRule } = {
  reduce: (region, node, value) => storeReduction(region, node as Node<'reduce'>, value),
  contract: (region, node, value) => storeContraction(region, node as Node<'contract'>, value),
  argReduce: (region, node, value) => storeArgReduction(region, node as Node<'argReduce'>, value),
  scatterAdd: (region, node, value) => storeScatter(region, node as Node<'scatterAdd'>, value),
  cumulative: (region, node, value) => storeCumulative(region, node as Node<'cumulative'>, value),
  scan: (region, node) => storeScan(region, node as Node<'scan'>),
  cond: (region, node) => storeCond(region, node as Node<'cond'>),
};

function storeReduction(region: Region, node: Node<'reduce'>, value: ValueId): void {
  const [input] = node.inputs as readonly [ValueId];
  const { fn, axes, keepDims } = node.attrs;
  const type = region.type(input);
  const view = region.allocate(value, fn);
  const length = sizeOf(axes.map((axis) => type.shape[axis] as number));
  if (length === 0) {
    region.fill(view, {
      value: fn === 'mean' ? Number.NaN : COMBINATIONS[fn].identity(type.dtype),
      dtype: type.dtype,
      name: fn,
    });
    return;
  }
  const combination: Combination = fn === 'mean' ? 'sum' : fn;
  reduceInto(region, {
    name: fn,
    domain: type.shape,
    axes,
    fn: combination,
    divisor: fn === 'mean' ? length : 1,
    at: (indices) =>
      placeIn(
        view,
        keepDims
          ? indices.map((index, axis) => (axes.includes(axis) ? ZERO : index))
          : indices.filter((_, axis) => !axes.includes(axis)),
      ),
    buffer: view.buffer,
    element: (context, indices) => context.pull(input, indices),
  });
}

/** A reduction over some axes of a domain. Those of extent 1, and those that were written out, are combined in the code. */
function reduceInto(
  region: Region,
  options: {
    readonly name: string;
    readonly domain: readonly number[];
    readonly axes: readonly number[];
    readonly fn: Combination;
    readonly divisor: number;
    readonly at: (indices: readonly Index[]) => Index;
    readonly buffer: number;
    readonly element: (context: Parameters<Body>[0], indices: readonly Index[]) => OperationId;
  },
): void {
  const { name, domain, axes, fn, divisor, at, buffer, element } = options;
  region.kernel({
    name,
    domain,
    body: (context, points) => {
      // Points that were written out and fall on one place are combined before the loops combine the rest.
      const places = new Map<string, { readonly index: Index; readonly over: readonly number[]; value: OperationId }>();
      for (const indices of points) {
        const value = element(context, indices);
        const index = at(indices);
        const known = places.get(indexKey(index));
        const over = axes.flatMap((axis) => Array.from(dependencies(indices[axis] as Index).counters));
        if (known === undefined) places.set(indexKey(index), { index, over, value });
        else known.value = context.add({ op: 'binary', fn: COMBINATIONS[fn].fn, a: known.value, b: value });
      }
      for (const { index, over, value } of places.values())
        context.add({ op: 'reduce', fn, value, over, buffer, index, divisor });
    },
  });
}

function storeContraction(region: Region, node: Node<'contract'>, value: ValueId): void {
  // One that is written out is a map.
  if (!region.isStored(value)) return;
  const { leftBatch, rightBatch, leftContract, rightContract } = node.attrs;
  const [left, right] = node.inputs.map((id) => region.located(id)) as [View, View];
  const out = region.allocate(value, 'contract');
  if (sizeOf(out.shape) === 0) return;
  const leftFree = freeAxes(left, [...leftBatch, ...leftContract]);
  const rightFree = freeAxes(right, [...rightBatch, ...rightContract]);
  const stride = (view: View, axis: number): number => view.strides[axis] as number;
  const axes: ContractionAxis[] = [
    ...leftBatch.map((axis, index) => ({
      role: 'batch' as const,
      extent: left.shape[axis] as number,
      left: stride(left, axis),
      right: stride(right, rightBatch[index] as number),
      out: stride(out, index),
    })),
    ...leftFree.map((axis, index) => ({
      role: 'row' as const,
      extent: left.shape[axis] as number,
      left: stride(left, axis),
      right: 0,
      out: stride(out, leftBatch.length + index),
    })),
    ...rightFree.map((axis, index) => ({
      role: 'column' as const,
      extent: right.shape[axis] as number,
      left: 0,
      right: stride(right, axis),
      out: stride(out, leftBatch.length + leftFree.length + index),
    })),
    ...leftContract.map((axis, index) => ({
      role: 'inner' as const,
      extent: left.shape[axis] as number,
      left: stride(left, axis),
      right: stride(right, rightContract[index] as number),
      out: 0,
    })),
  ];
  if (axes.some(({ extent }) => extent === 0)) {
    region.fill(out, { value: 0, dtype: 'float32', name: 'contract' });
    return;
  }
  const place = ({ buffer, offset }: View): Place => ({ buffer, index: offset });
  region.statements.push({
    kind: 'contraction',
    name: 'contract',
    axes: axes.filter(({ extent }) => extent > 1),
    left: place(left),
    right: place(right),
    out: place(out),
  });
}

/** The place of the first of the largest or smallest: found by its value, then by where that is. A NaN that comes first is found, others never are. */
function storeArgReduction(region: Region, node: Node<'argReduce'>, value: ValueId): void {
  const [input] = node.inputs as readonly [ValueId];
  const { fn, axis } = node.attrs;
  const { shape, dtype } = region.type(input);
  const kept = shape.filter((_, other) => other !== axis);
  const size = shape[axis] as number;
  const out = region.allocate(value, `arg ${fn}`);
  if (sizeOf(out.shape) === 0) return;
  const numbers = dtype === 'bool' ? 'int32' : dtype;
  const best = wholeView(region.parts.local(fn, numbers, sizeOf(kept)), kept);
  const worst = fn === 'max' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const others = (indices: readonly Index[]) => indices.filter((_, other) => other !== axis);
  const element: Element = (context, indices) => {
    const x = context.pull(input, indices);
    return dtype === 'bool' ? context.add({ op: 'cast', dtype: 'int32', x }) : x;
  };
  /** NaN is never better than anything. */
  const comparable: Element = (context, indices) => {
    const x = element(context, indices);
    if (dtype !== 'float32') return x;
    const condition = context.add({ op: 'unary', fn: 'isNan', x });
    const a = context.add({ op: 'constant', dtype: 'float32', value: worst });
    return context.add({ op: 'select', condition, a, b: x });
  };
  reduceInto(region, {
    name: fn,
    domain: shape,
    axes: [axis],
    fn,
    divisor: 1,
    at: (indices) => placeIn(best, others(indices)),
    buffer: best.buffer,
    element: comparable,
  });
  const first = wholeView(region.parts.local(`first ${fn}`, 'int32', sizeOf(kept)), kept);
  reduceInto(region, {
    name: `arg ${fn}`,
    domain: shape,
    axes: [axis],
    fn: 'min',
    divisor: 1,
    at: (indices) => placeIn(first, others(indices)),
    buffer: first.buffer,
    element: (context, indices) => {
      const a = comparable(context, indices);
      const b = context.add({ op: 'load', buffer: best.buffer, index: placeIn(best, others(indices)) });
      const condition = context.add({ op: 'compare', fn: 'equal', a, b });
      const here = context.add({ op: 'index', index: indices[axis] as Index });
      const none = context.add({ op: 'constant', dtype: 'int32', value: size - 1 });
      return context.add({ op: 'select', condition, a: here, b: none });
    },
  });
  region.kernel({
    name: `arg ${fn}`,
    domain: kept,
    body: (context, points) => {
      for (const indices of points) {
        const found = context.add({ op: 'load', buffer: first.buffer, index: placeIn(first, indices) });
        let result = found;
        if (dtype === 'float32') {
          const x = context.pull(input, indices.toSpliced(axis, 0, ZERO));
          const condition = context.add({ op: 'unary', fn: 'isNan', x });
          const a = context.add({ op: 'constant', dtype: 'int32', value: 0 });
          result = context.add({ op: 'select', condition, a, b: found });
        }
        context.add({ op: 'store', buffer: out.buffer, index: placeIn(out, indices), value: result, adds: false });
      }
    },
  });
}

function storeScatter(region: Region, node: Node<'scatterAdd'>, value: ValueId): void {
  const [positions, updates] = node.inputs as readonly [ValueId, ValueId];
  const { axis, batchDims, size } = node.attrs;
  const { dtype } = region.type(value);
  const out = region.allocate(value, 'scatterAdd');
  region.fill(out, { value: 0, dtype, name: 'scatterAdd' });
  const extra = region.type(positions).shape.length - batchDims;
  const domain = region.type(updates).shape;
  // Which elements meet in one place isn't known: they are added one after the other.
  region.kernel({
    name: 'scatterAdd',
    domain,
    ordered: domain.map((_, index) => index),
    body: (context, points) => {
      for (const indices of points) {
        const position = context.pull(positions, [
          ...indices.slice(0, batchDims),
          ...indices.slice(axis, axis + extra),
        ]);
        const at = clampedIndex(context, position, size);
        const update = context.pull(updates, indices);
        const index = placeIn(out, [...indices.slice(0, axis), at, ...indices.slice(axis + extra)]);
        context.add({ op: 'store', buffer: out.buffer, index, value: update, adds: true });
      }
    },
  });
}

function storeCumulative(region: Region, node: Node<'cumulative'>, value: ValueId): void {
  const [input] = node.inputs as readonly [ValueId];
  const { fn, axis, exclusive, reverse } = node.attrs;
  const { shape, dtype } = region.type(value);
  const size = shape[axis] as number;
  const out = region.allocate(value, `cumulative ${fn}`);
  if (sizeOf(shape) === 0) return;
  const write = (context: PullContext, indices: readonly Index[], element: OperationId) =>
    context.add({ op: 'store', buffer: out.buffer, index: placeIn(out, indices), value: element, adds: false });
  const first = constantIndex(reverse ? size - 1 : 0);
  region.kernel({
    name: `cumulative ${fn}`,
    domain: shape.with(axis, 1),
    body: (context, points) => {
      for (const point of points) {
        const indices = point.with(axis, first);
        const start = exclusive
          ? context.add({ op: 'constant', dtype, value: COMBINATIONS[fn].identity(dtype) })
          : context.pull(input, indices);
        write(context, indices, start);
      }
    },
  });
  if (size === 1) return;
  region.kernel({
    name: `cumulative ${fn}`,
    domain: shape.with(axis, size - 1),
    ordered: [axis],
    body: (context, points) => {
      for (const point of points) {
        const round = point[axis] as Index;
        const here = reverse
          ? addIndex(constantIndex(size - 2), scaleIndex(round, -1))
          : addIndex(round, constantIndex(1));
        const before = addIndex(here, constantIndex(reverse ? 1 : -1));
        const indices = point.with(axis, here);
        const a = context.add({ op: 'load', buffer: out.buffer, index: placeIn(out, point.with(axis, before)) });
        const b = context.pull(input, exclusive ? point.with(axis, before) : indices);
        write(context, indices, context.add({ op: 'binary', fn: COMBINATIONS[fn].fn, a, b }));
      }
    },
  });
}

function storeScan(region: Region, node: Node<'scan'>): void {
  const { body, length, carries, sequences } = node.attrs;
  const { parts } = region;
  const name = body.name;
  const carried = node.inputs.slice(0, carries).map((id, index) => {
    const { shape, dtype } = region.type(id);
    const view = wholeView(parts.local(body.inputs[index]?.name ?? name, dtype, sizeOf(shape)), shape);
    region.copy(id, view, 'carry');
    return view;
  });
  const counter = parts.counter();
  const round = counterIndex(counter, length);
  const slices = node.inputs.slice(carries, carries + sequences).map((id) => rowOfView(region.located(id), round));
  const captured = node.inputs.slice(carries + sequences).map((id) => region.located(id));
  const stacked = node.outputs.slice(carries).map((id) => region.allocate(id, body.outputs[carries]?.name ?? name));
  if (length > 0) {
    const inner = new Region(parts, body, [...carried, ...slices, ...captured]);
    stacked.forEach((view, index) =>
      inner.copy(body.outputs[carries + index]?.value as ValueId, rowOfView(view, round), 'stack'),
    );
    // All next carries are in memory of their own before any takes its place: one may be made of another's old value.
    const next = body.outputs.slice(0, carries).map(({ value }) => value);
    const moves = next.flatMap((value, index) => {
      const to = carried[index] as View;
      const from = inner.located(value);
      return from.buffer === to.buffer && isWhole(from, to) ? [] : [{ value, to }];
    });
    const buffers = new Set(carried.map(({ buffer }) => buffer));
    const kept = moves.map(({ value, to }) => {
      const from = inner.located(value);
      if (!buffers.has(from.buffer)) return { from, to };
      const own = wholeView(
        parts.local('carry', region.parts.buffers[to.buffer]?.dtype ?? 'float32', sizeOf(to.shape)),
        to.shape,
      );
      inner.copy(value, own, 'carry');
      return { from: own, to };
    });
    for (const { from, to } of kept) inner.move(from, to);
    region.statements.push({ kind: 'repeat', name, loop: { counter, extent: length }, body: inner.statements });
  }
  node.outputs.slice(0, carries).forEach((id, index) => region.define(id, carried[index] as View));
}

/** Whether a view is just that other one. */
function isWhole(a: View, b: View): boolean {
  return indexKey(a.offset) === indexKey(b.offset) && a.strides.join() === b.strides.join();
}

function storeCond(region: Region, node: Node<'cond'>): void {
  const [predicate, ...operands] = node.inputs as readonly [ValueId, ...ValueId[]];
  const { then, otherwise } = node.attrs;
  const condition = region.located(predicate);
  const given = operands.map((id) => region.located(id));
  const outputs = node.outputs.map((id) => region.allocate(id, 'cond'));
  const branch = (body: Graph) => {
    const inner = new Region(region.parts, body, given);
    outputs.forEach((view, index) => inner.copy(body.outputs[index]?.value as ValueId, view, 'cond'));
    return inner.statements;
  };
  region.statements.push({
    kind: 'branch',
    name: then.name,
    condition: { buffer: condition.buffer, index: condition.offset },
    then: branch(then),
    otherwise: branch(otherwise),
  });
}
