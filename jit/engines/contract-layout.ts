import { type Attributes, type ValueType, sizeOf } from '../graph/graph.ts';

/** How one operand of a contraction becomes a matrix (or a batch of them). */
export interface OperandLayout {
  /** The transpose to apply first; absent when the axes are already in order. */
  readonly perm?: readonly number[];
  /** `[batch, rows, columns]` after it, each a product of neighbouring axes. */
  readonly matrix: readonly [number, number, number];
  /** Whether the matrix is the wrong way round: the contracted axes first on the left, last on the right. */
  readonly transposed: boolean;
}

/** A contraction as one matrix product: `[batch, rows, inner] x [batch, inner, columns]`. */
export interface ContractLayout {
  readonly batch: number;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly left: OperandLayout;
  readonly right: OperandLayout;
}

function isSorted(perm: readonly number[]): boolean {
  return perm.every((axis, index) => axis === index);
}

function extentsOf(shape: readonly number[], axes: readonly number[]): number {
  return sizeOf(axes.map((axis) => shape[axis] as number));
}

/** How many operands an order of the contracted axes lets be used without a transpose. */
function layoutOf(
  shape: readonly number[],
  {
    batch,
    free,
    inner,
    innerLast,
  }: { batch: readonly number[]; free: readonly number[]; inner: readonly number[]; innerLast: boolean },
): OperandLayout {
  const b = extentsOf(shape, batch);
  const f = extentsOf(shape, free);
  const k = extentsOf(shape, inner);
  const wanted = innerLast ? [...batch, ...free, ...inner] : [...batch, ...inner, ...free];
  const swapped = innerLast ? [...batch, ...inner, ...free] : [...batch, ...free, ...inner];
  const straight: OperandLayout = { matrix: innerLast ? [b, f, k] : [b, k, f], transposed: false };
  if (isSorted(wanted)) return straight;
  if (isSorted(swapped)) return { matrix: innerLast ? [b, k, f] : [b, f, k], transposed: true };
  return { ...straight, perm: wanted };
}

/**
 * Lays a contraction out as one matrix product. The contracted axes may be walked in any order, the same on both sides: the
 * order is chosen that leaves fewest operands to transpose.
 */
export function contractLayout(
  { leftBatch, rightBatch, leftContract, rightContract }: Attributes['contract'],
  [left, right]: readonly [ValueType, ValueType],
): ContractLayout {
  const freeOf = (shape: readonly number[], taken: readonly number[]) =>
    shape.map((_, axis) => axis).filter((axis) => !taken.includes(axis));
  const leftFree = freeOf(left.shape, [...leftBatch, ...leftContract]);
  const rightFree = freeOf(right.shape, [...rightBatch, ...rightContract]);
  const pairs = leftContract.map((axis, index) => [axis, rightContract[index] as number] as const);
  const orders = [pairs, pairs.toSorted((a, b) => a[0] - b[0]), pairs.toSorted((a, b) => a[1] - b[1])];
  const candidates = orders.map((order) => ({
    left: layoutOf(left.shape, {
      batch: leftBatch,
      free: leftFree,
      inner: order.map((pair) => pair[0]),
      innerLast: true,
    }),
    right: layoutOf(right.shape, {
      batch: rightBatch,
      free: rightFree,
      inner: order.map((pair) => pair[1]),
      innerLast: false,
    }),
  }));
  const cost = (candidate: (typeof candidates)[number]) =>
    (candidate.left.perm === undefined ? 0 : 1) + (candidate.right.perm === undefined ? 0 : 1);
  const best = candidates.reduce((a, b) => (cost(b) < cost(a) ? b : a));
  return {
    batch: extentsOf(left.shape, leftBatch),
    rows: extentsOf(left.shape, leftFree),
    inner: extentsOf(left.shape, leftContract),
    columns: extentsOf(right.shape, rightFree),
    ...best,
  };
}
