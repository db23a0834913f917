/** The integers from one up to another. */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** Elements of a shape (or other list an axis) at some axes. */
export const extentsOf = (shape: readonly number[], axes: readonly number[]): number[] =>
  axes.map((axis) => shape[axis] as number);
