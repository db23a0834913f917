import type { Attributes, DType, Graph, Op, ValueId, ValueType } from '../../../graph/graph.ts';
import { sizeOf } from '../../../graph/graph.ts';
import {
  type Index,
  type Term,
  ZERO,
  addIndex,
  asConstant,
  computedIndex,
  constantIndex,
  dependencies,
  dotIndex,
  indexRange,
  rowMajorStrides,
  scaleIndex,
  unflatten,
} from '../ir/index-expression.ts';
import type { Operation, OperationId } from '../ir/program.ts';
import { COMBINATIONS } from '../ir/scalar-functions.ts';
import { demand } from './demand.ts';

/** What a pull rule works with: it says how one element of a value is computed. */
export interface PullContext {
  type(value: ValueId): ValueType;
  /** One element of a value. */
  pull(value: ValueId, indices: readonly Index[]): OperationId;
  add(operation: Operation): OperationId;
  operation(id: OperationId): Operation;
  /** A loop that runs over this index alone and can become straight-line code. */
  unrollable(index: Index): number | undefined;
}

/** One application of a primitive, seen from one of its outputs. */
export interface Pulled<O extends Op> {
  readonly attrs: Attributes[O];
  readonly inputs: readonly ValueId[];
  readonly output: ValueId;
  readonly type: ValueType;
  readonly indices: readonly Index[];
}

/** How an element of a primitive's output is computed from elements of its inputs. */
export type PullRule<O extends Op> = (context: PullContext, node: Pulled<O>) => OperationId;

/** Primitives whose outputs are made by statements of their own. */
export type StoredOp = 'argReduce' | 'scatterAdd' | 'cumulative' | 'scan' | 'cond' | 'call' | 'customGradient';

const input = (inputs: readonly ValueId[], index = 0): ValueId => inputs[index] as ValueId;
const extents = ({ shape }: ValueType, axes: readonly number[]): number[] => axes.map((axis) => shape[axis] as number);
const extent = ({ shape }: ValueType, axis: number): number => shape[axis] as number;

/** Elements of an operand that broadcasts to the output. */
function pullBroadcast(context: PullContext, value: ValueId, indices: readonly Index[]): OperationId {
  const { shape } = context.type(value);
  const own = indices.slice(indices.length - shape.length);
  return context.pull(
    value,
    own.map((index, axis) => (shape[axis] === 1 ? ZERO : index)),
  );
}

const constant = (context: PullContext, value: number, dtype: DType): OperationId =>
  context.add({ op: 'constant', dtype, value });

/** An int32 element as an index from 0 to extent - 1: what is outside is taken to the nearest inside, so that no access leaves its buffer. */
export function clampedIndex(context: PullContext, id: OperationId, size: number): Index {
  const operation = context.operation(id);
  const inside = (value: number) => Math.min(Math.max(value, 0), size - 1);
  if (operation.op === 'constant') return constantIndex(inside(operation.value));
  if (operation.op === 'index') {
    const { min, max } = indexRange(operation.index);
    if (min >= 0 && max < size) return operation.index;
  }
  const low = context.add({ op: 'binary', fn: 'max', a: id, b: constant(context, 0, 'int32') });
  return computedIndex(context.add({ op: 'binary', fn: 'min', a: low, b: constant(context, size - 1, 'int32') }));
}

/** An index as an int32 element: by an operation of its own where loops alone make it, else by arithmetic on what was computed. */
function indexValue(context: PullContext, index: Index): OperationId {
  if (dependencies(index).operations.size === 0) return context.add({ op: 'index', index });
  const term = ({ atom, factor }: Term): OperationId => {
    let value: OperationId;
    if (atom.kind === 'computed') value = atom.operation;
    else if (atom.kind === 'counter') value = indexValue(context, { offset: 0, terms: [{ atom, factor: 1 }] });
    else {
      const fn = atom.kind === 'quotient' ? 'floorDiv' : 'mod';
      const b = constant(context, atom.by, 'int32');
      value = context.add({ op: 'binary', fn, a: indexValue(context, atom.of), b });
    }
    if (factor === 1) return value;
    return context.add({ op: 'binary', fn: 'mul', a: value, b: constant(context, factor, 'int32') });
  };
  return index.terms.reduce<OperationId>(
    (sum, next) => context.add({ op: 'binary', fn: 'add', a: sum, b: term(next) }),
    constant(context, index.offset, 'int32'),
  );
}

/** Every combination of indices along axes of these extents. */
export function* combinations(extents: readonly number[]): Generator<readonly number[]> {
  const [first, ...rest] = extents;
  if (first === undefined) yield [];
  else for (let index = 0; index < first; index += 1) for (const tail of combinations(rest)) yield [index, ...tail];
}

/** Asks for straight-line code where an index along a short axis is a loop: what is summed for each is then shared between them. */
function wantUnrolled(context: PullContext, indices: readonly Index[], longest: number): void {
  for (const index of indices) {
    const counter = context.unrollable(index);
    const { max } = indexRange(index);
    if (counter !== undefined && max < longest) demand({ kind: 'unroll', counter });
  }
}

/** Longest axis that is written out. */
export const LONGEST_UNROLLED = 64;

/** The pull rule of every primitive that isn't a statement of its own. */
export const PULL_RULES: { readonly [O in Exclude<Op, StoredOp>]: PullRule<O> } = {
  constant: (context, { attrs: { shape, dtype, data }, output, indices }) => {
    if (data.length === 1) return constant(context, data[0] as number, dtype);
    const at = asConstant(dotIndex(indices, rowMajorStrides(shape)));
    return at === undefined ? demand({ kind: 'store', value: output }) : constant(context, data[at] as number, dtype);
  },
  unary: (context, { attrs: { fn }, inputs, indices }) =>
    context.add({ op: 'unary', fn, x: context.pull(input(inputs), indices) }),
  binary: (context, { attrs: { fn }, inputs, indices }) => {
    const a = pullBroadcast(context, input(inputs), indices);
    const b = pullBroadcast(context, input(inputs, 1), indices);
    return context.add({ op: 'binary', fn, a, b });
  },
  compare: (context, { attrs: { fn }, inputs, indices }) => {
    const a = pullBroadcast(context, input(inputs), indices);
    const b = pullBroadcast(context, input(inputs, 1), indices);
    return context.add({ op: 'compare', fn, a, b });
  },
  select: (context, { inputs, indices }) => {
    const condition = pullBroadcast(context, input(inputs), indices);
    const a = pullBroadcast(context, input(inputs, 1), indices);
    const b = pullBroadcast(context, input(inputs, 2), indices);
    return context.add({ op: 'select', condition, a, b });
  },
  reduce: (context, { attrs: { fn, axes, keepDims }, inputs, indices }) => {
    const type = context.type(input(inputs));
    const kept = keepDims ? indices.filter((_, axis) => !axes.includes(axis)) : indices;
    const reducedExtents = extents(type, axes);
    wantUnrolled(context, kept, 16);
    let sum: OperationId | undefined;
    for (const at of combinations(reducedExtents)) {
      let next = 0;
      const own = type.shape.map((_, axis) => {
        const reduced = axes.indexOf(axis);
        if (reduced >= 0) return constantIndex(at[reduced] as number);
        next += 1;
        return kept[next - 1] as Index;
      });
      const element = context.pull(input(inputs), own);
      sum =
        sum === undefined
          ? element
          : context.add({ op: 'binary', fn: COMBINATIONS[fn === 'mean' ? 'sum' : fn].fn, a: sum, b: element });
    }
    const total = sum as OperationId;
    if (fn !== 'mean') return total;
    return context.add({ op: 'binary', fn: 'div', a: total, b: constant(context, sizeOf(reducedExtents), 'float32') });
  },
  contract: (context, { attrs, inputs, indices }) => {
    const { leftBatch, rightBatch, leftContract, rightContract } = attrs;
    const [left, right] = [input(inputs), input(inputs, 1)];
    const [leftType, rightType] = [context.type(left), context.type(right)];
    const leftFree = freeAxes(leftType, [...leftBatch, ...leftContract]);
    const rightFree = freeAxes(rightType, [...rightBatch, ...rightContract]);
    const sizes = [leftType, rightType].map((type, side) => sizeOf(extents(type, side === 0 ? leftFree : rightFree)));
    const batches = indices.slice(0, leftBatch.length);
    const own = (
      type: ValueType,
      batch: readonly number[],
      contracted: readonly number[],
      at: readonly number[],
      free: readonly number[],
      given: readonly Index[],
    ) =>
      type.shape.map((_, axis): Index => {
        if (batch.includes(axis)) return batches[batch.indexOf(axis)] as Index;
        if (contracted.includes(axis)) return constantIndex(at[contracted.indexOf(axis)] as number);
        return given[free.indexOf(axis)] as Index;
      });
    const rows = indices.slice(leftBatch.length, leftBatch.length + leftFree.length);
    const columns = indices.slice(leftBatch.length + leftFree.length);
    // The side with less to choose from holds the weights: each of its rows is written out.
    wantUnrolled(context, (sizes[0] as number) < (sizes[1] as number) ? rows : columns, LONGEST_UNROLLED);
    let sum: OperationId | undefined;
    for (const at of combinations(extents(leftType, leftContract))) {
      const a = context.pull(left, own(leftType, leftBatch, leftContract, at, leftFree, rows));
      const b = context.pull(right, own(rightType, rightBatch, rightContract, at, rightFree, columns));
      const product = context.add({ op: 'binary', fn: 'mul', a, b });
      sum = sum === undefined ? product : context.add({ op: 'binary', fn: 'add', a: sum, b: product });
    }
    return sum ?? constant(context, 0, 'float32');
  },
  gather: (context, { attrs: { axis, batchDims }, inputs, indices }) => {
    const [x, positions] = [input(inputs), input(inputs, 1)];
    const extra = context.type(positions).shape.length - batchDims;
    const position = context.pull(positions, [...indices.slice(0, batchDims), ...indices.slice(axis, axis + extra)]);
    const at = clampedIndex(context, position, extent(context.type(x), axis));
    return context.pull(x, [...indices.slice(0, axis), at, ...indices.slice(axis + extra)]);
  },
  reshape: (context, { type, inputs, indices }) => {
    const flat = dotIndex(indices, rowMajorStrides(type.shape));
    return context.pull(input(inputs), unflatten(flat, context.type(input(inputs)).shape));
  },
  transpose: (context, { attrs: { perm }, inputs, indices }) => {
    const own = perm.map(() => ZERO);
    perm.forEach((axis, index) => {
      own[axis] = indices[index] as Index;
    });
    return context.pull(input(inputs), own);
  },
  slice: (context, { attrs: { begin, strides }, inputs, indices }) =>
    context.pull(
      input(inputs),
      indices.map((index, axis) =>
        addIndex(constantIndex(begin[axis] as number), scaleIndex(index, strides[axis] as number)),
      ),
    ),
  pad: (context, { attrs: { before, value }, inputs, output, type, indices }) => {
    const shape = context.type(input(inputs)).shape;
    const own = indices.map((index, axis) => addIndex(index, constantIndex(-(before[axis] as number))));
    const places = new Set(
      own.map((index, axis) => {
        const { min, max } = indexRange(index);
        const size = shape[axis] as number;
        return min >= 0 && max < size ? 'inside' : max < 0 || min >= size ? 'outside' : 'both';
      }),
    );
    if (places.has('outside')) return constant(context, value, type.dtype);
    return places.has('both') ? demand({ kind: 'store', value: output }) : context.pull(input(inputs), own);
  },
  concat: (context, { attrs: { axis }, inputs, output, indices }) => {
    const index = indices[axis] as Index;
    const { min, max } = indexRange(index);
    let start = 0;
    for (const value of inputs) {
      const size = extent(context.type(value), axis);
      if (min >= start && max < start + size)
        return context.pull(value, indices.with(axis, addIndex(index, constantIndex(-start))));
      start += size;
    }
    const counter = context.unrollable(index);
    return counter === undefined ? demand({ kind: 'store', value: output }) : demand({ kind: 'unroll', counter });
  },
  reverse: (context, { attrs: { axes }, inputs, type, indices }) =>
    context.pull(
      input(inputs),
      indices.map((index, axis) =>
        axes.includes(axis) ? addIndex(constantIndex(extent(type, axis) - 1), scaleIndex(index, -1)) : index,
      ),
    ),
  broadcast: (context, { inputs, indices }) => pullBroadcast(context, input(inputs), indices),
  iota: (context, { attrs: { axis, dtype }, indices }) => {
    const index = indices[axis] as Index;
    const at = asConstant(index);
    if (at !== undefined) return constant(context, at, dtype);
    const counted = indexValue(context, index);
    return dtype === 'int32' ? counted : context.add({ op: 'cast', dtype, x: counted });
  },
  cast: (context, { attrs: { dtype }, inputs, indices }) => {
    const x = context.pull(input(inputs), indices);
    return context.type(input(inputs)).dtype === dtype ? x : context.add({ op: 'cast', dtype, x });
  },
  size: (context, { attrs: { axes }, inputs }) =>
    constant(context, sizeOf(extents(context.type(input(inputs)), axes)), 'float32'),
  stopGradient: (context, { inputs, indices }) => context.pull(input(inputs), indices),
};

/** The axes of a type that aren't among those taken. */
export function freeAxes({ shape }: Pick<ValueType, 'shape'>, taken: readonly number[]): readonly number[] {
  return shape.map((_, axis) => axis).filter((axis) => !taken.includes(axis));
}

/** The value of an element of a node's output. */
export function pullNode(
  context: PullContext,
  graph: Graph,
  node: Graph['nodes'][number],
  at: { readonly output: ValueId; readonly indices: readonly Index[] },
): OperationId {
  const rule = PULL_RULES[node.op as Exclude<Op, StoredOp>] as unknown as PullRule<Op> | undefined;
  if (rule === undefined) return demand({ kind: 'store', value: at.output });
  return rule(context, { attrs: node.attrs, inputs: node.inputs, type: graph.values[at.output] as ValueType, ...at });
}

/** The plain loop that a quotient or remainder in an index counts by, and the extent at which it falls apart. */
export function splitOf(index: Index): { readonly counter: number; readonly by: number } | undefined {
  for (const { atom } of index.terms) {
    if (atom.kind !== 'quotient' && atom.kind !== 'remainder') continue;
    const [term, ...others] = atom.of.terms;
    if (term === undefined || others.length > 0 || atom.of.offset !== 0 || term.factor !== 1) continue;
    if (term.atom.kind === 'counter' && term.atom.extent % atom.by === 0)
      return { counter: term.atom.counter, by: atom.by };
  }
  return undefined;
}
