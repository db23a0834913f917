/** Derivatives against tf.grads of TensorFlow.js, on whole and half numbers: zeros, ones and ties come up all the time. */
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import {
  type BinaryFunction,
  type HostArray,
  type UnaryFunction,
  type ValueId,
  sizeOf,
} from '../../../jit/graph/graph.ts';
import { gradientGraph } from '../../../jit/transform/differentiate.ts';
import { hvpGraph } from '../../../jit/transform/hvp.ts';
import { addInputs, difference, floats, run, weighted } from './arrays.ts';

/** A few float32 roundings on each side; sums of up to hundred elements in different orders. */
const TOLERANCE = 2e-5;
const RUNS = 25;

interface Pair {
  readonly shapes: fc.Arbitrary<readonly (readonly number[])[]>;
  readonly fill?: fc.Arbitrary<number>;
  /** Adds the function to a builder. */
  readonly graph: (builder: GraphBuilder, inputs: readonly ValueId[]) => ValueId;
  /** The same in TensorFlow.js. */
  readonly tf: (inputs: readonly tf.Tensor[]) => tf.Tensor;
}

const halves = fc.integer({ min: -4, max: 4 }).map((n) => n / 2);
const extent = fc.integer({ min: 1, max: 4 });
const anyShape = fc.array(extent, { maxLength: 3 });
const one = anyShape.map((shape) => [shape]);
const two = anyShape.map((shape) => [shape, shape]);
const broadcasting = fc
  .tuple(anyShape, fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), fc.nat(3))
  .map(([shape, ones, drop]) => [
    shape,
    shape.map((d, axis) => (ones[axis] === true ? 1 : d)).slice(Math.min(drop, shape.length)),
  ]);

/** Gradients of both, of the weighted sum of the result. */
async function compare(pair: Pair, arrays: readonly HostArray[]): Promise<void> {
  const builder = new GraphBuilder('case');
  const inputs = new Map(arrays.map((array, index) => [`x${index}`, array]));
  const result = pair.graph(builder, addInputs(builder, inputs));
  const graph = builder.finish([{ name: 'value', value: weighted(builder, result) }]);
  const found = run(gradientGraph(graph, { output: 'value', wrt: [...inputs.keys()] }), inputs);
  // The weights are the last constant.
  const constants = graph.nodes.filter((node) => node.op === 'constant').map(({ attrs }) => attrs);
  const { shape, data } = constants.at(-1) as HostArray;
  const wants = tf.tidy(() => {
    const f = (...tensors: tf.Tensor[]) => tf.sum(tf.mul(pair.tf(tensors), tf.tensor(data, [...shape])));
    return tf
      .grads(f)(arrays.map((x) => tf.tensor(x.data, [...x.shape])))
      .map((x) => x.dataSync().slice());
  });
  const wrong = arrays.map((array, index) =>
    difference(found.get(`gradient/x${index}`), { ...array, data: wants[index] as Float32Array }, TOLERANCE),
  );
  expect(wrong).toEqual(arrays.map(() => undefined));
}

async function check(pair: Pair): Promise<void> {
  const arrays = pair.shapes.chain((shapes) =>
    fc.tuple(
      ...shapes.map((shape) =>
        fc
          .array(pair.fill ?? halves, { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
          .map((values) => floats(shape, values)),
      ),
    ),
  );
  await fc.assert(
    fc.asyncProperty(arrays, (each) => compare(pair, each)),
    { numRuns: RUNS, seed: 7 },
  );
}

const positive = fc.integer({ min: 1, max: 8 }).map((n) => n / 2);
const inside = fc.integer({ min: -7, max: 7 }).map((n) => n / 8);

const UNARY: Partial<Record<UnaryFunction, { tf: (x: tf.Tensor) => tf.Tensor; fill?: fc.Arbitrary<number> }>> = {
  neg: { tf: tf.neg },
  abs: { tf: tf.abs },
  exp: { tf: tf.exp },
  expm1: { tf: tf.expm1 },
  log: { tf: tf.log, fill: positive },
  log1p: { tf: tf.log1p, fill: positive },
  sqrt: { tf: tf.sqrt, fill: positive },
  rsqrt: { tf: tf.rsqrt, fill: positive },
  reciprocal: { tf: tf.reciprocal, fill: positive },
  sin: { tf: tf.sin },
  cos: { tf: tf.cos },
  tan: { tf: tf.tan, fill: inside },
  asin: { tf: tf.asin, fill: inside },
  acos: { tf: tf.acos, fill: inside },
  atan: { tf: tf.atan },
  sinh: { tf: tf.sinh },
  cosh: { tf: tf.cosh },
  tanh: { tf: tf.tanh },
  asinh: { tf: tf.asinh },
  acosh: { tf: tf.acosh, fill: positive.map((x) => x + 1) },
  atanh: { tf: tf.atanh, fill: inside },
  sigmoid: { tf: tf.sigmoid },
  softplus: { tf: tf.softplus },
  erf: { tf: tf.erf },
  relu: { tf: tf.relu },
  sign: { tf: tf.sign },
  floor: { tf: tf.floor },
  ceil: { tf: tf.ceil },
  round: { tf: tf.round },
};

const BINARY: Partial<
  Record<
    BinaryFunction,
    { tf: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor; fill?: fc.Arbitrary<number>; shapes?: Pair['shapes'] }
  >
> = {
  add: { tf: tf.add },
  sub: { tf: tf.sub },
  mul: { tf: tf.mul },
  div: { tf: tf.div, fill: positive },
  // TensorFlow.js doesn't sum these two over broadcast axes.
  max: { tf: tf.maximum, shapes: two },
  min: { tf: tf.minimum, shapes: two },
  pow: { tf: tf.pow, fill: positive },
  atan2: { tf: tf.atan2, fill: positive },
  mod: { tf: tf.mod, fill: positive },
};

describe('elementwise derivatives are those of TensorFlow.js', () => {
  test.each(Object.entries(UNARY))('%s', async (fn, { tf: f, fill }) => {
    const graph: Pair['graph'] = (builder, inputs) => builder.one('unary', { fn: fn as UnaryFunction }, inputs);
    await check({ shapes: one, graph, tf: ([x]) => f(x as tf.Tensor), ...(fill === undefined ? {} : { fill }) });
  });

  test.each(Object.entries(BINARY))('%s', async (fn, { tf: f, fill, shapes = broadcasting }) => {
    const graph: Pair['graph'] = (builder, inputs) => builder.one('binary', { fn: fn as BinaryFunction }, inputs);
    const both: Pair['tf'] = ([a, b]) => f(a as tf.Tensor, b as tf.Tensor);
    await check({ shapes, graph, tf: both, ...(fill === undefined ? {} : { fill }) });
  });

  test('pow of bases that are zero or negative, to whole exponents', async () => {
    const graph: Pair['graph'] = (builder, inputs) => builder.one('binary', { fn: 'pow' }, inputs);
    const both: Pair['tf'] = ([a, b]) => tf.pow(a as tf.Tensor, b as tf.Tensor);
    for (const exponent of [1, 2, 3])
      await compare({ shapes: two, graph, tf: both }, [
        floats([5], [-2, -0.5, 0, 0.5, 2]),
        floats(
          [5],
          Array.from({ length: 5 }, () => exponent),
        ),
      ]);
  });

  test('select', async () => {
    const mask = Uint8Array.of(1, 0, 1, 1, 0, 0);
    await check({
      shapes: fc.constant([
        [2, 3],
        [2, 3],
      ]),
      graph: (builder, inputs) =>
        builder.one('select', {}, [builder.constant({ shape: [2, 3], dtype: 'bool', data: mask }), ...inputs]),
      tf: ([a, b]) => tf.where(tf.tensor2d(mask, [2, 3], 'bool'), a as tf.Tensor, b as tf.Tensor),
    });
  });
});

const REDUCTIONS = { sum: tf.sum, mean: tf.mean, max: tf.max, min: tf.min, prod: tf.prod } as const;
const shapeAndAxes = fc.array(extent, { minLength: 1, maxLength: 3 }).chain((shape) =>
  fc.tuple(
    fc.constant(shape),
    fc.subarray(
      shape.map((_, axis) => axis),
      { minLength: 1 },
    ),
  ),
);

describe('other derivatives are those of TensorFlow.js', () => {
  test.each(Object.entries(REDUCTIONS))('%s', async (fn, f) => {
    for (const [shape, axes] of fc.sample(shapeAndAxes, { numRuns: 12, seed: 3 }))
      await check({
        shapes: fc.constant([shape]),
        graph: (builder, inputs) =>
          builder.one('reduce', { fn: fn as keyof typeof REDUCTIONS, axes, keepDims: false }, inputs),
        tf: ([x]) => f(x as tf.Tensor, axes),
      });
  });

  test.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('matmul, transposed: %s, %s', async (left, right) => {
    const extents = fc.tuple(extent, extent, extent, extent);
    await check({
      shapes: extents.map(([batch, m, k, n]) => [
        left ? [batch, k, m] : [batch, m, k],
        right ? [batch, n, k] : [batch, k, n],
      ]),
      graph: (builder, inputs) =>
        builder.one(
          'contract',
          { leftBatch: [0], rightBatch: [0], leftContract: [left ? 1 : 2], rightContract: [right ? 2 : 1] },
          inputs,
        ),
      tf: ([a, b]) => tf.matMul(a as tf.Tensor, b as tf.Tensor, left, right),
    });
  });

  test('cumulative sums', async () => {
    for (const exclusive of [false, true])
      for (const reverse of [false, true])
        await check({
          shapes: fc.array(extent, { minLength: 1, maxLength: 3 }).map((shape) => [shape]),
          graph: (builder, inputs) => {
            const axis = builder.type(inputs[0] as ValueId).shape.length - 1;
            return builder.one('cumulative', { fn: 'sum', axis, exclusive, reverse }, inputs);
          },
          tf: ([x]) => tf.cumsum(x as tf.Tensor, (x as tf.Tensor).rank - 1, exclusive, reverse),
        });
  });

  test('gather, slice, pad, concat, reverse, transpose and broadcast in one', async () => {
    const indices = Int32Array.of(2, 0, 2, 1);
    await check({
      shapes: fc.constant([
        [3, 4],
        [3, 2],
      ]),
      graph: (builder, [x = 0, y = 0]) => {
        const picked = builder.one('gather', { axis: 1, batchDims: 0 }, [
          x,
          builder.constant({ shape: [4], dtype: 'int32', data: indices }),
        ]);
        const joined = builder.one('concat', { axis: 1 }, [picked, y, y]);
        const sliced = builder.one('slice', { begin: [1, 2], size: [2, 5], strides: [1, 1] }, [joined]);
        const padded = builder.one('pad', { before: [1, 0], after: [0, 2], value: 3 }, [sliced]);
        const turned = builder.one('transpose', { perm: [1, 0] }, [builder.one('reverse', { axes: [1] }, [padded])]);
        return builder.one('binary', { fn: 'mul' }, [builder.one('broadcast', { shape: [2, 7, 3] }, [turned]), turned]);
      },
      tf: ([x, y]) => {
        const picked = tf.gather(x as tf.Tensor, tf.tensor1d(indices, 'int32'), 1);
        const sliced = tf.slice(tf.concat([picked, y as tf.Tensor, y as tf.Tensor], 1), [1, 2], [2, 5]);
        const padded = tf.pad(
          sliced,
          [
            [1, 0],
            [0, 2],
          ],
          3,
        );
        const turned = tf.transpose(tf.reverse(padded, 1));
        return tf.mul(tf.broadcastTo(tf.expandDims(turned, 0), [2, 7, 3]), turned);
      },
    });
  });
});

describe('where TensorFlow.js has no finite derivative', () => {
  const gradientOf = (fn: (builder: GraphBuilder, x: ValueId) => ValueId, x: HostArray): number[] => {
    const builder = new GraphBuilder('f');
    const result = fn(builder, builder.input('x', x));
    const axes = builder.type(result).shape.map((_, axis) => axis);
    const value = axes.length === 0 ? result : builder.one('reduce', { fn: 'sum', axes, keepDims: false }, [result]);
    const graph = gradientGraph(builder.finish([{ name: 'value', value }]), { output: 'value', wrt: ['x'] });
    return Array.from(run(graph, new Map([['x', x]])).get('gradient/x')?.data ?? []);
  };
  const sqrt = (builder: GraphBuilder, x: ValueId): ValueId => builder.one('unary', { fn: 'sqrt' }, [x]);
  const square = (builder: GraphBuilder, x: ValueId): ValueId => builder.one('binary', { fn: 'mul' }, [x, x]);

  test('sqrt at 0 has derivative 0', () => {
    expect(gradientOf(sqrt, floats([3], [0, 4, 0.25]))).toEqual([0, 0.25, 1]);
  });

  test('a norm at 0 has derivative 0', () => {
    const norm = (builder: GraphBuilder, x: ValueId): ValueId =>
      sqrt(builder, builder.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [square(builder, x)]));
    expect(gradientOf(norm, floats([2], [0, 0]))).toEqual([0, 0]);
    expect(gradientOf(norm, floats([2], [3, -4]))).toEqual([Math.fround(0.6), Math.fround(-0.8)]);
  });

  test('a norm at 0 has a second derivative of 0, and no NaN', () => {
    const b = new GraphBuilder('norm');
    const x = b.input('x', { shape: [2], dtype: 'float32' });
    const value = sqrt(b, b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [square(b, x)]));
    const graph = hvpGraph(b.finish([{ name: 'value', value }]), { output: 'value', wrt: ['x'] });
    const arrays = new Map([
      ['x', floats([2], [0, 0])],
      ['tangent/x', floats([2], [1, 2])],
    ]);
    expect(Array.from(run(graph, arrays).get('hvp/x')?.data ?? [], Math.abs)).toEqual([0, 0]);
  });

  test('ties as documented: abs at 0 is -1, relu at 0 is 0, the first operand of max and min, all equal elements', () => {
    const zeros = floats([2], [0, 0]);
    expect(gradientOf((b, x) => b.one('unary', { fn: 'abs' }, [x]), floats([3], [0, -0, 2]))).toEqual([-1, -1, 1]);
    expect(gradientOf((b, x) => b.one('unary', { fn: 'relu' }, [x]), floats([3], [0, -1, 2]))).toEqual([0, 0, 1]);
    const pair = (fn: 'max' | 'min', swap: boolean) => (b: GraphBuilder, x: ValueId) =>
      b.one('binary', { fn }, swap ? [b.splat(0), x] : [x, b.splat(0)]);
    expect(gradientOf(pair('max', false), zeros)).toEqual([1, 1]);
    expect(gradientOf(pair('max', true), zeros)).toEqual([0, 0]);
    expect(gradientOf(pair('min', false), zeros)).toEqual([1, 1]);
    expect(gradientOf(pair('min', true), zeros)).toEqual([0, 0]);
    const largest = (b: GraphBuilder, x: ValueId) => b.one('reduce', { fn: 'max', axes: [0], keepDims: false }, [x]);
    expect(gradientOf(largest, floats([4], [1, 3, 3, 2]))).toEqual([0, 1, 1, 0]);
  });

  test('floorDiv has derivative 0', () => {
    expect(gradientOf((b, x) => b.one('binary', { fn: 'floorDiv' }, [x, b.splat(2)]), floats([2], [3, 5]))).toEqual([
      0, 0,
    ]);
  });
});
