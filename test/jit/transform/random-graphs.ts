import { GraphBuilder } from '../../../jit/graph/builder.ts';
import {
  BINARY_FUNCTIONS,
  COMPARISONS,
  type BinaryFunction,
  type DType,
  type Graph,
  type HostArray,
  REDUCTIONS,
  type Reduction,
  UNARY_FUNCTIONS,
  type UnaryFunction,
  type ValueId,
  type ValueType,
  allocate,
  sameType,
  sizeOf,
} from '../../../jit/graph/graph.ts';
import { ShapeError } from '../../../jit/graph/shape-error.ts';
import { irregular } from './arrays.ts';

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

/** What random graphs are made of. */
export interface Vocabulary {
  readonly unary: readonly UnaryFunction[];
  readonly binary: readonly BinaryFunction[];
  readonly reductions: readonly Reduction[];
  readonly numbers: readonly number[];
}

const NUMBERS = [0, -0, 1, -1, 2, 0.5, -1.5, 3, Number.NaN, Infinity, -Infinity, 1e-30, 7.25, 1e30];

/** Everything, with numbers that are zeros, ones, NaN and infinities more often than not. */
export const ANYTHING: Vocabulary = {
  unary: UNARY_FUNCTIONS,
  binary: BINARY_FUNCTIONS,
  reductions: REDUCTIONS,
  numbers: NUMBERS,
};

/** Functions that central differences can follow, and numbers without ties. */
export const SMOOTH: Vocabulary = {
  unary: ['tanh', 'sin', 'cos', 'sigmoid', 'neg', 'atan', 'erf'],
  binary: ['add', 'sub', 'mul'],
  reductions: ['sum', 'mean'],
  numbers: irregular(200).map((x) => 1.4 * x - 0.7),
};

const SHAPES = [[], [1], [3], [2, 3], [1, 3], [2, 1], [2, 2, 3]] as const;
const MOST_ELEMENTS = 48;

const pick = <T>(draw: Draw, items: readonly T[]): T => items[draw(items.length)] as T;

/** An array of the vocabulary's numbers, small whole numbers, or bools. */
export function randomArray(draw: Draw, { shape, dtype }: ValueType, { numbers }: Vocabulary): HostArray {
  const data = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i += 1)
    data[i] = dtype === 'float32' ? pick(draw, numbers) : dtype === 'int32' ? draw(7) - 3 : draw(2);
  return { shape, dtype, data };
}

type Add = (b: GraphBuilder, pool: readonly ValueId[], draw: Draw, words: Vocabulary) => readonly ValueId[];

const ADD: readonly Add[] = [
  (b, _, draw, words) => {
    const type = { shape: pick(draw, SHAPES), dtype: pick<DType>(draw, ['float32', 'float32', 'int32', 'bool']) };
    const { data, ...rest } = randomArray(draw, type, words);
    return [b.constant({ ...rest, data: draw(3) > 0 ? data.slice(0, 1) : data })];
  },
  (b, pool, draw, words) => [b.one('unary', { fn: pick(draw, words.unary) }, [pick(draw, pool)])],
  (b, pool, draw) => [b.one('unary', { fn: pick(draw, ['neg', 'not'] as const) }, [pool.at(-1) as ValueId])],
  (b, pool, draw, words) => [b.one('binary', { fn: pick(draw, words.binary) }, [pick(draw, pool), pick(draw, pool)])],
  (b, pool, draw, words) => [
    b.one('binary', { fn: pick(draw, words.binary) }, [pick(draw, pool), b.splat(pick(draw, words.numbers))]),
  ],
  (b, pool, draw, words) => [
    b.one('binary', { fn: pick(draw, words.binary) }, [b.splat(pick(draw, words.numbers)), pick(draw, pool)]),
  ],
  (b, pool, draw) => [b.one('compare', { fn: pick(draw, COMPARISONS) }, [pick(draw, pool), pick(draw, pool)])],
  (b, pool, draw) => {
    const bools = pool.filter((id) => b.type(id).dtype === 'bool');
    return bools.length === 0 ? [] : [b.one('select', {}, [pick(draw, bools), pick(draw, pool), pick(draw, pool)])];
  },
  (b, pool, draw) => [b.one('cast', { dtype: pick(draw, ['float32', 'int32', 'bool'] as const) }, [pick(draw, pool)])],
  (b, pool, draw, words) => {
    const x = pick(draw, pool);
    const axes = b.type(x).shape.flatMap((_, axis) => (draw(2) === 0 ? [axis] : []));
    return [b.one('reduce', { fn: pick(draw, words.reductions), axes, keepDims: draw(2) === 0 }, [x])];
  },
  (b, pool, draw) => {
    const x = pick(draw, pool);
    const axis = draw(Math.max(1, b.type(x).shape.length));
    // Where the largest of NaN lies is not promised.
    if (b.type(x).dtype === 'float32') return [];
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
  (b, pool, draw, words) => (words === ANYTHING ? [b.one('stopGradient', {}, [pick(draw, pool)])] : []),
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

/** A branch on a predicate, outputs of like types paired. */
const addCond: Add = (b, pool, draw, words) => {
  const operands = Array.from({ length: 1 + draw(3) }, () => pick(draw, pool));
  const types = operands.map((id) => b.type(id));
  const bools = pool.filter((id) => b.type(id).dtype === 'bool' && b.type(id).shape.length === 0);
  const constant = (): ValueId => b.constant(randomArray(draw, { shape: [], dtype: 'bool' }, words));
  const predicate = bools.length > 0 && draw(2) === 0 ? pick(draw, bools) : constant();
  const [then, otherwise] = [randomBody(types, draw, words), randomBody(types, draw, words)];
  const typeIn = (graph: Graph, id: ValueId): ValueType => graph.values[id] as ValueType;
  const outputs = then.outputs.flatMap((port) => {
    const like = otherwise.outputs.find(({ value }) => sameType(typeIn(otherwise, value), typeIn(then, port.value)));
    return like === undefined ? [] : [[port, { ...like, name: port.name }] as const];
  });
  if (outputs.length === 0) return [];
  const attrs = {
    then: { ...then, outputs: outputs.map((pair) => pair[0]) },
    otherwise: { ...otherwise, outputs: outputs.map((pair) => pair[1]) },
  };
  return b.add('cond', attrs, [predicate, ...operands]);
};

const addCall: Add = (b, pool, draw, words) => {
  const operands = Array.from({ length: 1 + draw(3) }, () => pick(draw, pool));
  const body = randomBody(
    operands.map((id) => b.type(id)),
    draw,
    words,
  );
  const mapped = operands.map(() => draw(2) === 0);
  const count = 1 + draw(3);
  const inputs = operands.flatMap((id, index) => {
    const like = pool.filter((other) => sameType(b.type(other), b.type(id)));
    return mapped[index] === true ? Array.from({ length: count }, () => pick(draw, like)) : [id];
  });
  return b.add('call', { body, count, mapped }, inputs);
};

/** A loop whose carries are made of the body's outputs of like types, where there are any. */
const addScan: Add = (b, pool, draw, words) => {
  const length = 1 + draw(3);
  const long = pool.filter((id) => b.type(id).shape[0] === length);
  const sequences = long.length === 0 ? 0 : draw(3);
  const starts = Array.from({ length: draw(3) }, () => pick(draw, pool));
  const slices = Array.from({ length: sequences }, () => pick(draw, long));
  const captured = Array.from({ length: draw(3) }, () => pick(draw, pool));
  const types = [...starts, ...slices, ...captured].map((id, index): ValueType => {
    const { shape, dtype } = b.type(id);
    return { shape: index >= starts.length && index < starts.length + sequences ? shape.slice(1) : shape, dtype };
  });
  if (types.length === 0) return [];
  const body = randomBody(types, draw, words);
  const carries = starts.map((_, index) => {
    const like = body.outputs.filter(({ value }) =>
      sameType(body.values[value] as ValueType, types[index] as ValueType),
    );
    const value = draw(4) === 0 ? undefined : like.at(-1)?.value;
    return { name: `carry${index}`, value: value ?? (body.inputs[index]?.value as ValueId) };
  });
  const attrs = {
    body: { ...body, outputs: [...carries, ...body.outputs] },
    length,
    carries: starts.length,
    sequences,
  };
  return b.add('scan', attrs, [...starts, ...slices, ...captured]);
};

function randomBody(types: readonly ValueType[], draw: Draw, words: Vocabulary): Graph {
  const b = new GraphBuilder('body');
  const inputs = types.map((type, index) => b.input(`in${index}`, type));
  return finished(b, grown(b, inputs, { draw, words, nodes: 5, add: ADD }), draw);
}

interface Growth {
  readonly draw: Draw;
  readonly words: Vocabulary;
  readonly nodes: number;
  readonly add: readonly Add[];
}

/** Adds nodes to a builder; gives all values. Attempts that don't fit are dropped. */
function grown(b: GraphBuilder, start: readonly ValueId[], { draw, words, nodes, add }: Growth): readonly ValueId[] {
  const pool = [...start];
  for (let attempt = 0; b.nodes.length < nodes && attempt < nodes * 20; attempt += 1) {
    try {
      for (const id of pick(draw, add)(b, pool, draw, words))
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

/** A graph of about so many nodes, with inputs for it; what doesn't fit together isn't in it. */
export function randomGraph(
  seed: number,
  nodes: number,
  words: Vocabulary = ANYTHING,
): { graph: Graph; inputs: Map<string, HostArray> } {
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
  const inputs = new Map(types.map((type, index) => [`x${index}`, randomArray(draw, type, words)]));
  const start = types.map((type, index) => b.input(`x${index}`, type));
  const add = [...ADD, addCond, addCall, addScan, addScan];
  return { graph: finished(b, grown(b, start, { draw, words, nodes, add }), draw), inputs };
}
