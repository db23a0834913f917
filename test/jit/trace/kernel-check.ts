import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { replay } from '../../../jit/engines/eager/replay.ts';
import { type DType, type HostArray, sizeOf, typeText } from '../../../jit/graph/graph.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { trace } from '../../../jit/trace/trace.ts';
import type { Tensors } from '../../../lopt/optimizer.ts';

/** One call of TensorFlow.js: its inputs by name and what it does with them. */
export interface Call {
  readonly inputs: Readonly<Record<string, HostArray>>;
  readonly run: (inputs: Readonly<Record<string, tf.Tensor>>) => tf.Tensor | readonly tf.Tensor[];
}

/** Calls of one kernel. */
export interface KernelCase {
  readonly kernel: string;
  readonly calls: fc.Arbitrary<Call>;
  /** Largest difference, relative to the largest finite result or, where that is smaller, to 1. 0 where the graph does the same operations. */
  readonly tolerance: number;
}

/** Another formula of the same function, which is rounded a few times more. */
export const ROUNDING = 1e-6;
/** Another order of up to 256 float32 additions, of terms up to 9. */
export const SUMMATION = 1e-5;

/** What TensorFlow.js gives eagerly, and what the traced graph gives, on its cpu backend: the text of the first difference, or nothing. */
export function differenceOf({ inputs, run }: Call, tolerance: number): string | undefined {
  return tf.tidy(() => {
    const tensors = Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, tensorOf(array)]));
    const eager = listOf(run(tensors));
    const graph = trace(
      ({ x }: { readonly x: Tensors }) => {
        const results = listOf(run(Object.fromEntries(x)));
        return Object.fromEntries(results.map((result, index) => [String(index), result]));
      },
      { x: new Map(Object.entries(inputs).map(([name, { shape, dtype }]) => [name, { shape, dtype }])) },
    );
    verifyGraph(graph);
    const outputs = replay(graph, new Map(Object.entries(tensors).map(([name, tensor]) => [`x/${name}`, tensor])));
    if (outputs.size !== eager.length) return `${eager.length} results but ${outputs.size} of the graph`;
    return eager
      .map((want, index) => differenceOfTensors(want, outputs.get(String(index)) as tf.Tensor, tolerance))
      .find((text) => text !== undefined);
  });
}

function listOf(result: tf.Tensor | readonly tf.Tensor[]): readonly tf.Tensor[] {
  return result instanceof tf.Tensor ? [result] : result;
}

function tensorOf({ shape, dtype, data }: HostArray): tf.Tensor {
  return tf.tensor(data, [...shape], dtype);
}

function differenceOfTensors(want: tf.Tensor, got: tf.Tensor, tolerance: number): string | undefined {
  const [a, b] = [want, got].map((x) => typeText({ shape: x.shape, dtype: x.dtype as DType }));
  if (a !== b) return `${a} but ${b} of the graph`;
  const [wanted, given] = [want.dataSync(), got.dataSync()];
  const scale = [...wanted].reduce((largest, x) => (Number.isFinite(x) ? Math.max(largest, Math.abs(x)) : largest), 1);
  const index = wanted.findIndex((x, at) => {
    const y = given[at] as number;
    return !(Object.is(x, y) || x === y || Math.abs(x - y) <= tolerance * scale);
  });
  return index < 0 ? undefined : `${wanted[index]} but ${given[index]} of the graph at ${index} of ${a}`;
}

/** Numbers that functions treat specially, and plain ones. */
const SPECIAL = [0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 6, 100, -100, 1e-8, -1e-8, NaN, Infinity, -Infinity];

export const PLAIN_NUMBERS = fc.double({ min: -3, max: 3, noNaN: true }).map(Math.fround);
export const ANY_NUMBERS = fc.oneof(PLAIN_NUMBERS, fc.constantFrom(...SPECIAL).map(Math.fround));
export const WHOLE_NUMBERS = fc.integer({ min: -5, max: 5 });
export const BITS = fc.integer({ min: 0, max: 1 });

/** Shapes of tensors with elements. */
export function shapes({ minRank = 0, maxRank = 4 } = {}): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: 1, max: 4 }), { minLength: minRank, maxLength: maxRank });
}

/** Arrays of a shape; float32 elements are plain unless others are asked for. */
export function arrays(
  shape: readonly number[],
  { dtype = 'float32', elements }: { readonly dtype?: DType; readonly elements?: fc.Arbitrary<number> } = {},
): fc.Arbitrary<HostArray> {
  const count = sizeOf(shape);
  const own = elements ?? (dtype === 'float32' ? PLAIN_NUMBERS : dtype === 'int32' ? WHOLE_NUMBERS : BITS);
  return fc.array(own, { minLength: count, maxLength: count }).map((numbers) => ({
    shape,
    dtype,
    data:
      dtype === 'float32'
        ? Float32Array.from(numbers)
        : dtype === 'int32'
          ? Int32Array.from(numbers)
          : Uint8Array.from(numbers),
  }));
}

/** Two shapes that broadcast together. */
export const BROADCAST_PAIRS: fc.Arbitrary<readonly [number[], number[]]> = shapes().chain((shape) => {
  const shrunk = fc
    .tuple(fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }), fc.nat(shape.length))
    .map(([ones, dropped]) => shape.map((extent, axis) => (ones[axis] === true ? 1 : extent)).slice(dropped));
  return fc.oneof(fc.tuple(fc.constant(shape), shrunk), fc.tuple(shrunk, fc.constant(shape)), fc.tuple(shrunk, shrunk));
});

/** One of the axes, counted from the start or from the end. */
export function anAxis(shape: readonly number[]): fc.Arbitrary<number> {
  return fc.integer({ min: -shape.length, max: shape.length - 1 });
}
