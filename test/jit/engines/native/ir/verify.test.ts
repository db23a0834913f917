import { describe, expect, test } from 'vitest';
import {
  type Index,
  ZERO,
  computedIndex,
  counterIndex,
  quotient,
  remainder,
} from '../../../../../jit/engines/native/ir/index-expression.ts';
import type {
  Buffer,
  Contraction,
  Kernel,
  Loop,
  Operation,
  Program,
  Statement,
} from '../../../../../jit/engines/native/ir/program.ts';
import { verifyProgram } from '../../../../../jit/engines/native/ir/verify.ts';
import {
  PROGRAMS,
  at,
  binary,
  buffer,
  constant,
  kernel,
  load,
  loop,
  matmul,
  number,
  plus,
  program,
  store,
  times,
} from './small-programs.ts';

const [i, j] = [at(0, 3), at(1, 4)];
const ROWS = loop(0, 3);
const COLUMNS = loop(1, 4);
const flat = plus(times(4, i), j);

/** Buffers 0 to 3: inputs x[12] and n[12] (int32), local t[12], output y[12]. */
const BUFFERS: readonly Buffer[] = [
  buffer('input', 'x', 12),
  buffer('input', 'n', 12, 'int32'),
  buffer('local', 't', 12),
  buffer('output', 'y', 12),
];
const [X, N, T, Y] = [0, 1, 2, 3];

/** Sets every element of a buffer, by a counter of its own. */
const fill = (id: number, counter: number): Kernel =>
  kernel('fill', [loop(counter, 12)], [constant(0), store(id, at(counter, 12), 0)]);

/** A kernel over [3,4] between statements that write the other buffers. */
function withKernel(
  operations: readonly Operation[],
  { loops = [ROWS, COLUMNS], ordered = [] }: { loops?: readonly Loop[]; ordered?: readonly number[] } = {},
): Program {
  return program('p', BUFFERS, [fill(T, 90), fill(Y, 91), kernel('k', loops, operations, ordered)]);
}

const withBody = (...body: readonly Statement[]): Program => program('p', BUFFERS, body);
const withBuffers = (...buffers: readonly Buffer[]): Program => program('p', buffers, []);
const reduce = (change: Partial<Extract<Operation, { op: 'reduce' }>>): Operation => ({
  op: 'reduce',
  fn: 'sum',
  value: 0,
  over: [1],
  buffer: T,
  index: i,
  divisor: 1,
  ...change,
});
const copy = kernel('copy', [ROWS, COLUMNS], [load(T, flat), store(Y, flat, 0)]);

function withContraction(change: Partial<Contraction>): Program {
  const of = matmul();
  const [own] = of.body;
  return { ...of, body: [{ ...(own as Contraction), ...change }] };
}

function withAxis(place: number, change: Partial<Contraction['axes'][number]>): Program {
  const { axes } = matmul().body[0] as Contraction;
  return withContraction({ axes: axes.with(place, { ...(axes[place] as (typeof axes)[number]), ...change }) });
}

const AT_K = 'statement 2 (k), operation';

function expectRefusal(of: Program, reason: string): void {
  expect(() => verifyProgram(of)).toThrow(new RangeError(`Cannot use program ${of.name}: ${reason}`));
}

describe('takes', () => {
  test.each(PROGRAMS.map((of) => [of.name, of] as const))('%s', (_, of) => {
    expect(() => verifyProgram(of)).not.toThrow();
  });

  const constants = withKernel([constant(1), store(Y, flat, 0)]);
  test.each<[string, Program]>([
    [
      'stores at several places of each run',
      withKernel([constant(1), store(Y, times(4, i), 0), store(Y, plus(times(4, i), number(1)), 0)], { loops: [ROWS] }),
    ],
    ['one value for many runs', withKernel([load(X, i), store(Y, i, 0)])],
    [
      'a value that an ordered loop changes, the last one stays',
      withKernel([load(X, flat), store(Y, i, 0)], { ordered: [1] }),
    ],
    ['an update in place', withKernel([load(T, flat), store(T, flat, 0)])],
    [
      'an accumulator along an ordered loop',
      withKernel([load(T, i), load(X, flat), binary('add', 0, 1), store(T, i, 2)], { ordered: [1] }),
    ],
    ['any order where every loop is ordered', withKernel([load(T, j), store(T, i, 0)], { ordered: [0, 1] })],
    [
      'a store by the digits of a counter',
      withKernel([constant(1), store(Y, plus(times(3, remainder(at(2, 12), 4)), quotient(at(2, 12), 4)), 0)], {
        loops: [loop(2, 12)],
      }),
    ],
    [
      'a store by three digits of a sum of counters',
      withKernel([
        load(X, flat),
        store(Y, plus(times(4, remainder(quotient(flat, 2), 3)), times(2, quotient(flat, 6)), remainder(flat, 2)), 0),
      ]),
    ],
    ['additions at computed places', withKernel([load(N, flat), load(X, flat), store(Y, computedIndex(0), 1, true)])],
    [
      'a store at a computed place that no loop changes',
      withKernel([load(N, ZERO), load(X, i), store(Y, plus(computedIndex(0), i), 1)], { loops: [ROWS] }),
    ],
    [
      'a load from the place that the run has stored to',
      withBody(kernel('k', [ROWS, COLUMNS], [load(X, flat), store(T, flat, 0), load(T, flat), store(Y, flat, 2)])),
    ],
    [
      'reductions that were written out',
      withKernel([
        load(X, flat),
        reduce({ over: [0, 1], index: number(0) }),
        reduce({ over: [0, 1], index: number(1) }),
      ]),
    ],
    [
      'loops that never run',
      program(
        'p',
        [buffer('input', 'x', 0), buffer('output', 'y', 0)],
        [kernel('k', [loop(0, 0), COLUMNS], [load(0, j), store(1, j, 0)])],
      ),
    ],
    [
      'a reduction over no elements',
      program(
        'p',
        [buffer('input', 'x', 0), buffer('output', 'y', 3)],
        [kernel('k', [ROWS, loop(1, 0)], [load(0, i), reduce({ buffer: 1 })])],
      ),
    ],
    ['writes in both branches', withBranch([fill(Y, 5)], [fill(Y, 6)])],
    ['writes in a repeat', withBody({ kind: 'repeat', name: 'r', loop: loop(7, 2), body: [fill(T, 5), copy] })],
    ['constants', constants],
  ])('%s', (_, of) => {
    expect(() => verifyProgram(of)).not.toThrow();
  });
});

const FLAGS = buffer('input', 'isOn', 1, 'bool');
function withBranch(then: readonly Statement[], otherwise: readonly Statement[]): Program {
  const condition = { buffer: 4, index: ZERO };
  return program('p', [...BUFFERS, FLAGS], [{ kind: 'branch', name: 'b', condition, then, otherwise }]);
}

describe('refuses buffers and ports', () => {
  const y = buffer('output', 'y', 0);
  test.each<[string, Program, string]>([
    [
      'an unknown dtype',
      withBuffers(buffer('local', 't', 1, 'int8' as 'int32')),
      'buffer 0 (t): expected float32 or int32 or bool but got int8',
    ],
    ['a size below 0', withBuffers(buffer('local', 't', -1)), 'buffer 0 (t): expected a size of 0 or more but got -1'],
    [
      'data of a local buffer',
      withBuffers({ ...buffer('local', 't', 1), data: new Float32Array(1) }),
      'buffer 0 (t): expected data for constants alone but got data of a local',
    ],
    [
      'a constant without data',
      withBuffers(buffer('constant', 'c', 1)),
      'buffer 0 (c): expected data of a constant but got none',
    ],
    [
      'data of another dtype',
      withBuffers({ ...buffer('constant', 'c', 1), data: new Int32Array(1) }),
      'buffer 0 (c): expected data of float32 but got Int32Array',
    ],
    [
      'data of another size',
      withBuffers({ ...buffer('constant', 'c', 3), data: new Float32Array(2) }),
      'buffer 0 (c): expected 1 or 3 elements but got 2',
    ],
    [
      'a port of no buffer',
      { ...withBuffers(y), outputs: [{ name: 'y', buffer: 1 }] },
      'output y: expected a buffer below 1 but got 1',
    ],
    [
      'a port of another kind',
      { ...withBuffers(y), inputs: [{ name: 'x', buffer: 0 }] },
      'input x: expected a buffer of kind input but got output y',
    ],
    [
      'a name twice',
      {
        ...withBuffers(y, y),
        outputs: [
          { name: 'y', buffer: 0 },
          { name: 'y', buffer: 1 },
        ],
      },
      'output y: expected unique names but got it twice',
    ],
    [
      'a buffer of two ports',
      {
        ...withBuffers(y),
        outputs: [
          { name: 'y', buffer: 0 },
          { name: 'z', buffer: 0 },
        ],
      },
      'output z: expected a buffer of its own but got that of y',
    ],
    ['a buffer without port', { ...withBuffers(y), outputs: [] }, 'buffer 0 (y): expected an output port but got none'],
    [
      'an output that nothing writes',
      withBody(fill(T, 0)),
      'output y: expected a statement that writes it but got none',
    ],
  ])('%s', (_, of, reason) => expectRefusal(of, reason));
});

describe('refuses loops and indices', () => {
  const unsorted: Index = { offset: 0, terms: [...flat.terms].toReversed() };
  test.each<[string, Program, string]>([
    [
      'a counter twice',
      withKernel([], { loops: [loop(90, 2)] }),
      'statement 2 (k): expected counters that no other loop has but got i90',
    ],
    [
      'a counter below 0',
      withKernel([], { loops: [loop(-1, 2)] }),
      'statement 2 (k): expected counters that are integers of 0 or more but got i-1',
    ],
    [
      'an extent below 0',
      withKernel([], { loops: [loop(0, -2)] }),
      'statement 2 (k): expected an extent of 0 or more for i0 but got -2',
    ],
    [
      'an ordered loop of elsewhere',
      withKernel([], { ordered: [90] }),
      'statement 2 (k): expected ordered loops of the kernel but got i90',
    ],
    [
      'a counter of no loop round it',
      withKernel([load(X, at(90, 12))]),
      `${AT_K} %0 (load of x): expected an index by counters of loops round it but got i90`,
    ],
    [
      'a counter of another extent',
      withKernel([load(X, counterIndex(0, 5))]),
      `${AT_K} %0 (load of x): expected an index by i0 in 3 but got i0 in 5`,
    ],
    [
      'fractions',
      withKernel([load(X, times(0.5, i))]),
      `${AT_K} %0 (load of x): expected an index of integers, with factors other than 0 and divisors above 1 but got 0.5*i0`,
    ],
    [
      'a divisor of 0',
      withKernel([load(X, { offset: 0, terms: [{ atom: { kind: 'quotient', of: i, by: 0 }, factor: 1 }] })]),
      `${AT_K} %0 (load of x): expected an index of integers, with factors other than 0 and divisors above 1 but got (i0)/0`,
    ],
    [
      'terms out of order',
      withKernel([load(X, unsorted)]),
      `${AT_K} %0 (load of x): expected the normal form 4*i0+i1 of an index but got i1+4*i0`,
    ],
    [
      'a place below the first',
      withKernel([load(X, plus(i, number(-1)))]),
      `${AT_K} %0 (load of x): expected places from 0 to 11 of x but got -1 to 1`,
    ],
    [
      'a place above the last',
      withKernel([load(X, plus(times(5, i), j))]),
      `${AT_K} %0 (load of x): expected places from 0 to 11 of x but got 0 to 13`,
    ],
    [
      'an index above int32',
      withKernel([{ op: 'index', index: times(2 ** 31, i) }]),
      `${AT_K} %0 (index): expected an int32 but got 0 to 4294967296`,
    ],
    [
      'a computed index that isn’t an int32',
      withKernel([load(X, i), load(X, computedIndex(0))]),
      `${AT_K} %1 (load of x): expected an index by int32 values made before but got %0`,
    ],
    [
      'a computed index that comes later',
      withKernel([load(X, computedIndex(1)), load(N, i)]),
      `${AT_K} %0 (load of x): expected an index by int32 values made before but got %1`,
    ],
    [
      'a computed index as a value',
      withKernel([load(N, i), { op: 'index', index: computedIndex(0) }]),
      `${AT_K} %1 (index): expected an index by counters alone but got %0`,
    ],
    [
      'a buffer that isn’t there',
      withKernel([load(7, i)]),
      `${AT_K} %0 (load of buffer 7): expected a buffer below 4 but got 7`,
    ],
  ])('%s', (_, of, reason) => expectRefusal(of, reason));
});

describe('refuses operations', () => {
  const x = load(X, flat);
  test.each<[string, Program, string]>([
    [
      'an operand that comes later',
      withKernel([binary('add', 0, 1)]),
      `${AT_K} %0 (add): expected values made before but got %0`,
    ],
    [
      'an operand that is no value',
      withKernel([x, store(Y, flat, 0), binary('add', 0, 1)]),
      `${AT_K} %2 (add): expected values made before but got %1`,
    ],
    [
      'a number that isn’t of its dtype',
      withKernel([constant(0.5, 'int32')]),
      `${AT_K} %0 (constant): expected a number of int32 but got 0.5`,
    ],
    ['a bool above 1', withKernel([constant(2, 'bool')]), `${AT_K} %0 (constant): expected a number of bool but got 2`],
    [
      'a constant of an unknown dtype',
      withKernel([constant(2, 'int8' as 'int32')]),
      `${AT_K} %0 (constant): expected float32 or int32 or bool but got int8`,
    ],
    [
      'a function of another dtype',
      withKernel([load(N, flat), { op: 'unary', fn: 'exp', x: 0 }]),
      `${AT_K} %1 (exp): expected what its type rule takes but got Cannot apply exp: expected float32 but got int32[]`,
    ],
    [
      'operands of two dtypes',
      withKernel([x, load(N, flat), binary('mul', 0, 1)]),
      `${AT_K} %2 (mul): expected what its type rule takes but got Cannot apply mul: expected operands of one dtype but got float32[] and int32[]`,
    ],
    [
      'a comparison of two dtypes',
      withKernel([x, load(N, flat), { op: 'compare', fn: 'less', a: 0, b: 1 }]),
      `${AT_K} %2 (less): expected what its type rule takes but got Cannot apply less: expected operands of one dtype but got float32[] and int32[]`,
    ],
    [
      'a condition that isn’t a bool',
      withKernel([x, { op: 'select', condition: 0, a: 0, b: 0 }]),
      `${AT_K} %1 (select): expected what its type rule takes but got Cannot apply select: expected bool but got float32[]`,
    ],
    [
      'a cast to an unknown dtype',
      withKernel([x, { op: 'cast', dtype: 'int8' as 'int32', x: 0 }]),
      `${AT_K} %1 (cast): expected float32 or int32 or bool but got int8`,
    ],
    [
      'an unknown operation',
      withKernel([{ op: 'sort' } as unknown as Operation]),
      `${AT_K} %0 (sort): expected an operation of the loop IR but got sort`,
    ],
    [
      'a store of another dtype',
      withKernel([load(N, flat), store(Y, flat, 0)]),
      `${AT_K} %1 (store to y): expected float32 for y but got int32`,
    ],
    [
      'a store to an input',
      withKernel([x, store(X, flat, 0)]),
      `${AT_K} %1 (store to x): expected a local or output buffer to write but got input x`,
    ],
    [
      'additions of bools',
      program(
        'p',
        [buffer('output', 'y', 1, 'bool')],
        [kernel('k', [], [constant(1, 'bool'), store(0, ZERO, 0), store(0, ZERO, 0, true)])],
      ),
      'statement 0 (k), operation %2 (add to y): expected numbers to add but got bool',
    ],
    [
      'a read before any write',
      withBody(copy),
      'statement 0 (copy), operation %0 (load of t): expected t to be written before it is read but got no write',
    ],
    [
      'an addition to nothing',
      withBody(kernel('k', [], [constant(1), store(Y, ZERO, 0, true)])),
      'statement 0 (k), operation %1 (add to y): expected y to be written before it is read but got no write',
    ],
  ])('%s', (_, of, reason) => expectRefusal(of, reason));
});

describe('refuses what depends on the order of runs', () => {
  const x = load(X, flat);
  test.each<[string, Program, string]>([
    [
      'different values at one place',
      withKernel([x, store(Y, i, 0)]),
      `${AT_K} %1 (store to y): expected a place for each i1, or one value for all but got i0`,
    ],
    [
      'places that overlap',
      withKernel([x, store(Y, plus(times(3, i), j), 0)]),
      `${AT_K} %1 (store to y): expected a place for each i0, i1, or one value for all but got 3*i0+i1`,
    ],
    [
      'the value of an ordered loop at the place of an unordered one',
      withKernel([load(X, j), store(Y, ZERO, 0)], { ordered: [1] }),
      `${AT_K} %1 (store to y): expected a place for each i0, or one value for all but got 0`,
    ],
    [
      'a remainder that forgets',
      withKernel([x, store(Y, remainder(flat, 6), 0)]),
      `${AT_K} %1 (store to y): expected a place for each i0, i1, or one value for all but got (4*i0+i1)mod 6`,
    ],
    [
      'a plain store at computed places',
      withKernel([load(N, flat), x, store(Y, computedIndex(0), 1)]),
      `${AT_K} %2 (store to y): expected a place for each i0, i1, or one value for all but got %0`,
    ],
    [
      'a count that isn’t ordered',
      withKernel([load(T, i), x, binary('add', 0, 1), store(T, i, 2)]),
      `${AT_K} %3 (store to t): expected the places of %0, i0, at the same i1 alone but got i0`,
    ],
    [
      'a neighbour, where the loop isn’t ordered',
      withKernel([load(T, j), store(T, plus(j, number(1)), 0)], { loops: [COLUMNS] }),
      `${AT_K} %1 (store to t): expected the places of %0, i1, at the same i1 alone but got i1+1`,
    ],
    [
      'two stores that meet',
      withKernel([x, store(Y, flat, 0), store(Y, plus(times(-4, i), j, number(8)), 0)]),
      `${AT_K} %2 (store to y): expected the places of %1, 4*i0+i1, at the same i0 alone but got -4*i0+i1+8`,
    ],
    [
      'a load of what is added to',
      withKernel([x, store(T, i, 0, true), load(T, i)]),
      `${AT_K} %2 (load of t): expected the places of %1, i0, at the same i1 alone but got i0`,
    ],
    [
      'a load of what is reduced to',
      withKernel([load(T, flat), reduce({})]),
      `${AT_K} %1 (sum to t): expected no load of t in a kernel that reduces to it but got %0`,
    ],
    [
      'two reductions to one place',
      withKernel([x, reduce({}), reduce({})]),
      `${AT_K} %2 (sum to t): expected places of t that %1 doesn’t write but got i0`,
    ],
    [
      'a reduction to one place for all rows',
      withKernel([x, reduce({ index: ZERO })]),
      `${AT_K} %1 (sum to t): expected a place for each i0, or one value for all but got 0`,
    ],
  ])('%s', (_, of, reason) => expectRefusal(of, reason));
});

describe('refuses reductions', () => {
  const x = load(X, flat);
  const n = load(N, flat);
  const ints = buffer('local', 'm', 3, 'int32');
  const toInts = (...operations: readonly Operation[]): Program =>
    program('p', [...BUFFERS, ints], [fill(T, 90), fill(Y, 91), kernel('k', [ROWS, COLUMNS], operations)]);
  test.each<[string, Program, string]>([
    ['of another dtype', withKernel([n, reduce({})]), `${AT_K} %1 (sum to t): expected float32 for t but got int32`],
    [
      'by a function of another dtype',
      withKernel([x, reduce({ fn: 'any' })]),
      `${AT_K} %1 (any to t): expected what its type rule takes but got Cannot apply any: expected bool but got float32[]`,
    ],
    [
      'over a loop of elsewhere',
      withKernel([x, reduce({ over: [90] })]),
      `${AT_K} %1 (sum to t): expected counters of the kernel’s own loops to reduce over but got i90`,
    ],
    [
      'over a loop twice',
      withKernel([x, reduce({ over: [1, 1] })]),
      `${AT_K} %1 (sum to t): expected distinct counters to reduce over but got i1 twice`,
    ],
    [
      'to a place that moves',
      withKernel([x, reduce({ index: flat })]),
      `${AT_K} %1 (sum to t): expected a place that i1, reduced over, doesn’t move but got 4*i0+i1`,
    ],
    [
      'to a computed place',
      withKernel([n, x, reduce({ value: 1, index: computedIndex(0) })]),
      `${AT_K} %2 (sum to t): expected an index by counters alone but got %0`,
    ],
    [
      'with a divisor of a maximum',
      withKernel([x, reduce({ fn: 'max', divisor: 2 })]),
      `${AT_K} %1 (max to t): expected a divisor of 1, or a finite one of a float32 sum but got 2`,
    ],
    [
      'with a divisor of integers',
      toInts(n, reduce({ buffer: 4, divisor: 2 })),
      `${AT_K} %1 (sum to m): expected a divisor of 1, or a finite one of a float32 sum but got 2`,
    ],
    [
      'to an input',
      withKernel([x, reduce({ buffer: X })]),
      `${AT_K} %1 (sum to x): expected a local or output buffer to write but got input x`,
    ],
  ])('%s', (_, of, reason) => expectRefusal(of, reason));
});

describe('refuses contractions', () => {
  const at0 = 'statement 0 (a b)';
  test.each<[string, Program, string]>([
    [
      'an extent below 0',
      withAxis(0, { extent: -1 }),
      `${at0}, axis 0 (row): expected an extent of 0 or more but got -1`,
    ],
    [
      'a stride that is no integer',
      withAxis(0, { left: 0.5 }),
      `${at0}, axis 0 (row): expected an integer stride of left but got 0.5`,
    ],
    ['rows of the right', withAxis(0, { right: 1 }), `${at0}, axis 0 (row): expected no stride of right but got 1`],
    ['columns of the left', withAxis(1, { left: 1 }), `${at0}, axis 1 (column): expected no stride of left but got 1`],
    [
      'inner axes of the output',
      withAxis(2, { out: 1 }),
      `${at0}, axis 2 (inner): expected no stride of out but got 1`,
    ],
    [
      'places outside an operand',
      withAxis(0, { left: 4 }),
      `${at0}, left: expected places from 0 to 5 of a but got 0 to 6`,
    ],
    [
      'one place for several rows',
      withAxis(0, { out: 1 }),
      `${at0}, out: expected a place of its own for each batch, row and column but got one for several along axis 0`,
    ],
    [
      'a place that starts outside',
      withContraction({ right: { buffer: 1, index: number(12) } }),
      `${at0}, right: expected places from 0 to 11 of b but got 12`,
    ],
    [
      'an output that is an input',
      withContraction({ out: { buffer: 1, index: ZERO } }),
      `${at0}, out: expected a local or output buffer to write but got input b`,
    ],
    [
      'an operand that nothing wrote',
      withContraction({ left: { buffer: 2, index: ZERO } }),
      `${at0}, left: expected out to be written before it is read but got no write`,
    ],
    [
      'a counter of no loop',
      withContraction({ left: { buffer: 0, index: i } }),
      `${at0}, left: expected an index by counters of loops round it but got i0`,
    ],
    [
      'a buffer that isn’t there',
      withContraction({ left: { buffer: 9, index: ZERO } }),
      `${at0}, left: expected a buffer below 3 but got 9`,
    ],
    [
      'an output that is an operand',
      {
        ...matmul(),
        body: [
          kernel('k', [loop(5, 8)], [constant(1), store(2, at(5, 8), 0)]),
          ...withContraction({ left: { buffer: 2, index: ZERO } }).body,
        ],
      },
      'statement 1 (a b), out: expected a buffer that is no operand but got out',
    ],
    [
      'integers',
      program('p', BUFFERS, [
        {
          kind: 'contraction',
          name: 'c',
          axes: [],
          left: { buffer: N, index: ZERO },
          right: { buffer: X, index: ZERO },
          out: { buffer: Y, index: ZERO },
        },
      ]),
      'statement 0 (c), left: expected a buffer of float32 but got int32 of n',
    ],
  ])('%s', (_, of, reason) => expectRefusal(of, reason));
});

describe('refuses repeats and branches', () => {
  const repeat = (extent: number, ...body: readonly Statement[]): Statement => ({
    kind: 'repeat',
    name: 'r',
    loop: loop(7, extent),
    body,
  });
  test.each<[string, Program, string]>([
    [
      'reading what a later statement of the body writes',
      withBody(repeat(2, copy, fill(T, 5))),
      'statement 0/body/0 (copy), operation %0 (load of t): expected t to be written before it is read but got no write',
    ],
    [
      'reading what a repeat of no steps writes',
      withBody(repeat(0, fill(T, 5)), copy),
      'statement 1 (copy), operation %0 (load of t): expected t to be written before it is read but got no write',
    ],
    [
      'reading what one branch writes',
      { ...withBranch([fill(T, 5)], []), body: [...withBranch([fill(T, 5)], []).body, copy] },
      'statement 1 (copy), operation %0 (load of t): expected t to be written before it is read but got no write',
    ],
    [
      'reading in one branch what the other writes',
      withBranch([fill(T, 5)], [copy]),
      'statement 0/otherwise/0 (copy), operation %0 (load of t): expected t to be written before it is read but got no write',
    ],
    [
      'a condition that isn’t a bool',
      withBody({ kind: 'branch', name: 'b', condition: { buffer: X, index: ZERO }, then: [], otherwise: [] }),
      'statement 0 (b), condition: expected a buffer of bool but got float32 of x',
    ],
    [
      'a counter outside its repeat',
      withBody(repeat(2), kernel('k', [], [load(X, at(7, 2))])),
      'statement 1 (k), operation %0 (load of x): expected an index by counters of loops round it but got i7',
    ],
    [
      'an unknown statement',
      withBody({ kind: 'jump', name: 'j' } as unknown as Statement),
      'statement 0 (j): expected a statement of the loop IR but got jump',
    ],
  ])('%s', (_, of, reason) => expectRefusal(of, reason));
});
