import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import type { DType } from '../../../jit/graph/graph.ts';
import { type Call, type KernelCase, ROUNDING, arrays, shapes } from './kernel-check.ts';

const DTYPES: readonly DType[] = ['float32', 'int32', 'bool'];
const NUMBERS: readonly DType[] = ['float32', 'int32'];

const gathers: fc.Arbitrary<Call> = shapes({ minRank: 1 }).chain((shape) =>
  fc
    .nat(shape.length - 1)
    .chain((axis) =>
      fc.tuple(fc.constant(axis), fc.nat(axis), shapes({ maxRank: 2 }), fc.constantFrom(...DTYPES), fc.boolean()),
    )
    .chain(([axis, batchDims, rest, dtype, fromEnd]) => {
      const extent = shape[axis] ?? 1;
      const indices = arrays([...shape.slice(0, batchDims), ...rest], { dtype: 'int32', elements: fc.nat(extent - 1) });
      return fc.tuple(arrays(shape, { dtype }), indices).map(([x, indices]): Call => ({
        inputs: { x, indices },
        run: ({ x, indices }) =>
          tf.gather(x as tf.Tensor, indices as tf.Tensor1D, fromEnd ? axis - shape.length : axis, batchDims),
      }));
    }),
);

/** Positions `[..., depth]` in the first axes of a shape. */
function positions(shape: readonly number[], lead: readonly number[]): fc.Arbitrary<number[]> {
  const count = lead.reduce((product, extent) => product * extent, 1);
  const one = fc.tuple(...shape.map((extent) => fc.nat(extent - 1)));
  return fc.array(one, { minLength: count, maxLength: count }).map((all) => all.flat());
}

interface Positions {
  readonly shape: number[];
  readonly lead: number[];
  readonly depth: number;
  readonly flat: number[];
}

const placed: fc.Arbitrary<Positions> = fc
  .tuple(shapes({ minRank: 1, maxRank: 3 }), shapes({ minRank: 1, maxRank: 2 }))
  .chain(([shape, lead]) =>
    fc
      .integer({ min: 1, max: shape.length })
      .chain((depth) => positions(shape.slice(0, depth), lead).map((flat) => ({ shape, lead, depth, flat }))),
  );

const gatherNds: fc.Arbitrary<Call> = fc
  .tuple(placed, fc.constantFrom(...DTYPES))
  .chain(([{ shape, lead, depth, flat }, dtype]) =>
    arrays(shape, { dtype }).map((x): Call => ({
      inputs: { x, indices: { shape: [...lead, depth], dtype: 'int32', data: Int32Array.from(flat) } },
      run: ({ x, indices }) => tf.gatherND(x as tf.Tensor, indices as tf.Tensor),
    })),
  );

const scatterNds: fc.Arbitrary<Call> = fc
  .tuple(placed, fc.constantFrom(...NUMBERS))
  .chain(([{ shape, lead, depth, flat }, dtype]) =>
    arrays([...lead, ...shape.slice(depth)], { dtype }).map((updates): Call => ({
      inputs: { updates, indices: { shape: [...lead, depth], dtype: 'int32', data: Int32Array.from(flat) } },
      run: ({ updates, indices }) => tf.scatterND(indices as tf.Tensor, updates as tf.Tensor, shape),
    })),
  );

const segmentSums: fc.Arbitrary<Call> = fc
  .tuple(shapes({ minRank: 1, maxRank: 3 }), fc.integer({ min: 1, max: 4 }))
  .chain(([shape, count]) =>
    fc
      .tuple(
        arrays(shape),
        arrays(shape.slice(0, 1), { dtype: 'int32', elements: fc.integer({ min: -1, max: count }) }),
      )
      .map(([x, ids]): Call => ({
        inputs: { x, ids },
        run: ({ x, ids }) => tf.unsortedSegmentSum(x as tf.Tensor, ids as tf.Tensor1D, count),
      })),
  );

const oneHots: fc.Arbitrary<Call> = fc
  .tuple(
    shapes({ maxRank: 2 }),
    fc.integer({ min: 2, max: 5 }),
    fc.constantFrom<[number, number]>([1, 0], [3, -1]),
    fc.constantFrom<'float32' | 'int32'>('float32', 'int32'),
  )
  .chain(([shape, depth, [on, off], dtype]) =>
    // Indices out of range have no hot element.
    arrays(shape, { dtype: 'int32', elements: fc.integer({ min: -1, max: depth }) }).map((indices): Call => ({
      inputs: { indices },
      run: ({ indices }) => tf.oneHot(indices as tf.Tensor, depth, on, off, dtype),
    })),
  );

const boolOneHots: fc.Arbitrary<Call> = fc.integer({ min: 2, max: 5 }).chain((depth) =>
  arrays([3], { dtype: 'int32', elements: fc.nat(depth - 1) }).map((indices): Call => ({
    inputs: { indices },
    run: ({ indices }) => tf.oneHot(indices as tf.Tensor, depth, 1, 0, 'bool'),
  })),
);

const diagonals: fc.Arbitrary<Call> = fc
  .tuple(shapes({ minRank: 1, maxRank: 3 }), fc.constantFrom(...NUMBERS))
  .chain(([shape, dtype]) =>
    arrays(shape, { dtype }).map((x): Call => ({ inputs: { x }, run: ({ x }) => tf.diag(x as tf.Tensor) })),
  );

/** Numbers by the arguments of a function alone. */
function made<P>(kernel: string, params: fc.Arbitrary<P>, run: (params: P) => tf.Tensor): KernelCase {
  return { kernel, calls: params.map((given): Call => ({ inputs: {}, run: () => run(given) })), tolerance: ROUNDING };
}

const fills = fc.tuple(shapes(), fc.constantFrom<[number, DType]>([2.5, 'float32'], [-3, 'int32'], [1, 'bool']));
const ranges = fc.tuple(
  fc.integer({ min: -4, max: 4 }),
  fc.integer({ min: -4, max: 4 }),
  fc.constantFrom(undefined, 2, 3, -1, -2),
  fc.constantFrom<'float32' | 'int32'>('float32', 'int32'),
);
const spaces = fc.tuple(
  fc.double({ min: -3, max: 3, noNaN: true }),
  fc.double({ min: -3, max: 3, noNaN: true }),
  fc.integer({ min: 1, max: 6 }),
);

/** Kernels that pick and add by position, or make tensors from numbers. */
export const INDEXING_CASES: readonly KernelCase[] = [
  { kernel: 'GatherV2', calls: gathers, tolerance: 0 },
  { kernel: 'GatherNd', calls: gatherNds, tolerance: 0 },
  { kernel: 'ScatterNd', calls: scatterNds, tolerance: ROUNDING },
  { kernel: 'UnsortedSegmentSum', calls: segmentSums, tolerance: ROUNDING },
  { kernel: 'OneHot', calls: fc.oneof(oneHots, boolOneHots), tolerance: 0 },
  { kernel: 'Diag', calls: diagonals, tolerance: 0 },
  made('Fill', fills, ([shape, [value, dtype]]) => tf.fill(shape, value, dtype)),
  made('Range', ranges, ([start, stop, step, dtype]) => tf.range(start, stop, step, dtype)),
  made('LinSpace', spaces, ([start, stop, count]) => tf.linspace(start, stop, count)),
];
