import * as fc from 'fast-check';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import {
  BINARY_FUNCTIONS,
  COMPARISONS,
  type BinaryFunction,
  type DType,
  DTYPES,
  type Graph,
  type HostArray,
  type Port,
  type TypedArray,
  type UnaryFunction,
  UNARY_FUNCTIONS,
  type ValueId,
  allocate,
  sizeOf,
} from '../../../jit/graph/graph.ts';

/** Generated applications of every primitive, many of which go into one graph (and so into one session). */
export interface Case {
  readonly text: string;
  readonly inputs: readonly HostArray[];
  readonly add: (builder: GraphBuilder, inputs: readonly ValueId[]) => readonly ValueId[];
}

/** Many cases as one graph, with its inputs; output `k/i` is output i of case k. */
export function graphOf(cases: readonly Case[]): { graph: Graph; inputs: Map<string, HostArray> } {
  const builder = new GraphBuilder('cases');
  const inputs = new Map<string, HostArray>();
  const outputs: Port[] = [];
  cases.forEach((one, k) => {
    const ids = one.inputs.map((array, i) => {
      inputs.set(`${k}/in${i}`, array);
      return builder.input(`${k}/in${i}`, array);
    });
    one.add(builder, ids).forEach((value, i) => outputs.push({ name: `${k}/${i}`, value }));
  });
  return { graph: builder.finish(outputs), inputs };
}

type Fill = fc.Arbitrary<number>;

const EDGES = [
  Number.NaN,
  Infinity,
  -Infinity,
  0,
  0.5,
  1,
  -1,
  1.5,
  2.5,
  -0.5,
  1e-8,
  -1e-8,
  1e-4,
  3,
  -7,
  30,
  -30,
  -15,
  90,
  -90,
];
const smooth: Fill = fc.integer({ min: -4000, max: 4000 }).map((n) => n / 1000);
const quarters: Fill = fc.integer({ min: -40, max: 40 }).map((n) => n / 4);
const fromOne: Fill = fc.integer({ min: 0, max: 9000 }).map((n) => 1 + n / 1000);
const inside: Fill = fc.integer({ min: -999, max: 999 }).map((n) => n / 1000);
const positive: Fill = fc.integer({ min: 1, max: 5000 }).map((n) => n / 1000);
const wild: Fill = fc.oneof(fc.constantFrom(...EDGES), smooth);
const tame: Fill = fc.oneof(fc.constantFrom(...EDGES.filter((x) => Math.abs(x) < 100)), smooth);
const integers: Fill = fc.integer({ min: -50, max: 50 });
const bits: Fill = fc.integer({ min: 0, max: 1 });

function arrayOf(dtype: DType, shape: readonly number[], fill: Fill): fc.Arbitrary<HostArray> {
  const size = sizeOf(shape);
  return fc.array(fill, { minLength: size, maxLength: size }).map((elements) => {
    const data: TypedArray = allocate(dtype, size);
    data.set(elements);
    return { shape, dtype, data };
  });
}

const FILLS: Record<DType, Fill> = { float32: wild, int32: integers, bool: bits };
const extent = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 1, arbitrary: fc.constant(0) },
);
const shapeArb = (maxLength: number, one: fc.Arbitrary<number> = extent): fc.Arbitrary<number[]> =>
  fc.array(one, { maxLength });
const someExtent = fc.integer({ min: 1, max: 5 });
const dtypeArb = fc.constantFrom(...DTYPES);

/** A shape and one that broadcasts with it: leading axes dropped, others of extent one. */
const pairArb: fc.Arbitrary<readonly [number[], number[]]> = shapeArb(5).chain((shape) =>
  fc
    .tuple(
      fc.integer({ min: 0, max: shape.length }),
      fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      fc.boolean(),
    )
    .map(([drop, ones, swap]) => {
      const other = shape.slice(drop).map((d, axis) => (ones[axis] === true ? 1 : d));
      return swap ? ([other, shape] as const) : ([shape, other] as const);
    }),
);

const UNARY_FILLS: Partial<Record<UnaryFunction, Fill>> = {
  // The sign of NaN is not promised.
  sign: smooth,
  sin: tame,
  cos: tame,
  // Away from the poles, where the last bit of the argument decides.
  tan: inside,
  asin: inside,
  acos: inside,
  atanh: inside,
  acosh: fromOne,
};
const INT_UNARY = new Set<UnaryFunction>(['neg', 'abs', 'sign', 'relu']);

const unaryCase: fc.Arbitrary<Case> = fc
  .tuple(fc.constantFrom(...UNARY_FUNCTIONS), shapeArb(4), fc.boolean())
  .chain(([fn, shape, asInt]) => {
    const dtype: DType = fn === 'not' ? 'bool' : asInt && INT_UNARY.has(fn) ? 'int32' : 'float32';
    const fill = dtype === 'float32' ? (UNARY_FILLS[fn] ?? wild) : FILLS[dtype];
    return arrayOf(dtype, shape, fill).map((x) => ({
      text: `${fn} of ${dtype}[${shape.join()}]`,
      inputs: [x],
      add: (builder, [id]) => [builder.one('unary', { fn }, [id as ValueId])],
    }));
  });

/** Quotients that are rounded to whole numbers must not lie where rounding decides: quarters divide exactly. */
const BINARY_FILLS: Partial<Record<BinaryFunction, readonly [Fill, Fill]>> = {
  pow: [positive, inside],
  mod: [quarters, fc.constantFrom(-2, -0.5, 0.25, 4)],
  floorDiv: [quarters, fc.constantFrom(-2, -0.5, 0.25, 4)],
};

const binaryCase: fc.Arbitrary<Case> = fc
  .tuple(fc.constantFrom(...BINARY_FUNCTIONS), pairArb, fc.boolean())
  .chain(([fn, [left, right], asInt]) => {
    const isLogic = fn === 'and' || fn === 'or' || fn === 'xor';
    const dtype: DType = isLogic ? 'bool' : asInt ? 'int32' : 'float32';
    const fills = dtype === 'float32' ? (BINARY_FILLS[fn] ?? [wild, wild]) : [FILLS[dtype], FILLS[dtype]];
    const second = fn === 'pow' && dtype === 'int32' ? fc.integer({ min: 0, max: 3 }) : fills[1];
    return fc.tuple(arrayOf(dtype, left, fills[0]), arrayOf(dtype, right, second)).map((inputs) => ({
      text: `${fn} of ${dtype} [${left.join()}] and [${right.join()}]`,
      inputs,
      add: (builder, ids) => [builder.one('binary', { fn }, ids)],
    }));
  });

const compareCase: fc.Arbitrary<Case> = fc
  .tuple(fc.constantFrom(...COMPARISONS), pairArb, dtypeArb)
  .chain(([fn, [left, right], dtype]) =>
    fc.tuple(arrayOf(dtype, left, FILLS[dtype]), arrayOf(dtype, right, FILLS[dtype])).map((inputs) => ({
      text: `${fn} of ${dtype} [${left.join()}] and [${right.join()}]`,
      inputs,
      add: (builder, ids) => [builder.one('compare', { fn }, ids)],
    })),
  );

const selectCase: fc.Arbitrary<Case> = fc.tuple(pairArb, dtypeArb, fc.boolean()).chain(([[left, right], dtype, wide]) =>
  fc
    .tuple(
      arrayOf('bool', wide ? left : right, bits),
      arrayOf(dtype, left, FILLS[dtype]),
      arrayOf(dtype, right, FILLS[dtype]),
    )
    .map((inputs) => ({
      text: `select of ${dtype} [${left.join()}] and [${right.join()}], condition like the ${wide ? 'first' : 'second'}`,
      inputs,
      add: (builder, ids) => [builder.one('select', {}, ids)],
    })),
);

const axesOf = (rank: number): fc.Arbitrary<number[]> => fc.subarray(Array.from({ length: rank }, (_, axis) => axis));

const reduceCase: fc.Arbitrary<Case> = fc
  .tuple(fc.constantFrom('sum', 'mean', 'max', 'min', 'prod', 'any', 'all'), shapeArb(5), fc.boolean(), fc.boolean())
  .chain(([fn, shape, keepDims, asInt]) => {
    const dtype: DType = fn === 'any' || fn === 'all' ? 'bool' : asInt && fn !== 'mean' ? 'int32' : 'float32';
    // Products stay exact, and int32 ones in range.
    const factors = dtype === 'int32' ? fc.constantFrom(-1, 1) : fc.constantFrom(-1, 1, 2, 0.5);
    const fill = fn === 'prod' ? factors : FILLS[dtype];
    return fc.tuple(arrayOf(dtype, shape, fill), axesOf(shape.length)).map(([x, axes]) => ({
      text: `${fn} of ${dtype}[${shape.join()}] over [${axes.join()}]${keepDims ? ' keeping axes' : ''}`,
      inputs: [x],
      add: (builder, ids) => [builder.one('reduce', { fn, axes, keepDims }, ids)],
    }));
  });

const argReduceCase: fc.Arbitrary<Case> = fc
  .tuple(
    fc.constantFrom('max' as const, 'min' as const),
    fc.array(someExtent, { minLength: 1, maxLength: 4 }),
    dtypeArb,
  )
  .chain(([fn, shape, dtype]) =>
    fc
      .tuple(arrayOf(dtype, shape, dtype === 'float32' ? quarters : FILLS[dtype]), fc.nat(shape.length - 1))
      .map(([x, axis]) => ({
        text: `arg ${fn} of ${dtype}[${shape.join()}] along ${axis}`,
        inputs: [x],
        add: (builder, ids) => [builder.one('argReduce', { fn, axis }, ids)],
      })),
  );

/** Axes of both operands in any order: each has a role (batch, contracted, free) and a place. */
const contractCase: fc.Arbitrary<Case> = fc
  .tuple(
    fc.array(someExtent, { maxLength: 2 }),
    fc.array(extent, { maxLength: 2 }),
    fc.array(someExtent, { maxLength: 2 }),
    fc.array(someExtent, { maxLength: 2 }),
    fc.infiniteStream(fc.nat(1000)),
  )
  .chain(([batch, inner, leftFree, rightFree, random]) => {
    const next = (): number => random.next().value as number;
    const place = (free: readonly number[]) => {
      const axes = [
        ...batch.map((d, i) => ({ d, batch: i, inner: -1 })),
        ...inner.map((d, i) => ({ d, batch: -1, inner: i })),
        ...free.map((d) => ({ d, batch: -1, inner: -1 })),
      ];
      // Half of the time in the natural order, else shuffled.
      if (next() % 2 === 0) axes.sort(() => (next() % 2 === 0 ? 1 : -1));
      return {
        shape: axes.map(({ d }) => d),
        batch: batch.map((_, i) => axes.findIndex((axis) => axis.batch === i)),
        inner: inner.map((_, i) => axes.findIndex((axis) => axis.inner === i)),
      };
    };
    const [left, right] = [place(leftFree), place(rightFree)];
    const attrs = {
      leftBatch: left.batch,
      rightBatch: right.batch,
      leftContract: left.inner,
      rightContract: right.inner,
    };
    return fc
      .tuple(arrayOf('float32', left.shape, quarters), arrayOf('float32', right.shape, quarters))
      .map((inputs): Case => ({
        text: `contract [${left.shape.join()}] and [${right.shape.join()}], ${JSON.stringify(attrs)}`,
        inputs,
        add: (builder, ids) => [builder.one('contract', attrs, ids)],
      }));
  });

const gatherShape = fc
  .tuple(
    fc.array(someExtent, { maxLength: 2 }),
    fc.array(someExtent, { maxLength: 1 }),
    someExtent,
    fc.array(someExtent, { maxLength: 2 }),
    fc.array(fc.oneof(someExtent, extent), { maxLength: 2 }),
    dtypeArb,
  )
  .filter(([batch, outer, , rest, picked]) => batch.length + outer.length + rest.length + picked.length <= 5);

const gatherCase: fc.Arbitrary<Case> = gatherShape.chain(([batch, outer, size, rest, picked, dtype]) => {
  const [axis, batchDims] = [batch.length + outer.length, batch.length];
  return fc
    .tuple(
      arrayOf(dtype, [...batch, ...outer, size, ...rest], FILLS[dtype]),
      arrayOf('int32', [...batch, ...picked], fc.nat(size - 1)),
    )
    .map((inputs) => ({
      text: `gather from ${dtype}[${inputs[0].shape.join()}] by [${inputs[1].shape.join()}], axis ${axis}, batch ${batchDims}`,
      inputs,
      add: (builder, ids) => [builder.one('gather', { axis, batchDims }, ids)],
    }));
});

const scatterAddCase: fc.Arbitrary<Case> = gatherShape.chain(([batch, outer, size, rest, picked, any]) => {
  const dtype = any === 'bool' ? 'float32' : any;
  const attrs = { axis: batch.length + outer.length, batchDims: batch.length, size };
  return fc
    .tuple(
      arrayOf('int32', [...batch, ...picked], fc.nat(size - 1)),
      arrayOf(dtype, [...batch, ...outer, ...picked, ...rest], dtype === 'float32' ? quarters : integers),
    )
    .map((inputs) => ({
      text: `scatterAdd of ${dtype}[${inputs[1].shape.join()}] by [${inputs[0].shape.join()}], ${JSON.stringify(attrs)}`,
      inputs,
      add: (builder, ids) => [builder.one('scatterAdd', attrs, ids)],
    }));
});

const cumulativeCase: fc.Arbitrary<Case> = fc
  .tuple(
    fc.constantFrom('sum' as const, 'prod' as const),
    fc.array(extent, { minLength: 1, maxLength: 4 }),
    fc.boolean(),
    fc.boolean(),
    fc.boolean(),
  )
  .chain(([fn, shape, exclusive, reverse, asInt]) => {
    const dtype = asInt ? 'int32' : 'float32';
    const fill = fn === 'prod' ? fc.constantFrom(-1, 1, 2, 3, 0) : asInt ? integers : quarters;
    return fc.tuple(arrayOf(dtype, shape, fill), fc.nat(shape.length - 1)).map(([x, axis]) => ({
      text: `cumulative ${fn} of ${dtype}[${shape.join()}] along ${axis}${exclusive ? ' exclusive' : ''}${reverse ? ' reverse' : ''}`,
      inputs: [x],
      add: (builder, ids) => [builder.one('cumulative', { fn, axis, exclusive, reverse }, ids)],
    }));
  });

/** Primitives that move elements about, each of any dtype. */
const moveCase: fc.Arbitrary<Case> = fc
  .tuple(
    fc.constantFrom(
      'reshape',
      'transpose',
      'slice',
      'pad',
      'concat',
      'reverse',
      'broadcast',
      'cast',
      'size',
      'stopGradient',
    ),
    shapeArb(5),
    dtypeArb,
    fc.infiniteStream(fc.nat(1000)),
  )
  .chain(([op, shape, dtype, random]) => {
    const next = (below: number): number => (random.next().value as number) % below;
    const order = shape.map((_, axis) => axis).sort(() => (next(2) === 0 ? 1 : -1));
    const begin = shape.map((d) => next(d + 1));
    const strides = shape.map(() => 1 + next(3));
    const size = shape.map((d, axis) => {
      const room = Math.ceil((d - (begin[axis] as number)) / (strides[axis] as number));
      return next(room + 1);
    });
    const widths = shape.map(() => [next(3), next(3)] as const);
    const turned = order.slice(0, next(shape.length + 1)).sort((a, b) => a - b);
    const others = shape.length === 0 ? [] : [next(4), next(4)];
    const axis = shape.length === 0 ? 0 : next(shape.length);
    const to = DTYPES[next(3)] as DType;
    // Casts of what no int32 holds are not promised.
    const fill = op === 'cast' && dtype === 'float32' ? quarters : FILLS[dtype];
    const parts = op === 'concat' ? others.map((d) => shape.toSpliced(axis, 1, d)) : [];
    const arrays = [shape, ...parts].map((each) => arrayOf(dtype, each, fill));
    return fc.tuple(...arrays).map((inputs): Case => ({
      text: `${op} of ${dtype} ${inputs.map((x) => `[${x.shape.join()}]`).join(' ')}`,
      inputs,
      add: (builder, ids) => {
        const x = [ids[0] as ValueId];
        const moves: Record<typeof op, () => ValueId> = {
          reshape: () =>
            builder.one('reshape', { shape: [...shape.slice(0, 1), 1, ...shape.slice(1)].toReversed() }, x),
          transpose: () => builder.one('transpose', { perm: order }, x),
          slice: () => builder.one('slice', { begin, size, strides }, x),
          pad: () =>
            builder.one('pad', { before: widths.map((w) => w[0]), after: widths.map((w) => w[1]), value: 1 }, x),
          concat: () => (shape.length === 0 ? (ids[0] as ValueId) : builder.one('concat', { axis }, ids)),
          reverse: () => builder.one('reverse', { axes: turned }, x),
          broadcast: () => builder.one('broadcast', { shape: [2, ...shape.map((d) => (d === 1 ? 3 : d))] }, x),
          cast: () => builder.one('cast', { dtype: to }, x),
          size: () => builder.one('size', { axes: order.slice(0, 2) }, x),
          stopGradient: () => builder.one('stopGradient', {}, x),
        };
        return [moves[op]()];
      },
    }));
  });

const sourceCase: fc.Arbitrary<Case> = fc
  .tuple(
    fc.array(extent, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('float32' as const, 'int32' as const),
    fc.boolean(),
  )
  .chain(([shape, dtype, isSplat]) =>
    fc.tuple(arrayOf(dtype, shape, FILLS[dtype]), fc.nat(shape.length - 1)).map(([array, axis]) => ({
      text: `iota and ${isSplat ? 'splat' : 'constant'} of ${dtype}[${shape.join()}]`,
      inputs: [],
      add: (builder) => {
        const data = isSplat || array.data.length === 0 ? array.data.slice(0, 1) : array.data;
        return [
          builder.one('iota', { shape, axis, dtype }, []),
          builder.constant(data.length === 0 ? { ...array, data: allocate(dtype, 1) } : { ...array, data }),
        ];
      },
    })),
  );

/**
 * Elementwise functions and moves of a value that was broadcast: engines compute on the smaller tensor where they can, so every rule
 * meets tensors smaller than their type.
 */
const chainCase: fc.Arbitrary<Case> = fc
  .tuple(fc.array(someExtent, { minLength: 1, maxLength: 3 }), fc.infiniteStream(fc.nat(1000)))
  .chain(([shape, random]) => {
    const next = (below: number): number => (random.next().value as number) % below;
    const small = shape.map((d) => (next(2) === 0 ? 1 : d)).slice(next(2));
    return fc.tuple(arrayOf('float32', small, smooth), arrayOf('float32', shape, smooth)).map((inputs): Case => ({
      text: `chain on [${small.join()}] broadcast to [${shape.join()}]`,
      inputs,
      add: (builder, [x, y]) => {
        const wide = builder.one('broadcast', { shape }, [x as ValueId]);
        const tanh = builder.one('unary', { fn: 'tanh' }, [wide]);
        const sum = builder.one('binary', { fn: 'add' }, [tanh, builder.splat(0.5, shape)]);
        const perm = shape.map((_, axis) => axis).toReversed();
        const turned = builder.one('transpose', { perm }, [sum]);
        const back = builder.one('transpose', { perm }, [turned]);
        const flat = builder.one('reshape', { shape: [sizeOf(shape)] }, [back]);
        const zeros = builder.splat(0, [sizeOf(shape)]);
        return [
          tanh,
          turned,
          flat,
          zeros,
          builder.one('binary', { fn: 'mul' }, [back, y as ValueId]),
          builder.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [turned]),
          builder.one('reverse', { axes: [0] }, [sum]),
          builder.one('slice', { begin: shape.map(() => 0), size: shape.map(() => 1), strides: shape.map(() => 1) }, [
            sum,
          ]),
          builder.one('concat', { axis: 0 }, [sum, y as ValueId, sum]),
          builder.one('pad', { before: shape.map(() => 1), after: shape.map(() => 0), value: 2 }, [wide]),
        ];
      },
    }));
  });

export const plainCase: fc.Arbitrary<Case> = fc.oneof(
  { weight: 4, arbitrary: unaryCase },
  { weight: 4, arbitrary: binaryCase },
  compareCase,
  selectCase,
  { weight: 2, arbitrary: reduceCase },
  argReduceCase,
  { weight: 3, arbitrary: contractCase },
  gatherCase,
  scatterAddCase,
  cumulativeCase,
  { weight: 4, arbitrary: moveCase },
  sourceCase,
  chainCase,
);
