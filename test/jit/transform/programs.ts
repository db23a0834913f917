import { GraphBuilder } from '../../../jit/graph/builder.ts';
import type { BinaryFunction, Graph, HostArray, UnaryFunction, ValueId } from '../../../jit/graph/graph.ts';
import { type Arrays, addInputs, floats, integers, irregular, weighted } from './arrays.ts';

/** Programs with loops, branches and calls, and inputs for them. */
export interface Program {
  readonly graph: Graph;
  readonly arrays: Arrays;
}

export const binary = (b: GraphBuilder, fn: BinaryFunction, x: ValueId, y: ValueId): ValueId =>
  b.one('binary', { fn }, [x, y]);
export const unary = (b: GraphBuilder, fn: UnaryFunction, x: ValueId): ValueId => b.one('unary', { fn }, [x]);
export const matrix = { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] };
export const sum = (b: GraphBuilder, ids: readonly ValueId[]): ValueId => ids.reduce((x, y) => binary(b, 'add', x, y));

/**
 * A step of a small recurrence. Carries h [3] and a counter (int32); slices x [2] and a row number (int32); captured a matrix [3,3], an input
 * matrix [3,2] and a table [4,3]. Gives the next carries, and a number to stack.
 */
export function recurrence(): Graph {
  const b = new GraphBuilder('step');
  const h = b.input('h', { shape: [3], dtype: 'float32' });
  const count = b.input('count', { shape: [], dtype: 'int32' });
  const x = b.input('x', { shape: [2], dtype: 'float32' });
  const row = b.input('row', { shape: [], dtype: 'int32' });
  const w = b.input('w', { shape: [3, 3], dtype: 'float32' });
  const u = b.input('u', { shape: [3, 2], dtype: 'float32' });
  const table = b.input('table', { shape: [4, 3], dtype: 'float32' });
  const picked = b.one('gather', { axis: 0, batchDims: 0 }, [table, row]);
  const total = sum(b, [b.one('contract', matrix, [w, h]), b.one('contract', matrix, [u, x]), picked]);
  const next = unary(b, 'tanh', total);
  const one = b.constant(integers([], [1]));
  const counted = binary(b, 'add', count, one);
  const factor = b.one('cast', { dtype: 'float32' }, [counted]);
  const loss = binary(
    b,
    'mul',
    b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [binary(b, 'mul', next, next)]),
    factor,
  );
  return b.finish([
    { name: 'h', value: next },
    { name: 'count', value: counted },
    { name: 'loss', value: loss },
  ]);
}

export const LENGTH = 4;
export const SCAN_INPUTS: Arrays = new Map<string, HostArray>([
  ['h', floats([3])],
  ['count', integers([], [0])],
  ['x', floats([LENGTH, 2], irregular(LENGTH * 2, 1))],
  ['row', integers([LENGTH], [2, 0, 3, 2])],
  ['w', floats([3, 3], irregular(9, 2))],
  ['u', floats([3, 2], irregular(6, 3))],
  ['table', floats([4, 3], irregular(12, 4))],
]);

export function scanned(): Graph {
  const b = new GraphBuilder('scanned');
  const inputs = addInputs(b, SCAN_INPUTS);
  const [h = 0, , losses = 0] = b.add('scan', { body: recurrence(), length: LENGTH, carries: 2, sequences: 2 }, inputs);
  return b.finish([{ name: 'value', value: binary(b, 'add', weighted(b, h), weighted(b, losses)) }]);
}

/** The same loop written out. */
export function unrolled(): Graph {
  const b = new GraphBuilder('unrolled');
  const [h = 0, count = 0, xs = 0, rows = 0, ...captured] = addInputs(b, SCAN_INPUTS);
  let carry: readonly ValueId[] = [h, count];
  const losses: ValueId[] = [];
  for (let step = 0; step < LENGTH; step += 1) {
    const x = b.one('slice', { begin: [step, 0], size: [1, 2], strides: [1, 1] }, [xs]);
    const row = b.one('slice', { begin: [step], size: [1], strides: [1] }, [rows]);
    const slices = [b.one('reshape', { shape: [2] }, [x]), b.one('reshape', { shape: [] }, [row])];
    const [next = 0, counted = 0, loss = 0] = b.inline(recurrence(), [...carry, ...slices, ...captured]);
    carry = [next, counted];
    losses.push(b.one('reshape', { shape: [1] }, [loss]));
  }
  const stacked = b.one('concat', { axis: 0 }, losses);
  return b.finish([{ name: 'value', value: binary(b, 'add', weighted(b, carry[0] as ValueId), weighted(b, stacked)) }]);
}

/** A branch on a predicate: a product and a sine, or a quotient and the second operand itself. */
export function branching(): Graph {
  const branch = (name: string, make: (b: GraphBuilder, x: ValueId, y: ValueId) => readonly ValueId[]): Graph => {
    const b = new GraphBuilder(name);
    const x = b.input('x', { shape: [3], dtype: 'float32' });
    const y = b.input('y', { shape: [3], dtype: 'float32' });
    return b.finish(make(b, x, y).map((value, index) => ({ name: `out${index}`, value })));
  };
  const b = new GraphBuilder('branching');
  const predicate = b.input('predicate', { shape: [], dtype: 'bool' });
  const x = b.input('x', { shape: [3], dtype: 'float32' });
  const y = b.input('y', { shape: [3], dtype: 'float32' });
  const attrs = {
    then: branch('product', (each, p, q) => [binary(each, 'mul', p, q), unary(each, 'sin', p)]),
    otherwise: branch('quotient', (each, p, q) => [binary(each, 'div', p, q), q]),
  };
  const [first = 0, second = 0] = b.add('cond', attrs, [predicate, unary(b, 'exp', x), y]);
  return b.finish([
    { name: 'value', value: binary(b, 'add', weighted(b, first), weighted(b, binary(b, 'mul', second, second))) },
  ]);
}

/** y = tanh(scale * x) * x + other, and z = x^2 which nobody needs. */
export function rule(): Graph {
  const b = new GraphBuilder('rule');
  const x = b.input('x', { shape: [3], dtype: 'float32' });
  const scale = b.input('scale', { shape: [], dtype: 'float32' });
  const other = b.input('other', { shape: [3], dtype: 'float32' });
  const y = binary(b, 'add', binary(b, 'mul', unary(b, 'tanh', binary(b, 'mul', scale, x)), x), other);
  return b.finish([
    { name: 'y', value: y },
    { name: 'z', value: binary(b, 'mul', x, x) },
  ]);
}

/** Calls on a, a again, and b; the last result isn't used. */
export function calling(): Program {
  const b = new GraphBuilder('calling');
  const arrays = new Map([
    ['a', floats([3])],
    ['b', floats([3], irregular(3, 1))],
    ['c', floats([3], irregular(3, 2))],
    ['scale', floats([], [0.7])],
    ['other', floats([3], irregular(3, 4))],
  ]);
  const [x = 0, y = 0, z = 0, scale = 0, other = 0] = addInputs(b, arrays);
  const results = b.add('call', { body: rule(), count: 4, mapped: [true, false, false] }, [x, x, y, z, scale, other]);
  const sums = results.slice(0, 3).map((id, index) => weighted(b, id, index));
  return { graph: b.finish([{ name: 'value', value: sum(b, sums) }]), arrays };
}
