import { fileURLToPath } from 'node:url';
import { type ProductLayout, contractScratch } from '../../../../jit/engines/native/contract-scratch.ts';

/** A matrix product to be tested. */
export interface ProductCase extends ProductLayout {
  /** Whether the result is added to what is there. */
  readonly adds: boolean;
  /** Zeros, infinities and NaN among the operands. */
  readonly isSpecial: boolean;
}

/** Elements of an operand: [outer, inner] of their places. */
interface Span {
  /** From the first element in memory to the last. */
  readonly size: number;
  /** Place of element [0, 0]. */
  readonly first: number;
}

function spanOf(axes: readonly (readonly [extent: number, stride: number])[]): Span {
  if (axes.some(([extent]) => extent === 0)) return { size: 0, first: 0 };
  const ends = axes.map(([extent, stride]) => (extent - 1) * stride);
  const low = ends.reduce((sum, end) => sum + Math.min(end, 0), 0);
  const high = ends.reduce((sum, end) => sum + Math.max(end, 0), 0);
  return { size: high - low + 1, first: -low };
}

export interface CaseData {
  readonly a: Float32Array;
  readonly b: Float32Array;
  /** What is in o before. */
  readonly o: Float32Array;
  /** What is in o after. */
  readonly expected: Float32Array;
  /** [row][column], at their places in o: the sums in double precision, and what their rounding errors are bounded by, in halves of units. */
  readonly exact: readonly { readonly place: number; readonly value: number; readonly bound: number }[];
}

/** LOPT_CHUNK in contract.h: so many products are summed at a time. */
const CHUNK = 512;
const SPECIAL = [0, -0, Infinity, -Infinity, Number.NaN];

/**
 * Operands, and the result by the definition in contract.h. Products of these numbers are exact in double precision, and so is one
 * added to a float: rounding that to a float is a fused multiply-add.
 */
export function dataOf(test: ProductCase, seed: number): CaseData {
  const { rows, columns, inner } = test;
  const spans = spansOf(test);
  let word = seed;
  const next = (): number => {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    if (test.isSpecial && word >>> 28 === 0) return SPECIAL[(word >>> 20) % SPECIAL.length] as number;
    return ((word >>> 19) - 4096) / 8;
  };
  const a = filled(spans.a, [rows, test.aRow], [inner, test.aInner], next);
  const b = filled(spans.b, [inner, test.bInner], [columns, test.bColumn], next);
  const o = filled(spans.o, [rows, test.oRow], [columns, test.oColumn], test.adds ? next : () => Number.NaN);
  const expected = o.slice();
  const exact = [];
  for (let r = 0; r < rows; r += 1)
    for (let c = 0; c < columns; c += 1) {
      const place = spans.o.first + r * test.oRow + c * test.oColumn;
      const before = o[place] as number;
      let total = test.adds ? before : undefined;
      let value = test.adds ? before : 0;
      let magnitude = Math.abs(value);
      for (let from = 0; from === 0 || from < inner; from += CHUNK) {
        let sum = 0;
        for (let k = from; k < Math.min(from + CHUNK, inner); k += 1) {
          const left = a[spans.a.first + r * test.aRow + k * test.aInner] as number;
          const right = b[spans.b.first + k * test.bInner + c * test.bColumn] as number;
          sum = Math.fround(sum + left * right);
          value += left * right;
          magnitude += Math.abs(left * right);
        }
        total = total === undefined ? sum : Math.fround(total + sum);
      }
      expected[place] = total as number;
      exact.push({ place, value, bound: (inner + 1) * 2 ** -24 * magnitude });
    }
  return { a, b, o, expected, exact };
}

function spansOf({ rows, columns, inner, ...strides }: ProductLayout) {
  return {
    a: spanOf([
      [rows, strides.aRow],
      [inner, strides.aInner],
    ]),
    b: spanOf([
      [inner, strides.bInner],
      [columns, strides.bColumn],
    ]),
    o: spanOf([
      [rows, strides.oRow],
      [columns, strides.oColumn],
    ]),
  };
}

/** Between the elements of an operand are NaNs, which would be seen in a result. */
function filled(
  { size, first }: Span,
  [outer, outerStride]: readonly [number, number],
  [inner, innerStride]: readonly [number, number],
  next: () => number,
): Float32Array {
  const data = new Float32Array(size).fill(Number.NaN);
  for (let i = 0; i < outer; i += 1)
    for (let j = 0; j < inner; j += 1) data[first + i * outerStride + j * innerStride] = next();
  return data;
}

/** How many ways the driver computes each case. */
export const WAYS = ['by constants', 'by constants, at the start of a page', 'by numbers', 'in pieces, by numbers'];

/** Asserts that C has the same rule for scratch memory, as a constant. */
export function scratchAssertion(test: ProductLayout): string {
  const { aRow, aInner, bInner, bColumn, oRow, oColumn, rows, columns, inner } = test;
  const numbers = [aRow, aInner, bInner, bColumn, oRow, oColumn, rows, columns, inner].join(', ');
  return `_Static_assert(lopt_contract_scratch(${numbers}) == ${contractScratch(test)}, "${numbers}");`;
}

/** A program that computes the cases: its input has a, b and o of each, one after the other, its output o once for each way. */
export function contractProgram(cases: readonly ProductCase[]): string {
  const functions = cases.map((test, index) => {
    const { aRow, aInner, bInner, bColumn, oRow, oColumn, rows, columns, inner, adds } = test;
    return `${scratchAssertion(test)}
static void run_${index}(const float *a, const float *b, float *o, float *scratch) {
  lopt_contract(a, ${aRow}, ${aInner}, b, ${bInner}, ${bColumn}, o, ${oRow}, ${oColumn}, ${rows}, ${columns}, ${inner}, ${Number(adds)}, scratch);
}`;
  });
  const entries = cases.map((test, index) => {
    const { a, b, o } = spansOf(test);
    const { aRow, aInner, bInner, bColumn, oRow, oColumn, rows, columns, inner, adds } = test;
    const spans = [a, b, o].flatMap(({ size, first }) => [size, first]);
    const numbers = [aRow, aInner, bInner, bColumn, oRow, oColumn, rows, columns, inner, Number(adds)];
    return `  {run_${index}, ${[...spans, contractScratch(test), ...numbers].join(', ')}},`;
  });
  return `#include "contract.h"
typedef struct {
  void (*run)(const float *a, const float *b, float *o, float *scratch);
  unsigned long a_size, a_first, b_size, b_first, o_size, o_first, scratch;
  long a_row, a_inner, b_inner, b_column, o_row, o_column, rows, columns, inner;
  int adds;
} test_case;
${functions.join('\n')}
static const test_case cases[] = {
${entries.join('\n')}
};
#include "${fileURLToPath(new URL('contract-driver.c', import.meta.url))}"
`;
}
