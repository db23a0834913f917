import { type Attributes, sameShape } from '../../graph/graph.ts';
import { type OperandLayout, contractLayout } from '../contract-layout.ts';
import type { Emitted, Emitter } from './emitter.ts';
import { extentsOf } from '../axes.ts';
import { type Context, at, whole } from './rule-context.ts';

/** An operand as a matrix, or a batch of them with one batch axis. */
function matrix(e: Emitter, operand: Emitted, { perm, matrix }: OperandLayout): string {
  const ordered = perm === undefined ? e.full(operand) : e.transpose(e.full(operand), perm);
  const shape = perm === undefined ? operand.type.shape : extentsOf(operand.type.shape, perm);
  const wanted = matrix[0] === 1 ? matrix.slice(1) : matrix;
  return sameShape(shape, wanted) ? ordered : e.reshape(ordered, wanted);
}

/** A contraction as MatMul, Gemm or, where nothing is summed, Mul; with as few transposes and reshapes as its axes allow. */
export function contract(attrs: Attributes['contract'], { e, inputs, output }: Context): Emitted {
  const [a, b] = [at(inputs, 0), at(inputs, 1)];
  const { left, right, batch, rows, inner, columns } = contractLayout(attrs, [a.type, b.type]);
  const shaped = (name: string, shape: readonly number[]): Emitted =>
    whole(sameShape(shape, output.shape) ? name : e.reshape(name, output.shape), output);
  // A product of numpy's matmul as it stands: [..., rows, inner] x [inner, columns], or with equal batch axes on both sides.
  const isPlain =
    attrs.leftContract.length === 1 &&
    left.perm === undefined &&
    right.perm === undefined &&
    !left.transposed &&
    !right.transposed;
  const sharedRight = isPlain && attrs.leftBatch.length === 0 && b.type.shape.length <= 2;
  const bothBatched =
    isPlain &&
    a.type.shape.length === attrs.leftBatch.length + 2 &&
    b.type.shape.length === attrs.rightBatch.length + 2;
  if (sharedRight || bothBatched) return whole(e.op('MatMul', [e.full(a), e.full(b)]), output);
  const [x, y] = [matrix(e, a, left), matrix(e, b, right)];
  const flat = batch === 1 ? [rows, columns] : [batch, rows, columns];
  if (inner === 1) {
    // An outer product; the operands' matrices are a column and a row, whichever way round they lie.
    const column = left.transposed ? e.reshape(x, batch === 1 ? [rows, 1] : [batch, rows, 1]) : x;
    const row = right.transposed ? e.reshape(y, batch === 1 ? [1, columns] : [batch, 1, columns]) : y;
    return shaped(e.op('Mul', [column, row]), flat);
  }
  if (batch === 1) {
    if (!left.transposed && !right.transposed) return shaped(e.op('MatMul', [x, y]), flat);
    const product = e.op('Gemm', [x, y], {
      ...(left.transposed ? { transA: 1 } : {}),
      ...(right.transposed ? { transB: 1 } : {}),
    });
    return shaped(product, flat);
  }
  // onnxruntime folds a transpose of the last two axes into the product.
  const turned = (name: string, isTransposed: boolean): string => (isTransposed ? e.transpose(name, [0, 2, 1]) : name);
  return shaped(e.op('MatMul', [turned(x, left.transposed), turned(y, right.transposed)]), flat);
}
