import { type HostArray, type ValueId, type ValueType, allocate, sameShape, sizeOf } from '../../graph/graph.ts';
import type { Rewriter } from './rewriter.ts';

/** Constants of more elements aren't computed here: a program should not grow by what it can compute. */
export const MOST_ELEMENTS = 1024;

/** Adds a constant whose elements are all one number. */
export function addSplat(r: Rewriter, { shape, dtype }: ValueType, value: number): ValueId {
  return r.add('constant', { shape, dtype, data: allocate(dtype, 1).fill(value) }, []);
}

/** Where an element of a constant lies when the constant is broadcast to a shape. */
function readerOf({ shape, data }: HostArray, to: readonly number[]): (place: number) => number {
  if (data.length === 1) return () => data[0] as number;
  if (sameShape(shape, to)) return (place) => data[place] as number;
  const lead = to.length - shape.length;
  return (place) => {
    let rest = place;
    let own = 0;
    let step = 1;
    for (let axis = to.length - 1; axis >= lead; axis -= 1) {
      const extent = shape[axis - lead] as number;
      if (extent !== 1) own += (rest % (to[axis] as number)) * step;
      step *= extent;
      rest = Math.floor(rest / (to[axis] as number));
    }
    return data[own] as number;
  };
}

/** The elementwise function of constants as a constant; undefined where an input is none, or an element is left to engines. */
export function foldElementwise(
  r: Rewriter,
  inputs: readonly ValueId[],
  { type, fold }: { readonly type: ValueType; readonly fold: ((...xs: number[]) => number | undefined) | undefined },
): ValueId | undefined {
  if (fold === undefined) return undefined;
  const constants: HostArray[] = [];
  for (const id of inputs) {
    const constant = r.constant(id);
    if (constant === undefined) return undefined;
    constants.push(constant);
  }
  const isSplat = constants.every(({ data }) => data.length === 1);
  const count = isSplat ? 1 : sizeOf(type.shape);
  if (count > MOST_ELEMENTS) return undefined;
  const readers = constants.map((constant) => readerOf(constant, type.shape));
  const data = allocate(type.dtype, count);
  for (let place = 0; place < count; place += 1) {
    const result = fold(...readers.map((read) => read(place)));
    if (result === undefined) return undefined;
    data[place] = result;
  }
  return r.add('constant', { ...type, data }, []);
}

/** A constant whose elements lie elsewhere: `from` says at which place of the input each element of the output was. */
export function foldMove(
  r: Rewriter,
  input: ValueId,
  { type, from }: { readonly type: ValueType; readonly from: (index: readonly number[]) => readonly number[] },
): ValueId | undefined {
  const constant = r.constant(input);
  if (constant === undefined) return undefined;
  const { data, shape } = constant;
  if (data.length === 1) return r.add('constant', { ...type, data }, []);
  const count = sizeOf(type.shape);
  if (count > MOST_ELEMENTS) return undefined;
  const moved = allocate(type.dtype, count);
  const index = type.shape.map(() => 0);
  for (let place = 0; place < count; place += 1) {
    const own = from(index);
    moved[place] = data[own.reduce((sum, i, axis) => sum * (shape[axis] as number) + i, 0)] as number;
    for (let axis = index.length - 1; axis >= 0; axis -= 1) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (type.shape[axis] as number)) break;
      index[axis] = 0;
    }
  }
  return r.add('constant', { ...type, data: moved }, []);
}

/** The same elements in another shape. */
export function foldReshape(r: Rewriter, input: ValueId, type: ValueType): ValueId | undefined {
  const constant = r.constant(input);
  return constant === undefined ? undefined : r.add('constant', { ...type, data: constant.data }, []);
}
