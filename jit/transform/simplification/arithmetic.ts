import type { Op, ValueId } from '../../graph/graph.ts';
import { sameShape, sameType, sizeOf } from '../../graph/graph.ts';
import { extentsOf } from '../expressions.ts';
import { addSplat, foldElementwise } from './fold.ts';
import { foldBinary, foldCast, foldComparison, foldUnary } from './fold-numbers.ts';
import { type Rewrite, type Rewriter, type Rewritten, at, madeBy } from './rewriter.ts';

/** Functions that change nothing when applied to their own result. Not abs, whose derivative at 0 they would change. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['relu', 'floor', 'ceil', 'round', 'sign']);
const INVOLUTIONS: ReadonlySet<string> = new Set(['neg', 'not']);

const unary: Rewrite<'unary'> = (r, node) => {
  const { attrs, inputs, type } = node;
  const { fn } = attrs;
  const x = at(inputs, 0);
  const folded = foldElementwise(r, inputs, { type, fold: foldUnary(fn, type.dtype) });
  if (folded !== undefined) return folded;
  const negated = fn === 'neg' ? negatedProduct(r, x) : undefined;
  if (negated !== undefined) return negated;
  const inner = madeBy(r, 'unary', x);
  if (inner === undefined) return onNarrowed(r, 'unary', node);
  if (INVOLUTIONS.has(fn) && inner.attrs.fn === fn) return inner.inputs[0];
  if (IDEMPOTENT.has(fn) && inner.attrs.fn === fn) return x;
  return undefined;
};

/** The negative of a product or quotient with a constant is one with its negative. */
function negatedProduct(r: Rewriter, x: ValueId): ValueId | undefined {
  const made = madeBy(r, 'binary', x);
  if (made === undefined || (made.attrs.fn !== 'mul' && made.attrs.fn !== 'div') || r.type(x).dtype !== 'float32')
    return undefined;
  const known = made.inputs.findIndex((id) => r.constant(id) !== undefined);
  const factor = made.inputs[known];
  if (factor === undefined) return undefined;
  return r.add('binary', made.attrs, made.inputs.with(known, r.add('unary', { fn: 'neg' }, [factor])));
}

/** A value that another one was broadcast from, and a scalar for a splat; else the value itself. */
function narrowed(r: Rewriter, id: ValueId): ValueId {
  const splat = r.splat(id);
  const { shape, dtype } = r.type(id);
  if (splat !== undefined && shape.length > 0) return addSplat(r, { shape: [], dtype }, splat);
  return madeBy(r, 'broadcast', id)?.inputs[0] ?? id;
}

/** Computes before broadcasting, not after. */
function onNarrowed<O extends 'unary' | 'binary' | 'compare' | 'select' | 'cast'>(
  r: Rewriter,
  op: O,
  { attrs, inputs, type }: Rewritten<O>,
): ValueId | undefined {
  const narrow = inputs.map((id) => narrowed(r, id));
  if (narrow.every((id, index) => id === inputs[index])) return undefined;
  return r.add('broadcast', { shape: type.shape }, [r.add(op, attrs, narrow)]);
}

/** The operand that is the result, by identities that hold for every float32, NaN, infinities and the sign of zero included. */
function neutral(r: Rewriter, { attrs: { fn }, inputs, type }: Rewritten<'binary'>): ValueId | undefined {
  const [x, y] = [at(inputs, 0), at(inputs, 1)];
  const [a, b] = [r.splat(x), r.splat(y)];
  const isInt = type.dtype === 'int32';
  const keep = (id: ValueId): ValueId | undefined => (sameType(r.type(id), type) ? id : undefined);
  if (fn === 'mul') return b === 1 ? keep(x) : a === 1 ? keep(y) : undefined;
  if (fn === 'div' || fn === 'pow') return b === 1 ? keep(x) : undefined;
  if (fn === 'sub') return Object.is(b, 0) ? keep(x) : undefined;
  if (fn === 'max' || fn === 'min') return x === y ? x : undefined;
  if (fn === 'add') {
    const isNothing = (value: number | undefined): boolean => Object.is(value, -0) || (isInt && value === 0);
    return isNothing(b) ? keep(x) : isNothing(a) ? keep(y) : undefined;
  }
  if (fn !== 'and' && fn !== 'or') return undefined;
  if (x === y) return x;
  const isAnd = fn === 'and';
  if (a !== undefined) return (a !== 0) === isAnd ? keep(y) : addSplat(r, type, isAnd ? 0 : 1);
  if (b !== undefined) return (b !== 0) === isAnd ? keep(x) : addSplat(r, type, isAnd ? 0 : 1);
  return undefined;
}

/** x + (-y) is x - y, and x - (-y) is x + y, to the bit. */
function withoutNegation(r: Rewriter, { attrs: { fn }, inputs }: Rewritten<'binary'>): ValueId | undefined {
  if (fn !== 'add' && fn !== 'sub' && fn !== 'mul' && fn !== 'div') return undefined;
  const [x, y] = [at(inputs, 0), at(inputs, 1)];
  const negated = (id: ValueId): ValueId | undefined => {
    const maker = madeBy(r, 'unary', id);
    return maker?.attrs.fn === 'neg' ? maker.inputs[0] : undefined;
  };
  const [minusX, minusY] = [negated(x), negated(y)];
  if (fn === 'mul' || fn === 'div')
    return minusX !== undefined && minusY !== undefined ? r.add('binary', { fn }, [minusX, minusY]) : undefined;
  if (minusY !== undefined) return r.add('binary', { fn: fn === 'add' ? 'sub' : 'add' }, [x, minusY]);
  return fn === 'add' && minusX !== undefined ? r.add('binary', { fn: 'sub' }, [y, minusX]) : undefined;
}

const binary: Rewrite<'binary'> = (r, node) =>
  foldElementwise(r, node.inputs, { type: node.type, fold: foldBinary(node.attrs.fn, node.type.dtype) }) ??
  neutral(r, node) ??
  withoutNegation(r, node) ??
  onNarrowed(r, 'binary', node);

const compare: Rewrite<'compare'> = (r, node) =>
  foldElementwise(r, node.inputs, { type: node.type, fold: foldComparison(node.attrs.fn) }) ??
  onNarrowed(r, 'compare', node);

const select: Rewrite<'select'> = (r, node) => {
  const { inputs, type } = node;
  const [condition, a, b] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
  const folded = foldElementwise(r, inputs, { type, fold: (c, x, y) => (c === 0 ? y : x) });
  if (folded !== undefined) return folded;
  const known = r.splat(condition);
  const taken = known === undefined ? (a === b ? a : undefined) : known === 0 ? b : a;
  if (taken !== undefined) return r.add('broadcast', { shape: type.shape }, [taken]);
  if (r.splat(a) === 1 && Object.is(r.splat(b), 0) && sameShape(r.type(condition).shape, type.shape))
    return r.add('cast', { dtype: type.dtype }, [condition]);
  const inverted = madeBy(r, 'unary', condition);
  if (inverted?.attrs.fn === 'not') return r.add('select', {}, [at(inverted.inputs, 0), b, a]);
  return onNarrowed(r, 'select', node);
};

const cast: Rewrite<'cast'> = (r, node) => {
  const { inputs, type } = node;
  const x = at(inputs, 0);
  const from = r.type(x).dtype;
  if (from === type.dtype) return x;
  const folded = foldElementwise(r, inputs, { type, fold: foldCast(from, type.dtype) });
  if (folded !== undefined) return folded;
  // Every dtype holds 0 and 1.
  const inner = madeBy(r, 'cast', x);
  if (inner !== undefined && r.type(at(inner.inputs, 0)).dtype === 'bool')
    return r.add('cast', { dtype: type.dtype }, inner.inputs);
  // Constants are cast here, not where they are selected.
  const made = madeBy(r, 'select', x);
  if (made !== undefined && made.inputs.slice(1).every((id) => r.constant(id) !== undefined)) {
    const branches = made.inputs.slice(1).map((id) => r.add('cast', node.attrs, [id]));
    return r.add('select', {}, [at(made.inputs, 0), ...branches]);
  }
  return onNarrowed(r, 'cast', node);
};

/** Not sums and means of one element: 0 + -0 is 0. */
const reduce: Rewrite<'reduce'> = (r, { attrs: { fn, axes }, inputs, type }) => {
  const x = at(inputs, 0);
  const { shape } = r.type(x);
  const isAdditive = fn === 'sum' || fn === 'mean';
  const count = sizeOf(extentsOf(shape, axes));
  if (count === 1 && !isAdditive) return r.add('reshape', { shape: type.shape }, [x]);
  const value = r.splat(x);
  if (value === undefined || count === 0) return undefined;
  const isFixed = isAdditive ? Object.is(value, 0) : fn !== 'prod' || value === 1;
  return isFixed ? addSplat(r, type, value) : undefined;
};

const argReduce: Rewrite<'argReduce'> = (r, { attrs: { axis }, inputs, type }) =>
  r.type(at(inputs, 0)).shape[axis] === 1 ? addSplat(r, type, 0) : undefined;

const size: Rewrite<'size'> = (r, { attrs: { axes }, inputs, type }) =>
  r.foldsSizes ? addSplat(r, type, sizeOf(extentsOf(r.type(at(inputs, 0)).shape, axes))) : undefined;

/** What is stopped twice, or has no derivative, is stopped. */
const stopGradient: Rewrite<'stopGradient'> = (r, { inputs }) => {
  const x = at(inputs, 0);
  const maker: Op | undefined = r.maker(x)?.op;
  return maker === 'stopGradient' || maker === 'constant' || r.type(x).dtype !== 'float32' ? x : undefined;
};

export const ARITHMETIC_REWRITES: {
  readonly [
    O in 'unary' | 'binary' | 'compare' | 'select' | 'cast' | 'reduce' | 'argReduce' | 'size' | 'stopGradient'
  ]: Rewrite<O>;
} = { unary, binary, compare, select, cast, reduce, argReduce, size, stopGradient };
