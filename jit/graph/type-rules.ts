import {
  type Attributes,
  type DType,
  type Graph,
  type Op,
  type ValueType,
  sameShape,
  sameType,
  sizeOf,
  typeText,
} from './graph.ts';
import { ShapeError } from './shape-error.ts';

/** What a primitive gives, from its attributes and the types of its inputs. Throws ShapeError on what it can't take. */
export type TypeRule<O extends Op> = (attrs: Attributes[O], inputs: readonly ValueType[]) => readonly ValueType[];

const BOOL_UNARY: ReadonlySet<string> = new Set(['not', 'isNan', 'isInf', 'isFinite']);
const BOOL_BINARY: ReadonlySet<string> = new Set(['and', 'or', 'xor']);
const INT_UNARY: ReadonlySet<string> = new Set(['neg', 'abs', 'sign', 'relu']);

function fail(op: string, expected: string, got: string): never {
  throw new ShapeError(`Cannot apply ${op}: expected ${expected} but got ${got}`);
}

function arity(op: string, inputs: readonly ValueType[], count: number): readonly ValueType[] {
  if (inputs.length !== count) fail(op, `${count} inputs`, `${inputs.length}`);
  return inputs;
}

function only(op: string, inputs: readonly ValueType[]): ValueType {
  return arity(op, inputs, 1)[0] as ValueType;
}

function expectDType(op: string, type: ValueType, dtypes: readonly DType[]): void {
  if (!dtypes.includes(type.dtype)) fail(op, dtypes.join(' or '), typeText(type));
}

function expectAxes(op: string, axes: readonly number[], rank: number): void {
  const seen = new Set<number>();
  for (const axis of axes) {
    if (!Number.isInteger(axis) || axis < 0 || axis >= rank || seen.has(axis))
      fail(op, `distinct axes from 0 to ${rank - 1}`, `[${axes.join(',')}]`);
    seen.add(axis);
  }
}

/** The shape to which shapes broadcast together by numpy's rule. Throws ShapeError, naming `op`, where they don't. */
export function broadcastShapes(op: string, shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let extent = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length] ?? 1;
      if (own === 1 || own === extent) continue;
      if (extent !== 1) fail(op, 'shapes that broadcast together', shapes.map((s) => `[${s.join(',')}]`).join(' and '));
      extent = own;
    }
    return extent;
  });
}

function broadcastPair(op: string, inputs: readonly ValueType[]): { shape: readonly number[]; dtype: DType } {
  const [a, b] = arity(op, inputs, 2) as [ValueType, ValueType];
  if (a.dtype !== b.dtype) fail(op, 'operands of one dtype', `${typeText(a)} and ${typeText(b)}`);
  return { shape: broadcastShapes(op, [a.shape, b.shape]), dtype: a.dtype };
}

function expectBody(op: string, body: Graph, types: readonly ValueType[]): void {
  if (body.inputs.length !== types.length)
    fail(op, `${body.inputs.length} inputs of ${body.name}`, String(types.length));
  body.inputs.forEach((port, index) => {
    const want = body.values[port.value] as ValueType;
    const got = types[index] as ValueType;
    if (!sameType(want, got)) fail(op, `${typeText(want)} for ${port.name} of ${body.name}`, typeText(got));
  });
}

function outputTypes(body: Graph): readonly ValueType[] {
  return body.outputs.map((port) => body.values[port.value] as ValueType);
}

function without(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.filter((_, axis) => !axes.includes(axis));
}

/** The type rule of every primitive. */
export const TYPE_RULES: { readonly [O in Op]: TypeRule<O> } = {
  constant: ({ shape, dtype, data }, inputs) => {
    arity('constant', inputs, 0);
    if (data.length !== 1 && data.length !== sizeOf(shape))
      fail('constant', `1 or ${sizeOf(shape)} elements`, `${data.length}`);
    return [{ shape, dtype }];
  },
  unary: ({ fn }, inputs) => {
    const x = only(fn, inputs);
    expectDType(fn, x, fn === 'not' ? ['bool'] : INT_UNARY.has(fn) ? ['float32', 'int32'] : ['float32']);
    return [{ shape: x.shape, dtype: BOOL_UNARY.has(fn) ? 'bool' : x.dtype }];
  },
  binary: ({ fn }, inputs) => {
    const type = broadcastPair(fn, inputs);
    expectDType(fn, type, BOOL_BINARY.has(fn) ? ['bool'] : ['float32', 'int32']);
    return [type];
  },
  compare: ({ fn }, inputs) => [{ shape: broadcastPair(fn, inputs).shape, dtype: 'bool' }],
  select: (_, inputs) => {
    const [condition, a, b] = arity('select', inputs, 3) as [ValueType, ValueType, ValueType];
    expectDType('select', condition, ['bool']);
    const { dtype } = broadcastPair('select', [a, b]);
    return [{ shape: broadcastShapes('select', [condition.shape, a.shape, b.shape]), dtype }];
  },
  reduce: ({ fn, axes, keepDims }, inputs) => {
    const x = only(fn, inputs);
    expectAxes(fn, axes, x.shape.length);
    expectDType(fn, x, fn === 'any' || fn === 'all' ? ['bool'] : fn === 'mean' ? ['float32'] : ['float32', 'int32']);
    const shape = keepDims ? x.shape.map((d, axis) => (axes.includes(axis) ? 1 : d)) : without(x.shape, axes);
    return [{ shape, dtype: x.dtype }];
  },
  argReduce: ({ fn, axis }, inputs) => {
    const x = only(`arg ${fn}`, inputs);
    expectAxes(`arg ${fn}`, [axis], x.shape.length);
    return [{ shape: without(x.shape, [axis]), dtype: 'int32' }];
  },
  contract: ({ leftBatch, rightBatch, leftContract, rightContract }, inputs) => {
    const [a, b] = arity('contract', inputs, 2) as [ValueType, ValueType];
    expectDType('contract', a, ['float32']);
    expectDType('contract', b, ['float32']);
    const left = [...leftBatch, ...leftContract];
    const right = [...rightBatch, ...rightContract];
    expectAxes('contract', left, a.shape.length);
    expectAxes('contract', right, b.shape.length);
    const extents = (shape: readonly number[], axes: readonly number[]) => axes.map((axis) => shape[axis] as number);
    if (leftBatch.length !== rightBatch.length || !sameShape(extents(a.shape, left), extents(b.shape, right)))
      fail('contract', 'equal extents along the axes paired', `${typeText(a)} [${left}] and ${typeText(b)} [${right}]`);
    const shape = [...extents(a.shape, leftBatch), ...without(a.shape, left), ...without(b.shape, right)];
    return [{ shape, dtype: 'float32' }];
  },
  gather: ({ axis, batchDims }, inputs) => {
    const [x, indices] = arity('gather', inputs, 2) as [ValueType, ValueType];
    expectDType('gather', indices, ['int32']);
    expectAxes('gather', [axis], x.shape.length);
    if (batchDims > axis || !sameShape(x.shape.slice(0, batchDims), indices.shape.slice(0, batchDims)))
      fail(
        'gather',
        `${batchDims} equal leading axes, all before axis ${axis}`,
        `${typeText(x)}, ${typeText(indices)}`,
      );
    const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)];
    return [{ shape, dtype: x.dtype }];
  },
  scatterAdd: ({ axis, batchDims, size }, inputs) => {
    const [indices, updates] = arity('scatterAdd', inputs, 2) as [ValueType, ValueType];
    expectDType('scatterAdd', indices, ['int32']);
    const indexRank = indices.shape.length - batchDims;
    if (batchDims > axis || !sameShape(updates.shape.slice(axis, axis + indexRank), indices.shape.slice(batchDims)))
      fail(
        'scatterAdd',
        `the indices' axes at axis ${axis} of the updates`,
        `${typeText(indices)}, ${typeText(updates)}`,
      );
    const shape = [...updates.shape.slice(0, axis), size, ...updates.shape.slice(axis + indexRank)];
    return [{ shape, dtype: updates.dtype }];
  },
  cumulative: ({ axis }, inputs) => {
    const x = only('cumulative', inputs);
    expectAxes('cumulative', [axis], x.shape.length);
    return [x];
  },
  reshape: ({ shape }, inputs) => {
    const x = only('reshape', inputs);
    if (sizeOf(shape) !== sizeOf(x.shape)) fail('reshape', `${sizeOf(x.shape)} elements`, `[${shape.join(',')}]`);
    return [{ shape, dtype: x.dtype }];
  },
  transpose: ({ perm }, inputs) => {
    const x = only('transpose', inputs);
    if (perm.length !== x.shape.length) fail('transpose', `${x.shape.length} axes`, `[${perm.join(',')}]`);
    expectAxes('transpose', perm, x.shape.length);
    return [{ shape: perm.map((axis) => x.shape[axis] as number), dtype: x.dtype }];
  },
  slice: ({ begin, size, strides }, inputs) => {
    const x = only('slice', inputs);
    x.shape.forEach((extent, axis) => {
      const first = begin[axis] ?? -1;
      const count = size[axis] ?? -1;
      const stride = strides[axis] ?? 0;
      const last = count === 0 ? first : first + (count - 1) * stride + 1;
      if (first < 0 || count < 0 || stride < 1 || last > extent)
        fail('slice', `a range inside ${typeText(x)}`, `begin [${begin}], size [${size}], strides [${strides}]`);
    });
    return [{ shape: size, dtype: x.dtype }];
  },
  pad: ({ before, after }, inputs) => {
    const x = only('pad', inputs);
    if (before.length !== x.shape.length || after.length !== x.shape.length || [...before, ...after].some((n) => n < 0))
      fail('pad', `widths >= 0 for ${x.shape.length} axes`, `[${before.join(',')}], [${after.join(',')}]`);
    return [{ shape: x.shape.map((d, axis) => d + (before[axis] ?? 0) + (after[axis] ?? 0)), dtype: x.dtype }];
  },
  concat: ({ axis }, inputs) => {
    const first = inputs[0] ?? fail('concat', 'at least one input', 'none');
    expectAxes('concat', [axis], first.shape.length);
    let extent = 0;
    for (const x of inputs) {
      const isLike =
        x.shape.length === first.shape.length &&
        x.dtype === first.dtype &&
        sameShape(without(x.shape, [axis]), without(first.shape, [axis]));
      if (!isLike) fail('concat', `inputs like ${typeText(first)} but for axis ${axis}`, typeText(x));
      extent += x.shape[axis] as number;
    }
    return [{ shape: first.shape.map((d, i) => (i === axis ? extent : d)), dtype: first.dtype }];
  },
  reverse: ({ axes }, inputs) => {
    const x = only('reverse', inputs);
    expectAxes('reverse', axes, x.shape.length);
    return [x];
  },
  broadcast: ({ shape }, inputs) => {
    const x = only('broadcast', inputs);
    if (!sameShape(broadcastShapes('broadcast', [x.shape, shape]), shape))
      fail('broadcast', `a shape that ${typeText(x)} broadcasts to`, `[${shape.join(',')}]`);
    return [{ shape, dtype: x.dtype }];
  },
  iota: ({ shape, axis, dtype }, inputs) => {
    arity('iota', inputs, 0);
    expectAxes('iota', [axis], shape.length);
    return [{ shape, dtype }];
  },
  cast: ({ dtype }, inputs) => [{ shape: only('cast', inputs).shape, dtype }],
  size: ({ axes }, inputs) => {
    expectAxes('size', axes, only('size', inputs).shape.length);
    return [{ shape: [], dtype: 'float32' }];
  },
  stopGradient: (_, inputs) => [only('stopGradient', inputs)],
  call: ({ body, count, mapped }, inputs) => {
    if (mapped.length !== body.inputs.length || count < 1)
      fail('call', `a flag for each of ${body.inputs.length} inputs`, `${mapped.length}`);
    const copies = mapped.map((isMapped) => (isMapped ? count : 1));
    arity(
      'call',
      inputs,
      copies.reduce((total, n) => total + n, 0),
    );
    for (let call = 0; call < count; call += 1) {
      let start = 0;
      const own = copies.map((n) => {
        const type = inputs[start + (n === 1 ? 0 : call)] as ValueType;
        start += n;
        return type;
      });
      expectBody('call', body, own);
    }
    return outputTypes(body).flatMap((type) => Array.from({ length: count }, () => type));
  },
  customGradient: ({ forward, backward }, inputs) => {
    expectBody('customGradient', forward, inputs);
    expectBody('customGradient', backward, [...inputs, ...outputTypes(forward)]);
    return outputTypes(forward);
  },
  cond: ({ then, otherwise }, inputs) => {
    const [predicate, ...operands] = inputs;
    if (predicate === undefined || predicate.dtype !== 'bool' || predicate.shape.length !== 0)
      fail('cond', 'a bool scalar as predicate', predicate === undefined ? 'none' : typeText(predicate));
    expectBody('cond', then, operands);
    expectBody('cond', otherwise, operands);
    const [a, b] = [outputTypes(then), outputTypes(otherwise)];
    if (a.length !== b.length || !a.every((type, index) => sameType(type, b[index] as ValueType)))
      fail('cond', `both branches to give ${a.map(typeText).join(', ')}`, b.map(typeText).join(', '));
    return a;
  },
  scan: ({ body, length, carries, sequences }, inputs) => {
    const carry = inputs.slice(0, carries);
    const slices = inputs.slice(carries, carries + sequences).map((type) => {
      if (type.shape[0] !== length) fail('scan', `sequences with a leading axis of ${length}`, typeText(type));
      return { shape: type.shape.slice(1), dtype: type.dtype };
    });
    expectBody('scan', body, [...carry, ...slices, ...inputs.slice(carries + sequences)]);
    const outputs = outputTypes(body);
    carry.forEach((type, index) => {
      const next = outputs[index];
      if (next === undefined || !sameType(type, next))
        fail('scan', `${typeText(type)} as next carry ${index}`, next === undefined ? 'none' : typeText(next));
    });
    const stacked = outputs.slice(carries).map(({ shape, dtype }) => ({ shape: [length, ...shape], dtype }));
    return [...carry, ...stacked];
  },
};
