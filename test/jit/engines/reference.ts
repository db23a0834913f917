import {
  type Attributes,
  type Graph,
  type HostArray,
  type Node,
  type Op,
  type TypedArray,
  type ValueId,
  type ValueType,
  allocate,
  sizeOf,
} from '../../../jit/graph/graph.ts';
import { BINARY_SCALARS, COMPARISON_SCALARS, UNARY_SCALARS } from '../../../jit/engines/native/ir/scalar-functions.ts';

/**
 * The meaning of every primitive, written as plainly as possible: loops over elements in double precision, rounded once a node. What
 * engines are compared with.
 */

type Rule<O extends Op> = (
  attrs: Attributes[O],
  inputs: readonly HostArray[],
  types: readonly ValueType[],
) => HostArray[];

/** Mixed-radix digits of an element's place. */
function indexOf(place: number, shape: readonly number[]): number[] {
  const index = shape.map(() => 0);
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    const extent = shape[axis] as number;
    index[axis] = place % extent;
    place = Math.floor(place / extent);
  }
  return index;
}

function placeOf(index: readonly number[], shape: readonly number[]): number {
  return shape.reduce((place, extent, axis) => place * extent + (index[axis] as number), 0);
}

/** An element, the array broadcast: axes align from the right and those of extent one repeat. */
function read(array: HostArray, index: readonly number[]): number {
  const lead = index.length - array.shape.length;
  const own = array.shape.map((extent, axis) => (extent === 1 ? 0 : (index[axis + lead] as number)));
  return array.data[array.data.length === 1 ? 0 : placeOf(own, array.shape)] as number;
}

/** Whether float32 values are kept in double precision. */
let inDouble = false;

function allocateElements(dtype: ValueType['dtype'], count: number): TypedArray {
  // One boundary: arrays of doubles stand for arrays of floats where digits are needed that floats lack.
  return inDouble && dtype === 'float32'
    ? (new Float64Array(count) as unknown as Float32Array)
    : allocate(dtype, count);
}

function build(type: ValueType, element: (index: number[]) => number): HostArray {
  const data = allocateElements(type.dtype, sizeOf(type.shape));
  for (let place = 0; place < data.length; place += 1) data[place] = element(indexOf(place, type.shape));
  return { ...type, data };
}

const REDUCE: Record<Attributes['reduce']['fn'], (elements: number[]) => number> = {
  sum: (xs) => xs.reduce((a, b) => a + b, 0),
  mean: (xs) => xs.reduce((a, b) => a + b, 0) / xs.length,
  max: (xs) => Math.max(...xs),
  min: (xs) => Math.min(...xs),
  prod: (xs) => xs.reduce((a, b) => a * b, 1),
  any: (xs) => Number(xs.includes(1)),
  all: (xs) => Number(!xs.includes(0)),
};

const at = (inputs: readonly HostArray[], index: number): HostArray => inputs[index] as HostArray;
const one = (rule: (index: number[]) => number, types: readonly ValueType[]): HostArray[] => [
  build(types[0] as ValueType, rule),
];

const RULES: { readonly [O in Op]: Rule<O> } = {
  constant: ({ data }, _, types) =>
    one((index) => data[data.length === 1 ? 0 : placeOf(index, (types[0] as ValueType).shape)] as number, types),
  unary: ({ fn }, inputs, types) => one((index) => UNARY_SCALARS[fn](read(at(inputs, 0), index)), types),
  binary: ({ fn }, inputs, types) => {
    const apply = BINARY_SCALARS[types[0]?.dtype ?? 'float32'][fn];
    return one((index) => apply(read(at(inputs, 0), index), read(at(inputs, 1), index)), types);
  },
  compare: ({ fn }, inputs, types) =>
    one((index) => Number(COMPARISON_SCALARS[fn](read(at(inputs, 0), index), read(at(inputs, 1), index))), types),
  select: (_, inputs, types) =>
    one((index) => read(at(inputs, read(at(inputs, 0), index) === 1 ? 1 : 2), index), types),
  reduce: ({ fn, axes, keepDims }, inputs, types) => {
    const x = at(inputs, 0);
    const inner = axes.map((axis) => x.shape[axis] as number);
    return one((index) => {
      const kept = keepDims ? index.filter((_, axis) => !axes.includes(axis)) : index;
      const elements = Array.from({ length: sizeOf(inner) }, (_, place) => {
        const digits = indexOf(place, inner);
        const outer = [...kept];
        return read(
          x,
          x.shape.map((_, axis) =>
            axes.includes(axis) ? (digits[axes.indexOf(axis)] as number) : (outer.shift() as number),
          ),
        );
      });
      const reduced = REDUCE[fn](elements);
      // The largest of no int32 is the smallest there is.
      return x.dtype === 'int32' ? Math.min(Math.max(reduced, -(2 ** 31)), 2 ** 31 - 1) : reduced;
    }, types);
  },
  argReduce: ({ fn, axis }, inputs, types) => {
    const x = at(inputs, 0);
    return one((index) => {
      const elements = Array.from({ length: x.shape[axis] as number }, (_, i) => read(x, index.toSpliced(axis, 0, i)));
      return elements.indexOf(fn === 'max' ? Math.max(...elements) : Math.min(...elements));
    }, types);
  },
  contract: ({ leftBatch, rightBatch, leftContract, rightContract }, inputs, types) => {
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    const free = (x: HostArray, taken: readonly number[]) => x.shape.map((_, i) => i).filter((i) => !taken.includes(i));
    const leftFree = free(a, [...leftBatch, ...leftContract]);
    const rightFree = free(b, [...rightBatch, ...rightContract]);
    const inner = leftContract.map((axis) => a.shape[axis] as number);
    return one((index) => {
      const left = a.shape.map(() => 0);
      const right = b.shape.map(() => 0);
      leftBatch.forEach((axis, i) => (left[axis] = index[i] as number));
      rightBatch.forEach((axis, i) => (right[axis] = index[i] as number));
      leftFree.forEach((axis, i) => (left[axis] = index[leftBatch.length + i] as number));
      rightFree.forEach((axis, i) => (right[axis] = index[leftBatch.length + leftFree.length + i] as number));
      let sum = 0;
      for (let place = 0; place < sizeOf(inner); place += 1) {
        const digits = indexOf(place, inner);
        leftContract.forEach((axis, i) => (left[axis] = digits[i] as number));
        rightContract.forEach((axis, i) => (right[axis] = digits[i] as number));
        sum += read(a, left) * read(b, right);
      }
      return sum;
    }, types);
  },
  gather: ({ axis, batchDims }, inputs, types) => {
    const [x, indices] = [at(inputs, 0), at(inputs, 1)];
    const picked = indices.shape.length - batchDims;
    return one((index) => {
      const place = read(indices, [...index.slice(0, batchDims), ...index.slice(axis, axis + picked)]);
      return read(x, [...index.slice(0, axis), place, ...index.slice(axis + picked)]);
    }, types);
  },
  scatterAdd: ({ axis, batchDims }, inputs, types) => {
    const [indices, updates] = [at(inputs, 0), at(inputs, 1)];
    const picked = indices.shape.length - batchDims;
    const type = types[0] as ValueType;
    const sums = new Float64Array(sizeOf(type.shape));
    updates.data.forEach((update, place) => {
      const index = indexOf(place, updates.shape);
      const row = read(indices, [...index.slice(0, batchDims), ...index.slice(axis, axis + picked)]);
      sums[placeOf([...index.slice(0, axis), row, ...index.slice(axis + picked)], type.shape)] =
        (sums[placeOf([...index.slice(0, axis), row, ...index.slice(axis + picked)], type.shape)] as number) + update;
    });
    return [build(type, (index) => sums[placeOf(index, type.shape)] as number)];
  },
  cumulative: ({ fn, axis, exclusive, reverse }, inputs, types) => {
    const x = at(inputs, 0);
    return one((index) => {
      const here = index[axis] as number;
      const places = Array.from({ length: x.shape[axis] as number }, (_, i) => i).filter((i) => {
        if (i === here) return !exclusive;
        return reverse ? i > here : i < here;
      });
      const elements = places.map((i) => read(x, index.toSpliced(axis, 1, i)));
      return REDUCE[fn](elements);
    }, types);
  },
  reshape: (_, inputs, types) =>
    one((index) => at(inputs, 0).data[placeOf(index, (types[0] as ValueType).shape)] as number, types),
  transpose: ({ perm }, inputs, types) =>
    one(
      (index) =>
        read(
          at(inputs, 0),
          perm.map((_, axis) => index[perm.indexOf(axis)] as number),
        ),
      types,
    ),
  slice: ({ begin, strides }, inputs, types) =>
    one(
      (index) =>
        read(
          at(inputs, 0),
          index.map((i, axis) => (begin[axis] as number) + i * (strides[axis] as number)),
        ),
      types,
    ),
  pad: ({ before, value }, inputs, types) =>
    one((index) => {
      const x = at(inputs, 0);
      const inside = index.map((i, axis) => i - (before[axis] as number));
      return inside.every((i, axis) => i >= 0 && i < (x.shape[axis] as number)) ? read(x, inside) : value;
    }, types),
  concat: ({ axis }, inputs, types) =>
    one((index) => {
      let place = index[axis] as number;
      for (const x of inputs) {
        if (place < (x.shape[axis] as number)) return read(x, index.toSpliced(axis, 1, place));
        place -= x.shape[axis] as number;
      }
      throw new RangeError('outside all parts');
    }, types),
  reverse: ({ axes }, inputs, types) =>
    one((index) => {
      const x = at(inputs, 0);
      return read(
        x,
        index.map((i, axis) => (axes.includes(axis) ? (x.shape[axis] as number) - 1 - i : i)),
      );
    }, types),
  broadcast: (_, inputs, types) => one((index) => read(at(inputs, 0), index), types),
  iota: ({ axis }, _, types) => one((index) => index[axis] as number, types),
  cast: ({ dtype }, inputs, types) =>
    one((index) => {
      const x = read(at(inputs, 0), index);
      return dtype === 'bool' ? Number(x !== 0) : x;
    }, types),
  size: ({ axes }, inputs, types) => one(() => sizeOf(axes.map((axis) => at(inputs, 0).shape[axis] as number)), types),
  stopGradient: (_, inputs) => [at(inputs, 0)],
  call: ({ body, count, mapped }, inputs) => {
    const results = Array.from({ length: count }, (_, call) => {
      let start = 0;
      const own = mapped.map((isMapped) => {
        const array = at(inputs, start + (isMapped ? call : 0));
        start += isMapped ? count : 1;
        return array;
      });
      return evaluateBody(body, own);
    });
    return body.outputs.flatMap((_, index) => results.map((result) => at(result, index)));
  },
  customGradient: ({ forward }, inputs) => evaluateBody(forward, inputs),
  cond: ({ then, otherwise }, inputs) => evaluateBody(at(inputs, 0).data[0] === 1 ? then : otherwise, inputs.slice(1)),
  scan: ({ body, length, carries, sequences }, inputs, types) => {
    let carry = inputs.slice(0, carries);
    const stacks = types.slice(carries).map((): number[] => []);
    for (let step = 0; step < length; step += 1) {
      const slices = inputs.slice(carries, carries + sequences).map((x) => {
        const size = sizeOf(x.shape.slice(1));
        return { shape: x.shape.slice(1), dtype: x.dtype, data: x.data.slice(step * size, (step + 1) * size) };
      });
      const outputs = evaluateBody(body, [...carry, ...slices, ...inputs.slice(carries + sequences)]);
      carry = outputs.slice(0, carries);
      outputs.slice(carries).forEach((array, index) => stacks[index]?.push(...array.data));
    }
    const stacked = stacks.map((elements, index) => {
      const type = types[carries + index] as ValueType;
      return build(type, (at) => elements[placeOf(at, type.shape)] as number);
    });
    return [...carry, ...stacked];
  },
};

function evaluateBody(graph: Graph, inputs: readonly HostArray[]): HostArray[] {
  const values = new Map<ValueId, HostArray>(graph.inputs.map((port, index) => [port.value, at(inputs, index)]));
  for (const node of graph.nodes) {
    const rule = RULES[node.op] as Rule<Op>;
    const outputs = rule(
      (node as Node).attrs,
      node.inputs.map((id) => values.get(id) as HostArray),
      node.outputs.map((id) => graph.values[id] as ValueType),
    );
    node.outputs.forEach((id, index) => values.set(id, at(outputs, index)));
  }
  return graph.outputs.map((port) => values.get(port.value) as HostArray);
}

/** The outputs of a graph by name. */
export function evaluate(graph: Graph, inputs: ReadonlyMap<string, HostArray>): Map<string, HostArray> {
  const outputs = evaluateBody(
    graph,
    graph.inputs.map((port) => inputs.get(port.name) as HostArray),
  );
  return new Map(graph.outputs.map((port, index) => [port.name, at(outputs, index)]));
}

/** The same in double precision throughout, as finite differences need it; inputs may hold Float64Arrays. */
export function evaluateInDouble(graph: Graph, inputs: ReadonlyMap<string, HostArray>): Map<string, HostArray> {
  inDouble = true;
  try {
    return evaluate(graph, inputs);
  } finally {
    inDouble = false;
  }
}
