import {
  type Index,
  ZERO,
  addIndex,
  constantIndex,
  dotIndex,
  rowMajorStrides,
  scaleIndex,
} from '../ir/index-expression.ts';
import type { BufferId } from '../ir/program.ts';

/** A tensor inside a buffer: where its first element is, and how far apart neighbours are along each axis. */
export interface View {
  readonly buffer: BufferId;
  readonly offset: Index;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A whole buffer, row by row. */
export function wholeView(buffer: BufferId, shape: readonly number[]): View {
  return { buffer, offset: ZERO, shape, strides: rowMajorStrides(shape) };
}

/** Where an element of a view is in its buffer. */
export function placeIn({ offset, strides }: View, indices: readonly Index[]): Index {
  return addIndex(offset, dotIndex(indices, strides));
}

export function transposeView(view: View, perm: readonly number[]): View {
  const pick = (list: readonly number[]) => perm.map((axis) => list[axis] as number);
  return { ...view, shape: pick(view.shape), strides: pick(view.strides) };
}

export function sliceView(
  view: View,
  { begin, size, strides }: { begin: readonly number[]; size: readonly number[]; strides: readonly number[] },
): View {
  return {
    ...view,
    offset: addIndex(view.offset, dotIndex(begin.map(constantIndex), view.strides)),
    shape: size,
    strides: view.strides.map((stride, axis) => stride * (strides[axis] ?? 1)),
  };
}

export function reverseView(view: View, axes: readonly number[]): View {
  const last = axes.reduce(
    (sum, axis) => sum + (view.shape[axis] as number) * (view.strides[axis] as number) - (view.strides[axis] as number),
    0,
  );
  return {
    ...view,
    offset: addIndex(view.offset, constantIndex(last)),
    strides: view.strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride)),
  };
}

export function broadcastView(view: View, shape: readonly number[]): View {
  const missing = shape.length - view.shape.length;
  const strides = shape.map((_, axis) => {
    const own = axis - missing;
    return own < 0 || view.shape[own] === 1 ? 0 : (view.strides[own] as number);
  });
  return { ...view, shape, strides };
}

/** The i-th of the tensors that lie along the first axis. */
export function rowOfView(view: View, row: Index): View {
  return {
    ...view,
    offset: addIndex(view.offset, scaleIndex(row, view.strides[0] as number)),
    shape: view.shape.slice(1),
    strides: view.strides.slice(1),
  };
}

/** The same elements in another shape; undefined where no strides give them in that order. */
export function reshapeView(view: View, shape: readonly number[]): View | undefined {
  const from = view.shape.flatMap((extent, axis) =>
    extent === 1 ? [] : [{ extent, stride: view.strides[axis] as number }],
  );
  const strides = shape.map(() => 1);
  let to = 0;
  let at = 0;
  while (at < from.length) {
    // The fewest axes on both sides that hold equally many elements.
    let have = (from[at] as { extent: number }).extent;
    const firstTo = to;
    let firstFrom = at;
    at += 1;
    let want = 1;
    while (to < shape.length && want < have) {
      want *= shape[to] as number;
      to += 1;
    }
    while (want !== have) {
      if (want < have) {
        if (to >= shape.length) return undefined;
        want *= shape[to] as number;
        to += 1;
      } else {
        const next = from[at];
        if (next === undefined) return undefined;
        have *= next.extent;
        at += 1;
      }
    }
    // Axes that are walked as one must follow one another without a gap.
    for (; firstFrom < at - 1; firstFrom += 1) {
      const [high, low] = [from[firstFrom], from[firstFrom + 1]] as const;
      if (high === undefined || low === undefined || high.stride !== low.stride * low.extent) return undefined;
    }
    let stride = (from[at - 1] as { stride: number }).stride;
    for (let axis = to - 1; axis >= firstTo; axis -= 1) {
      strides[axis] = stride;
      stride *= shape[axis] as number;
    }
  }
  return { ...view, shape, strides };
}
