import { type DType, type HostArray, type Node, type ValueType, allocate, sizeOf } from '../graph/graph.ts';

/** What a reduction of no elements gives: sum 0, product 1, mean NaN, the largest of none -Infinity (int32: the smallest int32). */
export function reductionOfNothing(fn: string, dtype: DType): number {
  if (fn === 'prod' || fn === 'all') return 1;
  if (fn === 'mean') return Number.NaN;
  if (fn === 'max') return dtype === 'int32' ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
  if (fn === 'min') return dtype === 'int32' ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY;
  return 0;
}

/**
 * The output of a node without bodies that has no elements, or that is made of none: a splat. Runtimes disagree about tensors of no
 * elements (some read memory that was never written), so engines don't ask them. `undefined`: the node is an ordinary one.
 * @throws RangeError for the largest element's index among none.
 */
export function outputOfNothing(node: Node, inputs: readonly ValueType[], output: ValueType): HostArray | undefined {
  const splat = (value: number): HostArray => {
    const data = allocate(output.dtype, 1);
    data[0] = value;
    return { shape: output.shape, dtype: output.dtype, data };
  };
  if (sizeOf(output.shape) === 0) return splat(0);
  const first = inputs[0];
  if (first === undefined || inputs.every(({ shape }) => sizeOf(shape) > 0)) return undefined;
  if (node.op === 'reduce') return splat(reductionOfNothing(node.attrs.fn, output.dtype));
  if (node.op === 'contract' || node.op === 'scatterAdd') return splat(0);
  if (node.op === 'pad') return splat(node.attrs.value);
  if (node.op === 'argReduce')
    throw new RangeError(
      `Cannot find the ${node.attrs.fn}imum along axis ${node.attrs.axis}: expected at least one element but got the shape [${first.shape.join(',')}]`,
    );
  return undefined;
}
