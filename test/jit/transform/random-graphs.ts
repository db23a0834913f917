import { GraphBuilder } from '../../../jit/graph/builder.ts';
import {
  BINARY_FUNCTIONS,
  COMPARISONS,
  type DType,
  type Graph,
  type HostArray,
  REDUCTIONS,
  UNARY_FUNCTIONS,
  type ValueId,
  type ValueType,
  allocate,
  sameType,
  sizeOf,
} from '../../../jit/graph/graph.ts';
import { ShapeError } from '../../../jit/graph/shape-error.ts';

/** Whole numbers below `below`, the same for a seed (mulberry32). */
export type Draw = (below: number) => number;

export function drawsOf(seed: number): Draw {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const SHAPES = [[], [1], [3], [2, 3], [1, 3], [2, 1], [2, 2, 3]] as const;
const NUMBERS = [0, -0, 1, -1, 2, 0.5, -1.5, 3, Number.NaN, Infinity, -Infinity, 1e-30, 7.25, 1e30];
const MOST_ELEMENTS = 48;

const pick = <T>(draw: Draw, items: readonly T[]): T => items[draw(items.length)] as T;

/** An array of numbers that are zeros, ones, NaN and infinities more often than not. */
export function randomArray(draw: Draw, { shape, dtype }: ValueType): HostArray {
  const data = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i += 1)
    data[i] = dtype === 'float32' ? pick(draw, NUMBERS) : dtype === 'int32' ? draw(7) - 3 : draw(2);
  return { shape, dtype, data };
}

const ADD: readonly ((b: GraphBuilder, pool: readonly ValueId[], draw: Draw) => readonly ValueId[])[] = [
  (b, _, draw) => {
    const type = { shape: pick(draw, SHAPES), dtype: pick<DType>(draw, ['float32', 'float32', 'int32', 'bool']) };
    const { data, ...rest } = randomArray(draw, type);
    return [b.constant({ ...rest, data: draw(3) > 0 ? data.slice(0, 1) : data })];
  },
  (b, pool, draw) => [b.one('unary', { fn: pick(draw, UNARY_FUNCTIONS) }, [pick(draw, pool)])],
  (b, pool, draw) => [b.one('unary', { fn: pick(draw, ['neg', 'not', 'abs'] as const) }, [pool.at(-1) as ValueId])],
  (b, pool, draw) => [b.one('binary', { fn: pick(draw, BINARY_FUNCTIONS) }, [pick(draw, pool), pick(draw, pool)])],
  (b, pool, draw) => [
    b.one('binary', { fn: pick(draw, BINARY_FUNCTIONS) }, [pick(draw, pool), b.splat(pick(draw, NUMBERS))]),
  ],
  (b, pool, draw) => [
    b.one('binary', { fn: pick(draw, BINARY_FUNCTIONS) }, [b.splat(pick(draw, NUMBERS)), pick(draw, pool)]),
  ],
  (b, pool, draw) => [b.one('compare', { fn: pick(draw, COMPARISONS) }, [pick(draw, pool), pick(draw, pool)])],
  (b, pool, draw) => {
    const bools = pool.filter((id) => b.type(id).dtype === 'bool');
    return bools.length === 0 ? [] : [b.one('select', {}, [pick(draw, bools), pick(draw, pool), pick(draw, pool)])];
  },
  (b, pool, draw) => [b.one('cast', { dtype: pick(draw, ['float32', 'int32', 'bool'] as const) }, [pick(draw, pool)])],
  (b, pool, draw) => {
    const x = pick(draw, pool);
    const axes = b.type(x).shape.flatMap((_, axis) => (draw(2) === 0 ? [axis] : []));
    return [b.one('reduce', { fn: pick(draw, REDUCTIONS), axes, keepDims: draw(2) === 0 }, [x])];
  },
  (b, pool, draw) => {
    const x = pick(draw, pool);
    const axis = draw(Math.max(1, b.type(x).shape.length));
    return [b.one('argReduce', { fn: pick(draw, ['max', 'min'] as const), axis }, [x])];
  },
  (b, pool, draw) => {
    const x = pick(draw, pool);
    const { shape } = b.type(x);
    const to = pick(draw, [
      [...shape, 1],
      [1, ...shape],
      shape.filter((d) => d !== 1),
      [sizeOf(shape)],
      shape.toReversed(),
    ]);
    return [b.one('reshape', { shape: to }, [x])];
  },
  (b, pool, draw) => {
    const x = draw(2) === 0 ? pick(draw, pool) : (pool.at(-1) as ValueId);
    const perm = b.type(x).shape.map((_, axis) => axis);
    if (draw(2) === 0) perm.reverse();
    else perm.push(perm.shift() ?? 0);
    return [b.one('transpose', { perm: perm.slice(0, b.type(x).shape.length) }, [x])];
  },
  (b, pool, draw) => {
    const x = draw(2) === 0 ? pick(draw, pool) : (pool.at(-1) as ValueId);
    const { shape } = b.type(x);
    const begin = shape.map((d) => draw(d));
    const strides = shape.map(() => 1 + draw(2));
    const size = shape.map((d, axis) => 1 + draw(Math.ceil((d - (begin[axis] as number)) / (strides[axis] as number))));
    return [b.one('slice', { begin, size, strides }, [x])];
  },
  (b, pool, draw) => {
    const x = pick(draw, pool);
    const width = () => b.type(x).shape.map(() => draw(4) % 2);
    return [b.one('pad', { before: width(), after: width(), value: pick(draw, [0, 1]) }, [x])];
  },
  (b, pool, draw) => {
    const [x, y] = [pick(draw, pool), pick(draw, pool)];
    const axis = draw(Math.max(1, b.type(x).shape.length));
    return [b.one('concat', { axis }, pick(draw, [[x], [x, x], [x, y], [y, x, y]]))];
  },
  (b, pool, draw) => {
    // The slices of a value, put together again.
    const x = pick(draw, pool);
    const { shape } = b.type(x);
    const [extent, ...rest] = shape;
    if (extent === undefined) return [];
    const strides = shape.map(() => 1);
    const parts = Array.from({ length: extent }, (_, index) =>
      b.one('slice', { begin: [index, ...rest.map(() => 0)], size: [1, ...rest], strides }, [x]),
    );
    return [b.one('concat', { axis: 0 }, draw(2) === 0 ? parts : parts.slice(1).concat(parts.slice(0, 1)))];
  },
  (b, pool, draw) => {
    const x = draw(2) === 0 ? pick(draw, pool) : (pool.at(-1) as ValueId);
    return [b.one('reverse', { axes: b.type(x).shape.flatMap((_, axis) => (draw(2) === 0 ? [axis] : [])) }, [x])];
  },
  (b, pool, draw) => {
    const x = pick(draw, pool);
    const { shape } = b.type(x);
    return [b.one('broadcast', { shape: draw(2) === 0 ? [2, ...shape] : shape.map((d) => (d === 1 ? 2 : d)) }, [x])];
  },
  (b, _, draw) => {
    const shape = pick(draw, SHAPES.slice(1));
    return [b.one('iota', { shape, axis: draw(shape.length), dtype: pick(draw, ['float32', 'int32'] as const) }, [])];
  },
  (b, pool, draw) => {
    const x = pick(draw, pool);
    return [b.one('size', { axes: b.type(x).shape.flatMap((_, axis) => (draw(2) === 0 ? [axis] : [])) }, [x])];
  },
  (b, pool, draw) => [b.one('stopGradient', {}, [pick(draw, pool)])],
  (b, pool, draw) => {
    const x = pick(draw, pool);
    const { shape } = b.type(x);
    if (shape.length === 0) return [];
    const axis = draw(shape.length);
    const indices = b.constant({ shape: [2], dtype: 'int32', data: Int32Array.of(0, (shape[axis] as number) - 1) });
    return [b.one('gather', { axis, batchDims: 0 }, [x, indices])];
  },
  (b, pool, draw) => {
    const x = pick(draw, pool);
    const axis = draw(Math.max(1, b.type(x).shape.length));
    const attrs = { fn: pick(draw, ['sum', 'prod'] as const), axis, exclusive: draw(2) === 0, reverse: draw(2) === 0 };
    return b.type(x).dtype === 'bool' ? [] : [b.one('cumulative', attrs, [x])];
  },
  (b, pool, draw) => {
    const [x, y] = [pick(draw, pool), pick(draw, pool)];
    const last = (id: ValueId) => b.type(id).shape.length - 1;
    const attrs = { leftBatch: [], rightBatch: [], leftContract: [last(x)], rightContract: [last(y)] };
    return [b.one('contract', attrs, [x, y])];
  },
];

/** Primitives with bodies, each on values of the pool. */
function addBody(b: GraphBuilder, pool: readonly ValueId[], draw: Draw): readonly ValueId[] {
  const operands = Array.from({ length: 1 + draw(3) }, () => pick(draw, pool));
  const types = operands.map((id) => b.type(id));
  const kind = draw(3);
  if (kind === 0) {
    const bools = pool.filter((id) => b.type(id).dtype === 'bool' && b.type(id).shape.length === 0);
    const predicate =
      bools.length > 0 && draw(2) === 0
        ? pick(draw, bools)
        : b.constant(randomArray(draw, { shape: [], dtype: 'bool' }));
    const [then, otherwise] = [randomBody(types, draw), randomBody(types, draw)];
    const outputs = then.outputs.flatMap((port) => {
      const like = otherwise.outputs.find(({ value }) =>
        sameType(otherwise.values[value] as ValueType, then.values[port.value] as ValueType),
      );
      return like === undefined ? [] : [[port, { ...like, name: port.name }] as const];
    });
    if (outputs.length === 0) return [];
    const attrs = {
      // oxlint-disable-next-line unicorn/no-thenable -- the primitive's own attribute
      then: { ...then, outputs: outputs.map((pair) => pair[0]) },
      otherwise: { ...otherwise, outputs: outputs.map((pair) => pair[1]) },
    };
    return b.add('cond', attrs, [predicate, ...operands]);
  }
  const body = randomBody(types, draw);
  if (kind === 1) {
    const mapped = operands.map(() => draw(2) === 0);
    const count = 1 + draw(2);
    return b.add(
      'call',
      { body, count, mapped },
      operands.flatMap((id, index) => (mapped[index] === true ? Array.from({ length: count }, () => id) : [id])),
    );
  }
  // Outputs of the types of the first operands are carries; the rest is stacked.
  const carries = draw(types.length + 1);
  const next = types.slice(0, carries).map((type, index) => {
    const like = body.outputs.filter(({ value }) => sameType(body.values[value] as ValueType, type));
    return {
      name: `carry${index}`,
      value: (draw(3) === 0 ? undefined : like.at(-1)?.value) ?? (body.inputs[index]?.value as ValueId),
    };
  });
  return b.add(
    'scan',
    { body: { ...body, outputs: [...next, ...body.outputs] }, length: 1 + draw(3), carries, sequences: 0 },
    operands,
  );
}

function randomBody(types: readonly ValueType[], draw: Draw): Graph {
  const b = new GraphBuilder('body');
  const inputs = types.map((type, index) => b.input(`in${index}`, type));
  return finished(b, grown(b, { pool: inputs, draw, nodes: 4, bodies: false }), draw);
}

/** Adds nodes to a builder; gives all values. Attempts that don't fit are dropped. */
function grown(
  b: GraphBuilder,
  { pool: start, draw, nodes, bodies }: { pool: readonly ValueId[]; draw: Draw; nodes: number; bodies: boolean },
): readonly ValueId[] {
  const pool = [...start];
  for (let attempt = 0; b.nodes.length < nodes && attempt < nodes * 20; attempt += 1) {
    try {
      const add = bodies && draw(8) === 0 ? addBody : pick(draw, ADD);
      for (const id of add(b, pool, draw))
        if (sizeOf(b.type(id).shape) <= MOST_ELEMENTS && b.type(id).shape.length < 5) pool.push(id);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
    }
  }
  return pool;
}

function finished(b: GraphBuilder, pool: readonly ValueId[], draw: Draw): Graph {
  const given = [pool.at(-1) as ValueId, ...pool.filter(() => draw(3) === 0)];
  return b.finish(given.map((value, index) => ({ name: `out${index}`, value })));
}

/** A graph of anything, with inputs for it; what doesn't fit together isn't in it. */
export function randomGraph(seed: number, nodes: number): { graph: Graph; inputs: Map<string, HostArray> } {
  const draw = drawsOf(seed);
  const b = new GraphBuilder('random');
  const types: readonly ValueType[] = [
    { shape: [2, 3], dtype: 'float32' },
    { shape: [3], dtype: 'float32' },
    { shape: [], dtype: 'float32' },
    { shape: [2, 3], dtype: 'int32' },
    { shape: [1, 3], dtype: 'bool' },
    { shape: [], dtype: 'bool' },
  ];
  const inputs = new Map(types.map((type, index) => [`x${index}`, randomArray(draw, type)]));
  const pool = grown(b, { pool: types.map((type, index) => b.input(`x${index}`, type)), draw, nodes, bodies: true });
  return { graph: finished(b, pool, draw), inputs };
}
