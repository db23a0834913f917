import { readFileSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ProductLayout } from '../../../../jit/engines/native/contract-scratch.ts';
import { hasCompiler } from './c-compiler.ts';
import {
  type Build,
  SANITIZED,
  SSE2,
  buildProgram,
  hasSanitizers,
  outputOf,
  temporaryFile,
  usableBuilds,
} from './c-programs.ts';
import { type ProductCase, WAYS, contractProgram, dataOf, scratchAssertion } from './contract-program.ts';

const isThere = await hasCompiler();
const builds = isThere ? await usableBuilds() : [];
/** Four lanes; its multiply-adds go by way of doubles, which changes nothing for the numbers here. */
const fourLanes = arch() === 'x64' ? [SSE2] : [];
const canSanitize = isThere && (await hasSanitizers());

const SEED = 20_261_125;

/** Up to 70, often one off a multiple of a vector's lanes. */
const extent = fc.oneof(
  fc.integer({ min: 1, max: 70 }),
  fc.integer({ min: 1, max: 9 }),
  fc
    .tuple(fc.constantFrom(4, 8, 16, 24, 32, 48, 64), fc.integer({ min: -1, max: 1 }))
    .map(([lanes, off]) => lanes + off),
);

/** Strides of a matrix without overlap: either axis inside, with gaps or without, forwards or backwards. */
function strides(outer: number, inner: number): fc.Arbitrary<readonly [number, number]> {
  const sign = fc.constantFrom(1, 1, 1, -1);
  return fc
    .record({
      isTransposed: fc.boolean(),
      step: fc.constantFrom(1, 1, 1, 1, 2, 3),
      gap: fc.constantFrom(0, 0, 0, 1, 5),
      signs: fc.tuple(sign, sign),
    })
    .map(({ isTransposed, step, gap, signs: [a, b] }) =>
      isTransposed ? [a * step, b * (step * outer + gap)] : [a * (step * inner + gap), b * step],
    );
}

/** Strides of an operand, which may have no extent along an axis in memory. */
function operandStrides(outer: number, inner: number): fc.Arbitrary<readonly [number, number]> {
  const isThereAlong = fc.constantFrom(1, 1, 1, 1, 1, 0);
  return fc
    .tuple(strides(outer, inner), isThereAlong, isThereAlong)
    .map(([[a, b], outerFactor, innerFactor]) => [a * outerFactor, b * innerFactor]);
}

type Extents = readonly [rows: number, inner: number, columns: number];

function layouts(extents: fc.Arbitrary<Extents>): fc.Arbitrary<ProductLayout> {
  return extents.chain(([rows, inner, columns]) =>
    fc
      .tuple(operandStrides(rows, inner), operandStrides(inner, columns), strides(rows, columns))
      .map(([[aRow, aInner], [bInner, bColumn], [oRow, oColumn]]) => ({
        rows,
        columns,
        inner,
        aRow,
        aInner,
        bInner,
        bColumn,
        oRow,
        oColumn,
      })),
  );
}

function sampled(extents: fc.Arbitrary<Extents>, count: number): readonly ProductCase[] {
  const cases = fc.tuple(layouts(extents), fc.boolean(), fc.constantFrom(false, false, true));
  return fc
    .sample(cases, { seed: SEED, numRuns: count })
    .map(([layout, adds, isSpecial]) => Object.assign(layout, { adds, isSpecial }));
}

function rowMajor(...[rows, inner, columns]: Extents): ProductCase {
  const strides = { aRow: inner, aInner: 1, bInner: columns, bColumn: 1, oRow: columns, oColumn: 1 };
  return { rows, columns, inner, ...strides, adds: false, isSpecial: false };
}

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

const CASES: readonly ProductCase[] = [
  ...sampled(fc.tuple(extent, extent, extent), 40),
  // Code in place.
  ...sampled(fc.tuple(upTo(8), upTo(8), upTo(17)), 12),
  rowMajor(4, 4, 4),
  // Vectors by matrices and matrices by vectors; four vectors at a time.
  rowMajor(1, 20, 150),
  rowMajor(2, 20, 140),
  { ...rowMajor(1, 20, 75), bInner: 1, bColumn: 20, adds: true },
  rowMajor(75, 20, 1),
  { ...rowMajor(75, 20, 1), aRow: 1, aInner: 75, adds: true },
  // No terms.
  rowMajor(5, 0, 40),
  { ...rowMajor(5, 0, 40), adds: true },
  // Several chunks; with a panel of b that is copied as it is, turned, and the other way round.
  rowMajor(9, 1100, 20),
  rowMajor(40, 520, 150),
  { ...rowMajor(40, 513, 37), bInner: 1, bColumn: 513, adds: true },
  { ...rowMajor(150, 520, 40), aRow: 1, aInner: 150, oRow: 1, oColumn: 150, bInner: 1, bColumn: 520 },
  { ...rowMajor(33, 600, 18), oRow: 2, oColumn: 70 },
];

const DATA = CASES.map((one, index) => dataOf(one, index + 1));

/** [case][way]: what is in o afterwards. */
async function results(build: Build): Promise<readonly (readonly Float32Array[])[]> {
  const source = temporaryFile('contract.c');
  writeFileSync(source, contractProgram(CASES));
  const program = await buildProgram(source, build);
  const [input, output] = [temporaryFile('contract-input'), temporaryFile('contract-output')];
  writeFileSync(input, Buffer.concat(DATA.flatMap(({ a, b, o }) => [a, b, o].map(bytesOf))));
  await outputOf(program, [input, output]);
  const bytes = readFileSync(output);
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let at = 0;
  const found = DATA.map(({ o }) => WAYS.map(() => numbers.subarray(at, (at += o.length))));
  expect(at).toBe(numbers.length);
  return found;
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

describe.runIf(isThere)('matrix products', () => {
  test.each([...builds, ...fourLanes, ...(canSanitize ? [SANITIZED] : [])])(
    'are sums in their fixed order, bit for bit, and touch nothing else: $name',
    async (build) => {
      const found = await results(build);
      CASES.forEach((one, index) => {
        WAYS.forEach((way, at) => {
          // NaN equals NaN here, 0 and -0 differ.
          expect(found[index]?.[at], `${JSON.stringify(one)} ${way}`).toEqual(DATA[index]?.expected);
        });
      });
    },
  );

  test('need as much scratch memory in C as in TypeScript', async () => {
    const any = fc.oneof(extent, fc.integer({ min: 0, max: 3000 }));
    const source = temporaryFile('contract-scratch.c');
    // Where copying a panel begins.
    const edges = [rowMajor(32, 512, 128), rowMajor(32, 512, 129), rowMajor(31, 512, 129), rowMajor(32, 600, 128)];
    const random = fc.sample(layouts(fc.tuple(any, any, any)), { seed: SEED, numRuns: 1000 });
    const assertions = [...edges, ...random].map(scratchAssertion);
    writeFileSync(source, `#include "contract.h"\n${assertions.join('\n')}\nint main(void) { return 0; }\n`);
    for (const build of builds.slice(0, 1)) await buildProgram(source, build);
    expect(new Set(assertions.map((text) => text.includes('== 0'))).size).toBe(2);
  });
});

// The tests above compare bits with a model of the order; this says that the model is right.
test('the fixed order is as accurate as sums in single precision can be expected to be', () => {
  const wrong = DATA.flatMap(({ expected, exact }, index) =>
    exact
      .filter(({ place, value, bound }) => {
        const result = expected[place] as number;
        return !(Number.isFinite(value) ? Math.abs(result - value) <= bound : Object.is(result, value));
      })
      .map((element) => [CASES[index], element]),
  );
  expect(wrong).toEqual([]);
});
