import { type Attributes, type Op, type ValueType, allocate, sameShape, sizeOf } from '../../graph/graph.ts';
import { broadcastShapes } from '../../graph/type-rules.ts';
import { contract } from './contract-rule.ts';
import type { Emitted, Emitter } from './emitter.ts';
import { BINARY, UNARY, compare } from './functions.ts';
import { gather, scatterAdd } from './gather-rules.ts';
import { extentsOf, range } from '../axes.ts';
import { type Context, at, whole } from './rule-context.ts';

/** Primitives that hold bodies: emit.ts emits these. */
export type BodyOp = 'call' | 'customGradient' | 'cond' | 'scan';
export type PlainOp = Exclude<Op, BodyOp>;

/** Emits a primitive. */
export type OnnxRule<O extends PlainOp> = (attrs: Attributes[O], context: Context) => Emitted;

/** The smallest int64: a slice of negative stride that ends here takes all elements down to the first. */
const BEFORE_FIRST = Number.MIN_SAFE_INTEGER;

/** A value from operands that broadcast: its tensor is as small as theirs allow. */
function elementwise({ inputs, output }: Context, emit: (names: readonly string[]) => string): Emitted {
  const shape = broadcastShapes(
    'elementwise',
    inputs.map((input) => input.shape),
  );
  return { name: emit(inputs.map((input) => input.name)), shape, type: output };
}

/** One element where the condition holds, else the other. onnxruntime's Where takes no bools. */
function where(e: Emitter, { c, a, b }: { c: string; a: string; b: string }, dtype: string): string {
  if (dtype !== 'bool') return e.op('Where', [c, a, b]);
  return e.op('Or', [e.op('And', [c, a]), e.op('And', [e.op('Not', [c]), b])]);
}

/** Reductions take their axes as an input (ReduceSum) or an attribute (all others, until opset 18). */
function reduceOp(
  e: Emitter,
  opType: string,
  { x, axes, keepDims }: { x: string; axes: readonly number[]; keepDims: boolean },
): string {
  const keepdims = keepDims ? 1 : 0;
  if (opType === 'ReduceSum') return e.op(opType, [x, e.integers(axes)], { keepdims });
  return e.op(opType, [x], { axes, keepdims });
}

const REDUCE_OPERATORS = {
  sum: 'ReduceSum',
  mean: 'ReduceMean',
  max: 'ReduceMax',
  min: 'ReduceMin',
  prod: 'ReduceProd',
  any: 'ReduceMax',
  all: 'ReduceMin',
} satisfies Record<Attributes['reduce']['fn'], string>;

function reduce({ fn, axes, keepDims }: Attributes['reduce'], { e, inputs, output }: Context): Emitted {
  const input = at(inputs, 0);
  if (axes.length === 0) return input;
  const x = e.full(input);
  const opType = REDUCE_OPERATORS[fn];
  if (fn === 'any' || fn === 'all') {
    const reduced = reduceOp(e, opType, { x: e.cast(x, 'float32'), axes, keepDims });
    return whole(e.cast(reduced, 'bool'), output);
  }
  const reduced = reduceOp(e, opType, { x, axes, keepDims });
  if ((fn !== 'max' && fn !== 'min') || output.dtype !== 'float32') return whole(reduced, output);
  // onnxruntime's ReduceMax and ReduceMin skip NaN. A sum of the elements clipped to [-1, 1] is finite unless one is NaN.
  const clipped = e.op('Clip', [x, e.scalar(-1), e.scalar(1)]);
  const probe = e.op('Mul', [reduceOp(e, 'ReduceSum', { x: clipped, axes, keepDims }), e.scalar(0)]);
  return whole(e.op('Add', [reduced, probe]), output);
}

/** Shifts along an axis by `distance`, filling with ones: towards the end, or towards the start where `reverse`. */
function shiftedByOnes(
  e: Emitter,
  x: string,
  { axis, distance, reverse, type }: { axis: number; distance: number; reverse: boolean; type: ValueType },
): string {
  const extent = type.shape[axis] as number;
  const starts = e.integers([reverse ? distance : 0]);
  const kept = e.op('Slice', [x, starts, e.integers([reverse ? extent : extent - distance]), e.integers([axis])]);
  const widths = type.shape.flatMap(() => [0, 0]);
  widths[reverse ? type.shape.length + axis : axis] = distance;
  return e.op('Pad', [kept, e.integers(widths), e.scalar(1, type.dtype)]);
}

/** ONNX has no running product: log2(extent) rounds of multiplying with oneself shifted by 1, 2, 4, ... */
function runningProduct(
  { axis, exclusive, reverse }: Attributes['cumulative'],
  { e, inputs, output }: Context,
): Emitted {
  const extent = output.shape[axis] as number;
  let product = e.full(at(inputs, 0));
  if (exclusive) product = shiftedByOnes(e, product, { axis, distance: 1, reverse, type: output });
  for (let distance = 1; distance < extent; distance *= 2)
    product = e.op('Mul', [product, shiftedByOnes(e, product, { axis, distance, reverse, type: output })]);
  return whole(product, output);
}

/** How ONNX writes every primitive without bodies. */
export const ONNX_RULES: { readonly [O in PlainOp]: OnnxRule<O> } = {
  constant: ({ data }, { e, output }) => e.value(output, data),
  unary: ({ fn }, context) =>
    elementwise(context, ([x]) => UNARY[fn](context.e, x as string, at(context.inputs, 0).type.dtype)),
  binary: ({ fn }, context) =>
    elementwise(context, ([a, b]) =>
      BINARY[fn](context.e, { a: a as string, b: b as string, dtype: context.output.dtype }),
    ),
  compare: ({ fn }, context) => {
    const { dtype } = at(context.inputs, 0).type;
    return elementwise(context, ([a, b]) => compare(context.e, fn, { a: a as string, b: b as string, dtype }));
  },
  select: (_, context) =>
    elementwise(context, ([c, a, b]) =>
      where(context.e, { c: c as string, a: a as string, b: b as string }, context.output.dtype),
    ),
  reduce,
  argReduce: ({ fn, axis }, { e, inputs, output }) => {
    const input = at(inputs, 0);
    const x = input.type.dtype === 'bool' ? e.cast(e.full(input), 'int32') : e.full(input);
    return whole(e.cast(e.op(fn === 'max' ? 'ArgMax' : 'ArgMin', [x], { axis, keepdims: 0 }), 'int32'), output);
  },
  contract,
  gather,
  scatterAdd,
  cumulative: (attrs, context) => {
    if (attrs.fn === 'prod') return runningProduct(attrs, context);
    const { e, inputs, output } = context;
    const axis = e.scalar(attrs.axis, 'int64');
    const sum = e.op('CumSum', [e.full(at(inputs, 0)), axis], {
      ...(attrs.exclusive ? { exclusive: 1 } : {}),
      ...(attrs.reverse ? { reverse: 1 } : {}),
    });
    return whole(sum, output);
  },
  reshape: (_, { e, inputs, output }) => {
    const x = at(inputs, 0);
    // A splat is a splat in any shape.
    if (sizeOf(x.shape) === 1 && sizeOf(output.shape) !== 1)
      return { name: x.shape.length === 0 ? x.name : e.reshape(x.name, []), shape: [], type: output };
    if (sameShape(x.type.shape, output.shape)) return x;
    return whole(e.reshape(e.full(x), output.shape), output);
  },
  transpose: ({ perm }, { e, inputs, output }) => {
    const x = at(inputs, 0);
    if (sizeOf(x.shape) === 1) return { ...x, type: output };
    // A tensor not yet broadcast is transposed as it is, its missing axes standing in front with extent one.
    const missing = x.type.shape.length - x.shape.length;
    const shape = [...range(0, missing).map(() => 1), ...x.shape];
    const name = missing === 0 ? x.name : e.reshape(x.name, shape);
    return { name: e.transpose(name, perm), shape: extentsOf(shape, perm), type: output };
  },
  slice: ({ begin, size, strides }, { e, inputs, output }) => {
    const x = at(inputs, 0);
    if (sizeOf(x.shape) === 1) return { ...x, type: output };
    const axes = range(0, begin.length).filter(
      (axis) => begin[axis] !== 0 || strides[axis] !== 1 || size[axis] !== x.type.shape[axis],
    );
    if (axes.length === 0) return x;
    const ends = axes.map(
      (axis) => (begin[axis] as number) + ((size[axis] as number) - 1) * (strides[axis] as number) + 1,
    );
    const operands = [e.full(x), e.integers(extentsOf(begin, axes)), e.integers(ends), e.integers(axes)];
    const steps = extentsOf(strides, axes);
    if (steps.some((step) => step !== 1)) operands.push(e.integers(steps));
    return whole(e.op('Slice', operands), output);
  },
  pad: ({ before, after, value }, { e, inputs, output }) => {
    const x = at(inputs, 0);
    if ([...before, ...after].every((width) => width === 0)) return x;
    return whole(e.op('Pad', [e.full(x), e.integers([...before, ...after]), e.scalar(value, output.dtype)]), output);
  },
  concat: ({ axis }, { e, inputs, output }) => {
    const parts = inputs.filter(({ type }) => sizeOf(type.shape) > 0);
    if (parts.length === 1) return at(parts, 0);
    return whole(
      e.op(
        'Concat',
        parts.map((part) => e.full(part)),
        { axis },
      ),
      output,
    );
  },
  reverse: ({ axes }, { e, inputs, output }) => {
    const x = at(inputs, 0);
    if (axes.length === 0 || sizeOf(x.shape) === 1) return x;
    const all = (value: number): string => e.integers(axes.map(() => value));
    return whole(e.op('Slice', [e.full(x), all(-1), all(BEFORE_FIRST), e.integers(axes), all(-1)]), output);
  },
  broadcast: (_, { inputs, output }) => ({ ...at(inputs, 0), type: output }),
  iota: ({ shape, axis, dtype }, { e, output }) => {
    const extent = shape[axis] as number;
    const data = allocate(dtype, extent);
    for (let i = 0; i < extent; i += 1) data[i] = i;
    // Extent one on the axes behind; those in front broadcast.
    const own = [extent, ...shape.slice(axis + 1).map(() => 1)];
    return { name: e.constant({ shape: own, dtype, data }), shape: own, type: output };
  },
  cast: ({ dtype }, context) => {
    const x = at(context.inputs, 0);
    return x.type.dtype === dtype ? x : elementwise(context, ([name]) => context.e.cast(name as string, dtype));
  },
  size: ({ axes }, { e, inputs, output }) => whole(e.scalar(sizeOf(extentsOf(at(inputs, 0).type.shape, axes))), output),
  stopGradient: (_, { inputs }) => at(inputs, 0),
};
