import { type Attributes, sizeOf } from '../../graph/graph.ts';
import type { Emitted, Emitter } from './emitter.ts';
import { extentsOf, range } from '../axes.ts';
import { type Context, at, whole } from './rule-context.ts';

/** Row numbers of a table `[batch * size, ...]` from indices `[batch, count]`. */
function flatIndices(e: Emitter, indices: Emitted, { batches, size }: { batches: number; size: number }): string {
  const starts = Int32Array.from({ length: batches }, (_, batch) => batch * size);
  const count = sizeOf(indices.type.shape) / batches;
  const rows = e.reshape(e.full(indices), [batches, count]);
  if (batches === 1) return rows;
  return e.op('Add', [rows, e.constant({ shape: [batches, 1], dtype: 'int32', data: starts })]);
}

/** A gather; with batch axes from rows of a table. */
export function gather({ axis, batchDims }: Attributes['gather'], { e, inputs, output }: Context): Emitted {
  const [x, indices] = [at(inputs, 0), at(inputs, 1)];
  if (batchDims === 0) return whole(e.op('Gather', [e.full(x), e.full(indices)], { axis }), output);
  // As rows of a table: [batch * size, outer * rest].
  const shape = x.type.shape;
  const [batch, outer, rest] = [range(0, batchDims), range(batchDims, axis), range(axis + 1, shape.length)];
  const batches = sizeOf(extentsOf(shape, batch));
  const size = shape[axis] as number;
  const inner = extentsOf(shape, [...outer, ...rest]);
  const table = e.reshape(e.transpose(e.full(x), [...batch, axis, ...outer, ...rest]), [batches * size, sizeOf(inner)]);
  const rows = e.op('Gather', [table, flatIndices(e, indices, { batches, size })], { axis: 0 });
  const picked = indices.type.shape.slice(batchDims);
  const ordered = e.reshape(rows, [...extentsOf(shape, batch), ...picked, ...inner]);
  const pickedAxes = range(batchDims, batchDims + picked.length);
  const outerAxes = range(batchDims + picked.length, batchDims + picked.length + outer.length);
  const back = e.transpose(ordered, [
    ...batch,
    ...outerAxes,
    ...pickedAxes,
    ...range(batchDims + picked.length + outer.length, output.shape.length),
  ]);
  return whole(back, output);
}

/** Gather's transpose: updates added to rows of a table of zeros. */
export function scatterAdd(
  { axis, batchDims, size }: Attributes['scatterAdd'],
  { e, inputs, output }: Context,
): Emitted {
  const [indices, updates] = [at(inputs, 0), at(inputs, 1)];
  // As rows of a table: [batch * index, outer * rest] added into [batch * size, outer * rest].
  const shape = updates.type.shape;
  const picked = indices.type.shape.length - batchDims;
  const batch = range(0, batchDims);
  const outer = range(batchDims, axis);
  const rest = range(axis + picked, shape.length);
  const batches = sizeOf(extentsOf(shape, batch));
  const inner = extentsOf(shape, [...outer, ...rest]);
  const width = sizeOf(inner);
  const count = sizeOf(indices.type.shape);
  const front = e.transpose(e.full(updates), [...batch, ...range(axis, axis + picked), ...outer, ...rest]);
  const rows = e.reshape(front, [count, width]);
  const places = e.reshape(flatIndices(e, indices, { batches, size }), [count, 1]);
  const table = e.op('Expand', [e.scalar(0, output.dtype), e.integers([batches * size, width])]);
  const sum = e.op('ScatterND', [table, e.cast(places, 'int64'), rows], { reduction: 'add' });
  const split = e.reshape(sum, [...extentsOf(shape, batch), size, ...inner]);
  const end = batchDims + 1 + outer.length;
  return whole(
    e.transpose(split, [...batch, ...range(batchDims + 1, end), batchDims, ...range(end, output.shape.length)]),
    output,
  );
}
