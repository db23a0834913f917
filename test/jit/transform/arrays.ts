import type { GraphBuilder } from '../../../jit/graph/builder.ts';
import { type Graph, type HostArray, type ValueId, allocate, sizeOf } from '../../../jit/graph/graph.ts';
import { replayed } from '../replayed.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';

export type Arrays = ReadonlyMap<string, HostArray>;

/** Numbers of (0.15, 0.85), all different, at least 1e-5 apart up to some thousands of them: the fractions of multiples of the golden ratio. */
export function irregular(count: number, phase = 0): number[] {
  return Array.from(
    { length: count },
    (_, i) => 0.15 + 0.7 * (((i + 1 + phase * 101) * 0.6180339887498949 + phase * 0.37) % 1),
  );
}

export function floats(shape: readonly number[], values: readonly number[] = irregular(sizeOf(shape))): HostArray {
  return { shape, dtype: 'float32', data: Float32Array.from(values) };
}

export function integers(shape: readonly number[], values: readonly number[]): HostArray {
  return { shape, dtype: 'int32', data: Int32Array.from(values) };
}

export function bools(shape: readonly number[], values: readonly number[]): HostArray {
  return { shape, dtype: 'bool', data: Uint8Array.from(values) };
}

/** Adds an input for each array. */
export function addInputs(builder: GraphBuilder, arrays: Arrays): ValueId[] {
  return [...arrays].map(([name, type]) => builder.input(name, type));
}

/** The number `sum of x * weights`, weights irregular: a scalar that depends on every element in its own way. */
export function weighted(builder: GraphBuilder, x: ValueId, phase = 5): ValueId {
  const { shape } = builder.type(x);
  const weights = builder.constant(floats(shape, irregular(Math.max(1, sizeOf(shape)), phase)));
  const product = builder.one('binary', { fn: 'mul' }, [x, weights]);
  const axes = shape.map((_, axis) => axis);
  return axes.length === 0 ? product : builder.one('reduce', { fn: 'sum', axes, keepDims: false }, [product]);
}

/** Runs a legal graph on TensorFlow.js's cpu backend; what that leaves behind fails the test. */
export function run(graph: Graph, inputs: Arrays): Map<string, HostArray> {
  verifyGraph(graph);
  return replayed(graph, inputs);
}

/** The first place where two arrays differ, in words; undefined where they agree within `tolerance` (relative to 1 where smaller). */
export function difference(got: HostArray | undefined, want: HostArray, tolerance: number): string | undefined {
  if (got === undefined) return 'missing';
  if (got.dtype !== want.dtype || got.shape.join() !== want.shape.join())
    return `expected ${want.dtype}[${want.shape.join()}] but got ${got.dtype}[${got.shape.join()}]`;
  for (let place = 0; place < want.data.length; place += 1) {
    const [a, b] = [got.data[place] as number, want.data[place] as number];
    if (Object.is(a, b) || Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b))) continue;
    return `expected ${b} but got ${a} at element ${place}`;
  }
  return undefined;
}

/** Arrays of one type along a new leading axis. */
export function stacked(arrays: readonly HostArray[]): HostArray {
  const { shape, dtype } = arrays[0] as HostArray;
  const data = allocate(dtype, arrays.length * sizeOf(shape));
  arrays.forEach((array, index) => data.set(array.data, index * sizeOf(shape)));
  return { shape: [arrays.length, ...shape], dtype, data };
}
