import { describe, expect, test } from 'vitest';
import { type TypedArray, BINARY_FUNCTIONS, COMPARISONS, UNARY_FUNCTIONS } from '../../../../../jit/graph/graph.ts';
import { quotient, remainder } from '../../../../../jit/engines/native/ir/index-expression.ts';
import { interpret } from '../../../../../jit/engines/native/ir/interpret.ts';
import type { Operation, Program } from '../../../../../jit/engines/native/ir/program.ts';
import {
  BINARY_SCALARS,
  COMBINATIONS,
  COMPARISON_SCALARS,
  UNARY_SCALARS,
  castScalar,
  erf,
  rounded,
} from '../../../../../jit/engines/native/ir/scalar-functions.ts';
import {
  at,
  binary,
  branch,
  buffer,
  constant,
  cumulative,
  elementwise,
  kernel,
  load,
  loop,
  matmul,
  number,
  plus,
  powers,
  program,
  rows,
  scatter,
  store,
  times,
} from './small-programs.ts';

function run(of: Program, inputs: Readonly<Record<string, TypedArray>>): Record<string, number[]> {
  const outputs = interpret(of, new Map(Object.entries(inputs)));
  return Object.fromEntries([...outputs].map(([name, data]) => [name, [...data]]));
}

const floats = (...values: readonly number[]): Float32Array => Float32Array.from(values);

describe('closed forms', () => {
  test('an elementwise kernel rounds each operation', () => {
    const x = [0, 1, -2, 0.1];
    const want = x.map((each) => Math.fround(Math.fround(Math.exp(Math.fround(each))) + 0.5));
    expect(run(elementwise(), { x: floats(...x) })).toEqual({ y: want });
  });

  test('reductions over rows', () => {
    const x = floats(1, 2, 4, -1, -2, -6);
    expect(run(rows(), { x })).toEqual({ means: [Math.fround(7 / 3), -3], tops: [4, -1] });
  });

  test('a matrix product', () => {
    const a = floats(1, 2, 3, 4, 5, 6);
    // Columns of b: (1,0,0), (0,1,0), (1,1,1), (2,0,-1).
    const b = floats(1, 0, 0, 0, 1, 0, 1, 1, 1, 2, 0, -1);
    expect(run(matmul(), { a, b })).toEqual({ out: [1, 2, 6, -1, 4, 5, 15, 2] });
  });

  test('scatter-add', () => {
    const inputs = { x: floats(1, 2, 3, 4, 5), places: Int32Array.of(2, 0, 2, 2, 0) };
    expect(run(scatter(), inputs)).toEqual({ sums: [7, 0, 8] });
  });

  test('running sums along an ordered loop', () => {
    const x = floats(1, 10, 2, 20, 3, 30, 4, 40);
    expect(run(cumulative(), { x })).toEqual({ sums: [1, 10, 3, 30, 6, 60, 10, 100] });
  });

  test('a repeat with a carry', () => {
    expect(run(powers(), { x: floats(3) })).toEqual({ powers: [1, 3, 9, 27] });
  });

  test('a branch', () => {
    const x = floats(1, -2);
    expect(run(branch(), { isKept: Uint8Array.of(1), x })).toEqual({ y: [1, -2] });
    expect(run(branch(), { isKept: Uint8Array.of(0), x })).toEqual({ y: [-1, 2] });
  });
});

describe('operations', () => {
  test('indices with quotients and remainders, casts, comparisons and select', () => {
    const i = at(0, 6);
    const code: readonly Operation[] = [
      { op: 'index', index: plus(times(10, quotient(i, 3)), remainder(i, 3)) },
      { op: 'cast', dtype: 'float32', x: 0 },
      constant(5),
      { op: 'compare', fn: 'less', a: 1, b: 2 },
      { op: 'unary', fn: 'neg', x: 1 },
      { op: 'select', condition: 3, a: 1, b: 4 },
      store(0, i, 5),
      store(1, i, 3),
    ];
    const buffers = [buffer('output', 'y', 6), buffer('output', 'isSmall', 6, 'bool')];
    expect(run(program('p', buffers, [kernel('k', [loop(0, 6)], code)]), {})).toEqual({
      y: [0, 1, 2, -10, -11, -12],
      isSmall: [1, 1, 1, 0, 0, 0],
    });
  });

  test('int32 wraps', () => {
    const buffers = [buffer('input', 'x', 2, 'int32'), buffer('output', 'y', 4, 'int32')];
    const code = [
      load(0, number(0)),
      load(0, number(1)),
      binary('add', 0, 1),
      binary('mul', 0, 0),
      { op: 'unary', fn: 'neg', x: 1 } as const,
      binary('floorDiv', 0, 1),
      ...[2, 3, 4, 5].map((value, place) => store(1, number(place), value)),
    ];
    const wrapping = program('p', buffers, [kernel('k', [], code)]);
    expect(run(wrapping, { x: Int32Array.of(-123_456_789, -(2 ** 31)) })).toEqual({
      y: [2_024_026_859, Math.imul(123_456_789, 123_456_789), -(2 ** 31), 0],
    });
  });

  test('a load sees what this run stored before it, and what was there otherwise', () => {
    const i = at(0, 3);
    const code = [
      load(0, i),
      load(1, i),
      binary('add', 0, 1),
      store(1, i, 2),
      load(1, i),
      binary('mul', 4, 4),
      store(2, i, 5),
    ];
    const start = kernel('start', [loop(1, 3)], [constant(10), store(1, at(1, 3), 0)]);
    const buffers = [buffer('input', 'x', 3), buffer('local', 'sum', 3), buffer('output', 'squares', 3)];
    const of = program('p', buffers, [start, kernel('k', [loop(0, 3)], code)]);
    expect(run(of, { x: floats(1, 2, 3) })).toEqual({ squares: [121, 144, 169] });
  });

  test('constants of one element are that for every place', () => {
    const i = at(0, 3);
    const buffers = [{ ...buffer('constant', 'c', 3), data: floats(2) }, buffer('output', 'y', 3)];
    const of = program('p', buffers, [kernel('k', [loop(0, 3)], [load(0, i), store(1, i, 0)])]);
    expect(run(of, {})).toEqual({ y: [2, 2, 2] });
  });

  test.each([
    ['sum', 'float32', 0],
    ['prod', 'int32', 1],
    ['max', 'float32', Number.NEGATIVE_INFINITY],
    ['max', 'int32', -(2 ** 31)],
    ['min', 'int32', 2 ** 31 - 1],
    ['any', 'bool', 0],
    ['all', 'bool', 1],
  ] as const)('%s of no %s elements', (fn, dtype, want) => {
    const code: readonly Operation[] = [
      load(0, number(0)),
      { op: 'reduce', fn, value: 0, over: [1], buffer: 1, index: at(0, 2), divisor: 1 },
    ];
    const buffers = [buffer('input', 'x', 0, dtype), buffer('output', 'y', 2, dtype)];
    const of = program('p', buffers, [kernel('k', [loop(0, 2), loop(1, 0)], code)]);
    const x = { float32: new Float32Array(0), int32: new Int32Array(0), bool: new Uint8Array(0) }[dtype];
    expect(run(of, { x })).toEqual({ y: [want, want] });
  });

  test('a float32 sum is rounded once, NaN goes through max, and int32 products wrap', () => {
    const reduced = (fn: 'sum' | 'max' | 'prod', dtype: 'float32' | 'int32', x: TypedArray): number | undefined => {
      const i = at(0, x.length);
      const buffers = [buffer('input', 'x', x.length, dtype), buffer('output', 'y', 1, dtype)];
      const code: readonly Operation[] = [
        load(0, i),
        { op: 'reduce', fn, value: 0, over: [0], buffer: 1, index: number(0), divisor: 1 },
      ];
      return run(program('p', buffers, [kernel('k', [loop(0, x.length)], code)]), { x }).y?.[0];
    };
    expect(reduced('sum', 'float32', floats(2 ** 24, 1, 1, -(2 ** 24)))).toBe(2);
    expect(reduced('max', 'float32', floats(1, Number.NaN, 3))).toBeNaN();
    expect(reduced('prod', 'int32', Int32Array.of(65_537, 65_537, 3))).toBe(393_219);
  });
});

describe('scalar functions', () => {
  test('tables are total, and give numbers', () => {
    for (const fn of UNARY_FUNCTIONS) expect(typeof UNARY_SCALARS[fn](0.5)).toBe('number');
    for (const fn of BINARY_FUNCTIONS) expect(typeof BINARY_SCALARS.float32[fn](1, 1)).toBe('number');
    for (const fn of COMPARISONS) expect(typeof COMPARISON_SCALARS[fn](1, 1)).toBe('boolean');
    expect(Object.keys(COMBINATIONS)).toEqual(['sum', 'prod', 'max', 'min', 'any', 'all']);
  });

  test.each([
    // Abramowitz and Stegun, table 7.1, and its complement in table 7.3.
    [0.5, 0.520_499_877_8],
    [1, 0.842_700_792_9],
    [2, 0.995_322_265],
    [3, 0.999_977_909_5],
    [-1, -0.842_700_792_9],
    [9, 1],
  ])('erf(%s)', (x, want) => {
    expect(erf(x)).toBeCloseTo(want, 10);
  });

  test.each<[string, number, number]>([
    ['round(2.5)', UNARY_SCALARS.round(2.5), 2],
    ['round(-0.5)', UNARY_SCALARS.round(-0.5), -0],
    ['round(3.5)', UNARY_SCALARS.round(3.5), 4],
    ['relu(NaN)', UNARY_SCALARS.relu(Number.NaN), Number.NaN],
    ['softplus(-40)', UNARY_SCALARS.softplus(-40), Math.exp(-40)],
    ['max(NaN, 1)', BINARY_SCALARS.float32.max(Number.NaN, 1), Number.NaN],
    ['mod(-7, 3)', BINARY_SCALARS.float32.mod(-7, 3), 2],
    ['floorDiv(1, 0.1)', BINARY_SCALARS.float32.floorDiv(1, Math.fround(0.1)), 10],
    ['-7 / 2 as int32', BINARY_SCALARS.int32.div(-7, 2), -3],
    ['floorDiv(-7, 2) as int32', BINARY_SCALARS.int32.floorDiv(-7, 2), -4],
    ['7 / 0 as int32', BINARY_SCALARS.int32.div(7, 0), 0],
    ['float32 of 0.1', rounded('float32', 0.1), Math.fround(0.1)],
    ['int32 of 2^31', rounded('int32', 2 ** 31), -(2 ** 31)],
    ['cast(-1.7) to int32', castScalar('int32', -1.7), -1],
    ['cast(NaN) to bool', castScalar('bool', Number.NaN), 1],
  ])('%s', (_, got, want) => {
    expect(got).toBe(want);
  });
});

describe('refuses', () => {
  const text = 'Cannot interpret elementwise: expected float32[4] as input x but got';

  test('inputs that are missing or of another size or kind', () => {
    expect(() => run(elementwise(), {})).toThrow(new RangeError(`${text} none`));
    expect(() => run(elementwise(), { x: floats(1) })).toThrow(new RangeError(`${text} 1 elements`));
    expect(() => run(elementwise(), { x: new Int32Array(4) })).toThrow(new TypeError(`${text} Int32Array`));
  });

  test('computed places outside a buffer', () => {
    const inputs = { x: new Float32Array(5), places: Int32Array.of(0, 1, 3, 0, 0) };
    expect(() => run(scatter(), inputs)).toThrow(
      new RangeError('Cannot interpret scatter: add: expected a place from 0 to 2 of sums but got 3'),
    );
  });

  test('elements that nothing wrote', () => {
    const i = at(0, 2);
    const buffers = [buffer('local', 't', 3), buffer('output', 'y', 3)];
    const half = kernel('half', [loop(0, 2)], [constant(1), store(0, i, 0)]);
    const copy = kernel('copy', [loop(1, 3)], [load(0, at(1, 3)), store(1, at(1, 3), 0)]);
    expect(() => run(program('p', buffers, [half, copy]), {})).toThrow(
      new RangeError(
        'Cannot interpret p: copy: expected element 2 of t to be written before it is read but got no write',
      ),
    );
    const partial = kernel('partial', [loop(1, 2)], [load(0, at(1, 2)), store(1, at(1, 2), 0)]);
    expect(() => run(program('p', buffers, [half, partial]), {})).toThrow(
      new RangeError('Cannot interpret p: expected every element of output y to be written but got none at 2'),
    );
  });

  test('a program that isn’t legal', () => {
    expect(() => run(program('p', [buffer('output', 'y', 1)], []), {})).toThrow(
      new RangeError('Cannot use program p: output y: expected a statement that writes it but got none'),
    );
  });
});
