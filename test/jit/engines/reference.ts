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

/** Round half to even. */
function roundEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** erf by its series for small x, by the continued fraction of erfc for large x. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n += 1) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n -= 1) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

const floorMod = (a: number, b: number): number => {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
};

const UNARY: Record<Attributes['unary']['fn'], (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  erf,
  relu: (x) => (x < 0 ? 0 : x),
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundEven,
  not: (x) => 1 - x,
  isNan: (x) => Number(Number.isNaN(x)),
  isInf: (x) => Number(Math.abs(x) === Number.POSITIVE_INFINITY),
  isFinite: (x) => Number(Number.isFinite(x)),
};

const FLOAT_BINARY: Record<Attributes['binary']['fn'], (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  pow: (a, b) => a ** b,
  atan2: Math.atan2,
  mod: floorMod,
  floorDiv: (a, b) => Math.floor(a / b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

const INT_BINARY: typeof FLOAT_BINARY = {
  ...FLOAT_BINARY,
  mul: Math.imul,
  div: (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
  mod: (a, b) => (b === 0 ? 0 : floorMod(a, b)),
  floorDiv: (a, b) => (b === 0 ? 0 : Math.floor(a / b)),
  pow: (a, b) => Math.trunc(a ** b),
  atan2: (a, b) => Math.trunc(Math.atan2(a, b)),
};

const COMPARE: Record<Attributes['compare']['fn'], (a: number, b: number) => boolean> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
};

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
  unary: ({ fn }, inputs, types) => one((index) => UNARY[fn](read(at(inputs, 0), index)), types),
  binary: ({ fn }, inputs, types) => {
    const table = types[0]?.dtype === 'int32' ? INT_BINARY : FLOAT_BINARY;
    return one((index) => table[fn](read(at(inputs, 0), index), read(at(inputs, 1), index)), types);
  },
  compare: ({ fn }, inputs, types) =>
    one((index) => Number(COMPARE[fn](read(at(inputs, 0), index), read(at(inputs, 1), index))), types),
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
