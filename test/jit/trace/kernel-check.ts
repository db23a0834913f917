import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { replay } from '../../../jit/engines/eager/replay.ts';
import { type DType, type HostArray, sizeOf, typeText } from '../../../jit/graph/graph.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { trace } from '../../../jit/trace/trace.ts';
import { batch } from '../../../jit/transform/batch.ts';
import { simplify } from '../../../jit/transform/simplify.ts';
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

/**
 * What TensorFlow.js gives eagerly on its cpu backend, beside what the traced graph gives, and beside what it gives simplified and
 * batched for two particles: the text of the first difference, or nothing.
 */
export function differenceOf({ inputs, run }: Call, tolerance: number): string | undefined {
  return tf.tidy(() => {
    const types = new Map(Object.entries(inputs).map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
    const graph = trace(
      ({ x }: { readonly x: Tensors }) => {
        const results = listOf(run(Object.fromEntries(x)));
        return Object.fromEntries(results.map((result, index) => [String(index), result]));
      },
      { x: types },
    );
    verifyGraph(graph);
    const ports = new Set(graph.inputs.map(({ name }) => name));
    const batched = batch(simplify(graph), { particles: 2, mapped: ports });
    verifyGraph(batched);
    const runParticle = (each: Call['inputs']): Particle => {
      const tensors = Object.entries(each).map(([name, array]) => [name, tensorOf(array)] as const);
      return { eager: listOf(run(Object.fromEntries(tensors))), tensors: new Map(tensors) };
    };
    const [first, second] = [runParticle(inputs), runParticle(backwards(inputs))];
    const own = replay(graph, portsOf(first.tensors));
    const difference = firstDifference(first.eager, (index) => own.get(index), tolerance);
    if (difference !== undefined) return difference;
    const both = new Map([...first.tensors].map(([name, x]) => [name, stacked(x, second.tensors.get(name) ?? x)]));
    const all = replay(batched, portsOf(both));
    return [first, second]
      .map(({ eager }, particle) => {
        const text = firstDifference(eager, (index) => particleOf(all.get(index), particle), tolerance);
        return text === undefined ? undefined : `${text}, particle ${particle} of a batch`;
      })
      .find((text) => text !== undefined);
  });
}

interface Particle {
  readonly eager: readonly tf.Tensor[];
  readonly tensors: ReadonlyMap<string, tf.Tensor>;
}

/** Other inputs of the same kind: float32 numbers the other way round. Whole numbers may be positions and stay. */
function backwards(inputs: Call['inputs']): Call['inputs'] {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, array]) => [
      name,
      array.dtype === 'float32' ? { ...array, data: array.data.toReversed() } : array,
    ]),
  );
}

function portsOf(tensors: ReadonlyMap<string, tf.Tensor>): Map<string, tf.Tensor> {
  return new Map([...tensors].map(([name, x]) => [`x/${name}`, x]));
}

/** Two particles as one tensor. */
function stacked(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.tensor([...a.dataSync(), ...b.dataSync()], [2, ...a.shape], a.dtype);
}

function particleOf(x: tf.Tensor | undefined, particle: number): tf.Tensor | undefined {
  if (x === undefined) return undefined;
  const size = x.size / 2;
  return tf.tensor(x.dataSync().slice(particle * size, (particle + 1) * size), x.shape.slice(1), x.dtype);
}

function firstDifference(
  eager: readonly tf.Tensor[],
  of: (index: string) => tf.Tensor | undefined,
  tolerance: number,
): string | undefined {
  return eager
    .map((want, index) => {
      const got = of(String(index));
      return got === undefined ? `result ${index} is missing` : differenceOfTensors(want, got, tolerance);
    })
    .find((text) => text !== undefined);
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
