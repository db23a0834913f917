import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { beforeAll, test } from 'vitest';
import { type HostArray, sizeOf } from '../../../jit/graph/graph.ts';
import { constant } from '../../../jit/trace/constant.ts';
import { valueAndGradient } from '../../../jit/trace/gradient.ts';
import type { Tensors } from '../../../lopt/optimizer.ts';
import { CONTRACTION_CASES } from './contraction-cases.ts';
import { ELEMENTWISE_CASES } from './elementwise-cases.ts';
import { INDEXING_CASES } from './indexing-cases.ts';
import type { Call } from './kernel-check.ts';
import { REDUCTION_CASES } from './reduction-cases.ts';
import { SHAPE_CASES } from './shape-cases.ts';

/** Calls of each kernel. */
const RUNS = 10;

/** Formulas that differ, such as that of the logarithm's powers, in a few float32 operations that may cancel. */
const TOLERANCE = 1e-4;

/** Step of central differences and what they may be off by: rounding of float32 sums over the step, third derivatives times its square. */
const STEP = 1e-2;
const DIFFERENCE_TOLERANCE = 1e-2;

/** Kernels that TensorFlow.js can't differentiate, or not for all shapes, or wrongly (Cumsum but for the last axis, MirrorPad). */
const BY_DIFFERENCES: ReadonlySet<string> = new Set([
  'ArgMax',
  'ArgMin',
  'BatchMatMul',
  'BroadcastTo',
  'Cast',
  'Cumprod',
  'Cumsum',
  'DepthToSpace',
  'Diag',
  'Einsum',
  'EluGrad',
  'Equal',
  'FloorDiv',
  'FusedBatchNorm',
  'GatherNd',
  'GatherV2',
  'Greater',
  'GreaterEqual',
  'IsFinite',
  'IsInf',
  'IsNan',
  'Less',
  'LessEqual',
  'MirrorPad',
  'NotEqual',
  'PadV2',
  'Prelu',
  'Prod',
  'ScatterNd',
  'SplitV',
  'SquaredDifference',
  'StridedSlice',
  'Tile',
  'Unpack',
  'UnsortedSegmentSum',
  '_FusedMatMul',
]);

/** Theirs fail where shapes broadcast, and differences cross the kink where operands are close: their primitives have tests of their own. */
const WITHOUT: ReadonlySet<string> = new Set(['Maximum', 'Minimum']);

const CASES = [
  ...ELEMENTWISE_CASES,
  ...REDUCTION_CASES,
  ...CONTRACTION_CASES,
  ...SHAPE_CASES,
  ...INDEXING_CASES,
].filter(({ kernel }) => !WITHOUT.has(kernel));

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Numbers where no function has a kink and no two are equal, so that derivatives are what everybody means. */
function smooth(array: HostArray): HostArray {
  if (array.dtype !== 'float32') return array;
  const data = Float32Array.from(array.data, (x, i) => {
    const plain = Number.isFinite(x) && Math.abs(x) < 3 && Math.abs(x) > 0.05 ? x : 0.5;
    return plain + 0.003 * Math.sin(12.9898 * (i + 1) + array.data.length);
  });
  return { ...array, data };
}

/** A scalar function of the float32 inputs of a call: its float32 results, each element with a weight of its own. */
function objectiveOf({ inputs, run }: Call): {
  readonly f: (floats: Tensors) => tf.Tensor;
  readonly floats: Map<string, HostArray>;
} {
  const floats = new Map(
    Object.entries(inputs).flatMap(([name, array]) => (array.dtype === 'float32' ? [[name, smooth(array)]] : [])),
  );
  const f = (tensors: Tensors): tf.Tensor => {
    const others = Object.entries(inputs).flatMap(([name, { data, shape, dtype }]) =>
      dtype === 'float32' ? [] : [[name, constant(data, shape, dtype)] as const],
    );
    const result = run(Object.fromEntries([...tensors, ...others]));
    const results = (result instanceof tf.Tensor ? [result] : result).filter(({ dtype }) => dtype === 'float32');
    const sums = results.map((x) => {
      const weights = Array.from({ length: sizeOf(x.shape) }, (_, i) => Math.cos(i + 1));
      return tf.sum(tf.mul(x, constant(weights, x.shape)));
    });
    return tf.addN([tf.scalar(0), ...sums]);
  };
  return { f, floats };
}

/** The function's value and gradient beside what `compare` makes of them. */
function check(
  call: Call,
  compare: (f: (floats: Tensors) => tf.Tensor, at: Tensors, grads: Tensors) => string | undefined,
): void {
  const difference = tf.tidy(() => {
    const { f, floats } = objectiveOf(call);
    const at: Tensors = new Map([...floats].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]));
    return at.size === 0 ? undefined : compare(f, at, valueAndGradient(f, at).grads);
  });
  if (difference !== undefined) throw new Error(difference);
}

function compareWithTape(f: (floats: Tensors) => tf.Tensor, at: Tensors, grads: Tensors): string | undefined {
  const names = [...at.keys()];
  const tape = tf.grads((...list: tf.Tensor[]) => f(new Map(list.map((x, i) => [names[i] as string, x]))));
  const wanted = tape([...at.values()]);
  return names
    .map((name, i) => {
      const [a, b] = [[...(wanted[i]?.dataSync() ?? [])], [...(grads.get(name)?.dataSync() ?? [])]];
      const scale = a.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1);
      const index = a.findIndex(
        (x, k) => !Object.is(x, b[k]) && !(Math.abs(x - (b[k] as number)) <= TOLERANCE * scale),
      );
      return index < 0 ? undefined : `${a[index]} by ${name}[${index}] but ${b[index]} of the graph`;
    })
    .find((text) => text !== undefined);
}

/** The derivative along one direction in which all elements move. */
function compareWithDifferences(f: (floats: Tensors) => tf.Tensor, at: Tensors, grads: Tensors): string | undefined {
  const directions = new Map([...at].map(([name, x]) => [name, tf.cos(tf.mul(x, 40))]));
  const along = (sign: number): number =>
    f(
      new Map([...at].map(([name, x]) => [name, tf.add(x, tf.mul(directions.get(name) ?? x, sign * STEP))])),
    ).dataSync()[0] ?? 0;
  const wanted = (along(1) - along(-1)) / (2 * STEP);
  const parts = [...grads].map(
    ([name, gradient]) => tf.sum(tf.mul(gradient, directions.get(name) ?? gradient)).dataSync()[0] ?? 0,
  );
  const given = parts.reduce((sum, part) => sum + part, 0);
  const isClose = Math.abs(wanted - given) <= DIFFERENCE_TOLERANCE * Math.max(1, Math.abs(wanted));
  return isClose ? undefined : `${wanted} along a direction but ${given} of the graph`;
}

test.each(CASES)('$kernel: the gradient is that of tf.grads, or of central differences', ({ kernel, calls }) => {
  const compare = BY_DIFFERENCES.has(kernel) ? compareWithDifferences : compareWithTape;
  fc.assert(
    fc.property(calls, (call) => check(call, compare)),
    { numRuns: RUNS },
  );
});
