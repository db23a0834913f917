import { expect, test } from 'vitest';
import {
  type Index,
  computedIndex,
  quotient,
  remainder,
} from '../../../../../jit/engines/native/ir/index-expression.ts';
import { indexText, printProgram, printStatement } from '../../../../../jit/engines/native/ir/print.ts';
import {
  at,
  branch,
  buffer,
  constant,
  cumulative,
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

test('kernels, reductions, additions and ordered loops', () => {
  expect([rows(), scatter(), cumulative()].map(printProgram).join('\n')).toMatchInlineSnapshot(`
    "program rows
      input x: float32[6]
      output means: float32[2]
      output tops: float32[2]
      kernel mean and max of rows
        for i0 in 2
          for i1 in 3
            %0 = x[3*i0 + i1]
            means[i0] = sum over i1 of %0 / 3
            tops[i0] = max over i1 of %0
    program scatter
      input x: float32[5]
      input places: int32[5]
      output sums: float32[3]
      kernel zeros
        for i0 in 3
          %0 = float32 0
          sums[i0] = %0
      kernel add
        for i1 in 5
          %0 = places[i1]
          %1 = x[i1]
          sums[%0] += %1
    program cumulative
      input x: float32[8]
      output sums: float32[8]
      kernel first row
        for i2 in 2
          %0 = x[i2]
          sums[i2] = %0
      kernel other rows
        for i0 in 3, ordered
          for i1 in 2
            %0 = sums[2*i0 + i1]
            %1 = x[2*i0 + i1 + 2]
            %2 = add(%0, %1)
            sums[2*i0 + i1 + 2] = %2"
  `);
});

test('contractions, repeats and branches', () => {
  expect([matmul(), powers(), branch()].map(printProgram).join('\n')).toMatchInlineSnapshot(`
    "program matmul
      input a: float32[6]
      input b: float32[12]
      output out: float32[8]
      contraction a b
        out[0] = sum of a[0] * b[0]
        row 2, left 3, out 4
        column 4, right 3, out 1
        inner 3, left 1, right 1
    program powers
      input x: float32[1]
      local carry: float32[1]
      output powers: float32[4]
      kernel start
        %0 = float32 1
        carry[0] = %0
      repeat steps
        for i0 in 4
          kernel keep
            %0 = carry[0]
            powers[i0] = %0
          kernel next
            %0 = carry[0]
            %1 = x[0]
            %2 = mul(%0, %1)
            carry[0] = %2
    program branch
      input isKept: bool[1]
      input x: float32[2]
      output y: float32[2]
      branch sign
        if isKept[0]
          kernel same
            for i0 in 2
              %0 = x[i0]
              y[i0] = %0
        else
          kernel negative
            for i1 in 2
              %0 = x[i1]
              %1 = neg(%0)
              y[i1] = %1"
  `);
});

test('every operation, buffers that share a name, ports of another name, short numbers', () => {
  const i = at(0, 2);
  const of = program(
    'all',
    [
      { ...buffer('constant', 'c', 2), data: Float32Array.of(0.1, -0) },
      { ...buffer('constant', 'c', 2, 'int32'), data: Int32Array.of(7) },
      buffer('output', 'y', 2),
    ],
    [
      kernel(
        'k',
        [loop(0, 2)],
        [
          load(0, i),
          load(1, i),
          { op: 'cast', dtype: 'float32', x: 1 },
          constant(1e-8),
          { op: 'index', index: plus(i, number(1)) },
          { op: 'compare', fn: 'less', a: 2, b: 3 },
          { op: 'unary', fn: 'not', x: 5 },
          { op: 'select', condition: 6, a: 0, b: 3 },
          { op: 'binary', fn: 'atan2', a: 7, b: 0 },
          store(2, i, 8),
          { op: 'reduce', fn: 'sum', value: 8, over: [], buffer: 2, index: i, divisor: 0.1 },
        ],
      ),
    ],
  );
  expect(printProgram({ ...of, outputs: [{ name: 'result', buffer: 2 }] })).toMatchInlineSnapshot(`
    "program all
      constant c.0: float32[2] = [0.1, -0]
      constant c.1: int32[2] = 7
      output y: float32[2] = result
      kernel k
        for i0 in 2
          %0 = c.0[i0]
          %1 = c.1[i0]
          %2 = float32(%1)
          %3 = float32 1e-8
          %4 = index i0 + 1
          %5 = less(%2, %3)
          %6 = not(%5)
          %7 = select(%6, %0, %3)
          %8 = atan2(%7, %0)
          y[i0] = %8
          y[i0] = sum over nothing of %8 / 0.1"
  `);
  expect(of.body.map((statement) => printStatement(of, statement).length)).toEqual([13]);
});

const [i, j] = [at(0, 24), at(1, 5)];
test.each<[string, Index]>([
  ['0', number(0)],
  ['-3', number(-3)],
  ['4*i0 + i1 - 2', plus(times(4, i), j, number(-2))],
  ['-i1 + 4', plus(times(-1, j), number(4))],
  ['i0 - 2*i1', plus(i, times(-2, j))],
  ['i0 / 4', quotient(i, 4)],
  ['3*(i0 mod 4)', times(3, remainder(i, 4))],
  ['((2*i0 + i1) / 3) + 1', plus(quotient(plus(times(2, i), j), 3), number(1))],
  ['(i0 / 4) mod 3', remainder(quotient(i, 4), 3)],
  ['8*%2 + i1', plus(times(8, computedIndex(2)), j)],
])('index %s', (text, index) => {
  expect(indexText(index)).toBe(text);
});
