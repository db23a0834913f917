import { type Attributes, type ValueId, type ValueType, allocate, sameShape, sizeOf } from '../../graph/graph.ts';
import { isIdentity } from '../expressions.ts';
import { MOST_ELEMENTS, addSplat, foldMove, foldReshape } from './fold.ts';
import { type Rewrite, type Rewriter, at, madeBy } from './rewriter.ts';

const keep = (): undefined => undefined;

const reshape: Rewrite<'reshape'> = (r, { attrs, inputs, type }) => {
  const x = at(inputs, 0);
  if (sameShape(r.type(x).shape, type.shape)) return x;
  const inner = madeBy(r, 'reshape', x);
  return inner === undefined ? foldReshape(r, x, type) : r.add('reshape', attrs, inner.inputs);
};

/** A transpose that only moves axes of extent one is a reshape. */
const transpose: Rewrite<'transpose'> = (r, { attrs: { perm }, inputs, type }) => {
  const x = at(inputs, 0);
  if (isIdentity(perm)) return x;
  const inner = madeBy(r, 'transpose', x);
  if (inner !== undefined)
    return r.add('transpose', { perm: perm.map((axis) => inner.attrs.perm[axis] as number) }, inner.inputs);
  const { shape } = r.type(x);
  const wide = perm.filter((axis) => shape[axis] !== 1);
  if (wide.every((axis, index) => index === 0 || axis > (wide[index - 1] as number)))
    return r.add('reshape', { shape: type.shape }, [x]);
  return foldMove(r, x, {
    type,
    from: (index) => {
      const own = [...index];
      perm.forEach((axis, position) => {
        own[axis] = index[position] as number;
      });
      return own;
    },
  });
};

const slice: Rewrite<'slice'> = (r, { attrs, inputs, type }) => {
  const x = at(inputs, 0);
  if (sameShape(r.type(x).shape, type.shape)) return x;
  const { begin, size, strides } = attrs;
  const inner = madeBy(r, 'slice', x);
  if (inner !== undefined && !size.includes(0)) {
    const outer = inner.attrs;
    const composed = {
      begin: begin.map((first, axis) => (outer.begin[axis] as number) + first * (outer.strides[axis] as number)),
      size,
      strides: strides.map((stride, axis) => stride * (outer.strides[axis] as number)),
    };
    return r.add('slice', composed, inner.inputs);
  }
  const part = partOfConcat(r, x, attrs);
  if (part !== undefined) return part;
  const from = (index: readonly number[]) =>
    index.map((i, axis) => (begin[axis] as number) + i * (strides[axis] as number));
  return foldMove(r, x, { type, from });
};

/** A slice that lies inside one part of a concatenation. */
function partOfConcat(r: Rewriter, x: ValueId, { begin, size, strides }: Attributes['slice']): ValueId | undefined {
  const whole = madeBy(r, 'concat', x);
  if (whole === undefined) return undefined;
  const { axis } = whole.attrs;
  const first = begin[axis] as number;
  const count = size[axis] as number;
  if (count === 0) return undefined;
  const last = first + (count - 1) * (strides[axis] as number);
  let start = 0;
  for (const part of whole.inputs) {
    const end = start + (r.type(part).shape[axis] as number);
    if (first >= start && last < end)
      return r.add('slice', { begin: begin.with(axis, first - start), size, strides }, [part]);
    start = end;
  }
  return undefined;
}

const pad: Rewrite<'pad'> = (r, { attrs: { before, after, value }, inputs, type }) => {
  const x = at(inputs, 0);
  if ([...before, ...after].every((width) => width === 0)) return x;
  const splat = r.splat(x);
  return splat !== undefined && Object.is(splat, value) ? addSplat(r, type, value) : undefined;
};

/** Where a slice of stride one along an axis (whole along the others) comes from. */
function rangeOf(r: Rewriter, id: ValueId, axis: number): { source: ValueId; begin: number; end: number } | undefined {
  const made = madeBy(r, 'slice', id);
  if (made === undefined) return undefined;
  const source = at(made.inputs, 0);
  const { begin, size, strides } = made.attrs;
  const isWhole = r.type(source).shape.every((extent, each) => each === axis || size[each] === extent);
  if (!isWhole || strides[axis] !== 1) return undefined;
  const first = begin[axis] as number;
  return { source, begin: first, end: first + (size[axis] as number) };
}

/** Neighbouring slices of one value, put together again, are one slice. */
function joined(r: Rewriter, inputs: readonly ValueId[], axis: number): readonly ValueId[] {
  const parts: ValueId[] = [];
  for (const id of inputs) {
    const last = parts.at(-1);
    const [a, b] = [last === undefined ? undefined : rangeOf(r, last, axis), rangeOf(r, id, axis)];
    if (a === undefined || b === undefined || a.source !== b.source || a.end !== b.begin) {
      parts.push(id);
      continue;
    }
    const { shape } = r.type(a.source);
    const begin = shape.map((_, each) => (each === axis ? a.begin : 0));
    const attrs = { begin, size: shape.with(axis, b.end - a.begin), strides: shape.map(() => 1) };
    parts.splice(-1, 1, r.add('slice', attrs, [a.source]));
  }
  return parts;
}

const concat: Rewrite<'concat'> = (r, { attrs, inputs, type }) => {
  const { axis } = attrs;
  const full = inputs.filter((id) => r.type(id).shape[axis] !== 0);
  if (full.length === 0) return inputs[0];
  if (full.length === 1) return full[0];
  const flat = full.flatMap((id) => {
    const inner = madeBy(r, 'concat', id);
    return inner?.attrs.axis === axis ? inner.inputs : [id];
  });
  const parts = joined(r, flat, axis);
  if (parts.length !== inputs.length || parts.some((id, index) => id !== inputs[index]))
    return r.add('concat', attrs, parts);
  return foldConcat(r, { inputs, axis, type });
};

function foldConcat(
  r: Rewriter,
  { inputs, axis, type }: { readonly inputs: readonly ValueId[]; readonly axis: number; readonly type: ValueType },
): ValueId | undefined {
  const splats = inputs.map((id) => r.splat(id));
  const [first] = splats;
  if (first !== undefined && splats.every((value) => value !== undefined && Object.is(value, first)))
    return addSplat(r, type, first);
  // Along the first axis parts follow each other in memory.
  const isLeading = type.shape.slice(0, axis).every((extent) => extent === 1);
  const constants = inputs.map((id) => r.constant(id));
  const count = sizeOf(type.shape);
  if (!isLeading || count > MOST_ELEMENTS) return undefined;
  const data = allocate(type.dtype, count);
  let start = 0;
  for (const constant of constants) {
    if (constant === undefined) return undefined;
    const size = sizeOf(constant.shape);
    if (constant.data.length === 1) data.fill(constant.data[0] as number, start, start + size);
    else data.set(constant.data, start);
    start += size;
  }
  return r.add('constant', { ...type, data }, []);
}

const reverse: Rewrite<'reverse'> = (r, { attrs: { axes }, inputs, type }) => {
  const x = at(inputs, 0);
  const wide = axes.filter((axis) => (type.shape[axis] as number) > 1);
  if (wide.length === 0) return x;
  if (wide.length < axes.length) return r.add('reverse', { axes: wide }, inputs);
  const inner = madeBy(r, 'reverse', x);
  if (inner !== undefined && sameShape(inner.attrs.axes.toSorted(ascending), axes.toSorted(ascending)))
    return inner.inputs[0];
  const from = (index: readonly number[]) =>
    index.map((i, axis) => (axes.includes(axis) ? (type.shape[axis] as number) - 1 - i : i));
  return foldMove(r, x, { type, from });
};

const ascending = (a: number, b: number): number => a - b;

const broadcast: Rewrite<'broadcast'> = (r, { attrs, inputs, type }) => {
  const x = at(inputs, 0);
  if (sameShape(r.type(x).shape, type.shape)) return x;
  const splat = r.splat(x);
  if (splat !== undefined) return addSplat(r, type, splat);
  const inner = madeBy(r, 'broadcast', x);
  return inner === undefined ? undefined : r.add('broadcast', attrs, inner.inputs);
};

/** What is gathered from a splat is that number, whatever the indices. */
const gather: Rewrite<'gather'> = (r, { inputs, type }) => {
  const splat = r.splat(at(inputs, 0));
  return splat === undefined ? undefined : addSplat(r, type, splat);
};

const iota: Rewrite<'iota'> = (r, { attrs: { shape, axis }, type }) =>
  shape[axis] === 1 ? addSplat(r, type, 0) : undefined;

export const LAYOUT_REWRITES: {
  readonly [
    O in
      | 'constant'
      | 'contract'
      | 'gather'
      | 'scatterAdd'
      | 'cumulative'
      | 'reshape'
      | 'transpose'
      | 'slice'
      | 'pad'
      | 'concat'
      | 'reverse'
      | 'broadcast'
      | 'iota'
  ]: Rewrite<O>;
} = {
  constant: keep,
  contract: keep,
  gather,
  scatterAdd: keep,
  cumulative: keep,
  reshape,
  transpose,
  slice,
  pad,
  concat,
  reverse,
  broadcast,
  iota,
};
