import type { Attributes, ValueId } from '../../graph/graph.ts';
import { type Build, inverse, isIdentity, range } from '../expressions.ts';
import { type Derivative, at } from './derivative.ts';

/** One operand of a contraction, by what its axes are for. */
interface Side {
  readonly value: ValueId;
  readonly batch: readonly number[];
  readonly inner: readonly number[];
  readonly free: readonly number[];
  /** The output's axes that are this side's free ones. */
  readonly outer: readonly number[];
}

function sidesOf(
  b: Build,
  { leftBatch, rightBatch, leftContract, rightContract }: Attributes['contract'],
  [x, y]: readonly [ValueId, ValueId],
): readonly [Side, Side] {
  const freeOf = (value: ValueId, taken: readonly number[]) =>
    range(b.shape(value).length).filter((axis) => !taken.includes(axis));
  const leftFree = freeOf(x, [...leftBatch, ...leftContract]);
  const rightFree = freeOf(y, [...rightBatch, ...rightContract]);
  const start = leftBatch.length;
  const outer = (count: number, from: number) => range(count).map((axis) => axis + from);
  return [
    { value: x, batch: leftBatch, inner: leftContract, free: leftFree, outer: outer(leftFree.length, start) },
    {
      value: y,
      batch: rightBatch,
      inner: rightContract,
      free: rightFree,
      outer: outer(rightFree.length, start + leftFree.length),
    },
  ];
}

/**
 * The cotangent of one operand: that of the product contracted with the other operand over the other's free axes. Of the two orders of
 * operands the one is taken whose axes come out in place, if there is one.
 */
function cotangentOf(b: Build, { own, other, dz }: { own: Side; other: Side; dz: ValueId }): ValueId {
  // The contracted axes come in the other operand's order.
  const order = range(own.inner.length).toSorted((i, j) => at(other.inner, i) - at(other.inner, j));
  const inner = order.map((index) => at(own.inner, index));
  const batch = range(own.batch.length);
  const dzFirst = [...own.batch, ...own.free, ...inner];
  const dzLast = [...own.batch, ...inner, ...own.free];
  if (!isIdentity(dzFirst) && isIdentity(dzLast)) {
    const attrs = { leftBatch: other.batch, rightBatch: batch, leftContract: other.free, rightContract: other.outer };
    return b.one('contract', attrs, [other.value, dz]);
  }
  const attrs = { leftBatch: batch, rightBatch: other.batch, leftContract: other.outer, rightContract: other.free };
  return b.transpose(b.one('contract', attrs, [dz, other.value]), inverse(dzFirst));
}

export const contraction: Derivative<'contract'> = ({ b }, { attrs, inputs, cotangents, wanted }) => {
  const [x, y] = sidesOf(b, attrs, [at(inputs, 0), at(inputs, 1)]);
  const dz = at(cotangents, 0);
  return [
    wanted[0] === true ? cotangentOf(b, { own: x, other: y, dz }) : undefined,
    wanted[1] === true ? cotangentOf(b, { own: y, other: x, dz }) : undefined,
  ];
};
