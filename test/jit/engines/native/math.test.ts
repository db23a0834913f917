import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type DType, type TypedArray, allocate } from '../../../../jit/graph/graph.ts';
import {
  BINARY_SCALARS,
  COMPARISON_SCALARS,
  UNARY_SCALARS,
  rounded,
} from '../../../../jit/engines/native/ir/scalar-functions.ts';
import { hasCompiler } from './c-compiler.ts';
import {
  type Build,
  SANITIZED,
  buildProgram,
  hasSanitizers,
  outputOf,
  temporaryFile,
  usableBuilds,
} from './c-programs.ts';
import { type Case, CASES, elementwiseProgram } from './elementwise-program.ts';
import { faults, sweep } from './math-sweep.ts';

const isThere = await hasCompiler();
const builds = isThere ? await usableBuilds() : [];
const canSanitize = isThere && (await hasSanitizers());

const FLOATS = [
  Number.NaN,
  Infinity,
  -Infinity,
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  2,
  3,
  -3,
  7,
  1e-45,
  -1e-45,
  1e-38,
  3e38,
  -3e38,
  0.25,
  1e-3,
  8_388_609,
  -16_777_217,
  33_554_432,
  90,
  -90,
].map(Math.fround);
const INTEGERS = [
  0,
  1,
  -1,
  2,
  -2,
  3,
  -3,
  5,
  7,
  -7,
  31,
  32,
  100,
  -100,
  46_341,
  65_536,
  16_777_217,
  2 ** 31 - 1,
  -(2 ** 31),
  -(2 ** 31) + 1,
];
/** More than the pairs of special values; whole vectors of every width. */
const COUNT = 1024;

/** All pairs of the special values, then values from a small generator. */
function pairs(dtype: DType): readonly [TypedArray, TypedArray] {
  const special = { float32: FLOATS, int32: INTEGERS, bool: [0, 1] }[dtype];
  const [a, b] = [allocate(dtype, COUNT), allocate(dtype, COUNT)];
  let word = 1;
  const next = (): number => {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    if (dtype === 'bool') return word >>> 31;
    return dtype === 'int32' ? (word >> (word & 31)) | 0 : (word / 2 ** 32 - 0.5) * 2 ** ((word >>> 8) % 12);
  };
  for (let i = 0; i < COUNT; i += 1) {
    a[i] = special[Math.floor(i / special.length)] ?? next();
    b[i] = i < special.length ** 2 ? (special[i % special.length] as number) : next();
  }
  return [a, b];
}
const INPUTS = { float32: pairs('float32'), int32: pairs('int32'), bool: pairs('bool') };

/** By repeated products modulo 2^32, which doubles can't hold. */
function powerOfInt32(base: number, exponent: number): number {
  if (exponent < 0) return base === 1 ? 1 : base === -1 ? 1 - 2 * (exponent & 1) : 0;
  let [power, square] = [1, base];
  for (let left = exponent; left > 0; left >>>= 1) {
    if (left & 1) power = Math.imul(power, square);
    square = Math.imul(square, square);
  }
  return power;
}

/** In double precision. JavaScript's powers of 1 and -1 are NaN where C's are 1. */
function meaning({ kind, fn, dtype }: Case, a: number, b: number): number {
  if (kind === 'unary') return UNARY_SCALARS[fn](a);
  if (kind === 'compare') return Number(COMPARISON_SCALARS[fn](a, b));
  if (fn === 'pow' && dtype === 'int32') return powerOfInt32(a, b);
  if (fn === 'pow' && (a === 1 || (a === -1 && Math.abs(b) === Infinity))) return 1;
  return BINARY_SCALARS[dtype][fn](a, b);
}

const EXACT = new Set<string>([
  'neg',
  'abs',
  'sign',
  'sqrt',
  'reciprocal',
  'relu',
  'floor',
  'ceil',
  'round',
  'add',
  'sub',
  'mul',
  'div',
  'max',
  'min',
  'mod',
  'floorDiv',
]);

function isRight({ kind, fn, result }: Case, got: number, exact: number): boolean {
  const want = rounded(result, exact);
  if (Object.is(got, want) || got === want) return true;
  if (result !== 'float32' || kind === 'compare' || EXACT.has(fn)) return false;
  // Four units in the last place.
  return Math.abs(got - exact) <= 4 * Math.max(2 ** (Math.floor(Math.log2(Math.abs(exact))) - 23), 2 ** -149);
}

async function elementwiseFaults(build: Build): Promise<readonly string[]> {
  const source = temporaryFile('elementwise.c');
  writeFileSync(source, elementwiseProgram(COUNT));
  const program = await buildProgram(source, build);
  const [input, output] = [temporaryFile('input'), temporaryFile('output')];
  const arrays = Object.values(INPUTS).flat();
  writeFileSync(input, Buffer.concat(arrays.map((x) => Buffer.from(x.buffer, x.byteOffset, x.byteLength))));
  await outputOf(program, [input, output]);
  const bytes = Uint8Array.from(readFileSync(output)).buffer;
  let place = 0;
  const take = (dtype: DType): TypedArray => {
    const taken = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype];
    const array = new taken(bytes, place, COUNT);
    place += array.byteLength;
    return array;
  };
  const faults = CASES.flatMap((one) => {
    const [vector, scalar] = [take(one.result), take(one.result)];
    const [a, b] = INPUTS[one.dtype];
    const of = (i: number): string => `${one.fn} of ${one.dtype} ${a[i]} and ${b[i]}`;
    return Array.from(vector).flatMap((got, i) => {
      const want = meaning(one, a[i] as number, b[i] as number);
      if (!isRight(one, got, want)) return [`${of(i)} is ${got}, expected ${want}`];
      return Object.is(got, scalar[i]) ? [] : [`${of(i)} is ${got} in a vector, ${scalar[i]} alone`];
    });
  });
  expect(place).toBe(bytes.byteLength);
  return faults;
}

describe.skipIf(!isThere)('functions in C', () => {
  test.each(builds)('of every dtype give what they mean $name', async (build) => {
    expect(await elementwiseFaults(build)).toEqual([]);
  });

  test.skipIf(!canSanitize)('touch no other memory and do nothing undefined', async () => {
    expect(await elementwiseFaults(SANITIZED)).toEqual([]);
  });

  test('are as accurate as promised, the same for one element and for every number of lanes', async () => {
    const outcomes = await Promise.all(builds.map((build) => sweep(build, { first: 11, stride: 80_021 })));
    expect(outcomes.flatMap(faults)).toEqual([]);
    const [first, ...others] = outcomes;
    for (const other of others) expect(other).toEqual(first);
  });
});
