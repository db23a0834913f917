import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { hasCompiler } from './c-compiler.ts';
import { type Build, SANITIZED, buildProgram, hasSanitizers, outputOf, usableBuilds } from './c-programs.ts';

const isThere = await hasCompiler();
const builds = isThere ? await usableBuilds() : [];
const canSanitize = isThere && (await hasSanitizers());

const f = Math.fround;
/** What vector-cases.c has in memory at an index. */
const float = (i: number): number => i / 4;
const integer = (i: number): number => 1000 + i;
const mask = (i: number): number => (i % 3 === 0 ? -1 : 0);

/** Printed as the program prints numbers: -0 as -0, NaN as nan or -nan. */
function text(x: number): string {
  return Object.is(x, -0) ? '-0' : String(x);
}

/** In the order of the vector reductions: the upper half joins the lower half. */
function folded(elements: readonly number[], join: (a: number, b: number) => number): number {
  if (elements.length === 1) return elements[0] as number;
  const half = elements.length / 2;
  return folded(
    elements.slice(0, half).map((x, i) => join(x, elements[half + i] as number)),
    join,
  );
}

function expected(lanes: number): Map<string, string> {
  const count = Array.from({ length: lanes }, (_, i) => i);
  const each = (value: (i: number) => number): string => count.map((i) => text(value(i))).join(' ');
  /** Places and values after a store, by place; of lanes with one place the last. Values that were there already don't show. */
  const changes = (place: (i: number) => number, value: (i: number) => number, before: (i: number) => number): string =>
    [...new Map(count.map((i) => [place(i), value(i)]))]
      .filter(([at, x]) => x !== before(at))
      .sort(([a], [b]) => a - b)
      .map(([at, x]) => `${at}:${text(x)}`)
      .join(' ');
  const at = (i: number): number => (i * 7 + 3) % 64;
  const number = (i: number): number => i - 1.5;
  const minus = (i: number): number => 0 - i;
  const even = (i: number): number => (i % 2 === 0 ? 1 : 0);
  const byte = (i: number): number => (i % 3 === 0 ? (i % 255) + 1 : 0);
  const terms = count.map((i) => f(f(((i * 37) % 11) - 5) * f(i % 2 ? 1e7 : 0.3)));
  const whole = [
    0, 2147483647, -2147483648, 2147483647, 2147483520, -2147483648, -2147483648, 1, -1, 0, 2147483647, -2147483648, 0,
    16777216, 0, 3,
  ];
  return new Map([
    ['lanes', String(lanes)],
    ['vi_iota', each((i) => i)],
    ['vf_splat', each(() => -0)],
    ['vi_splat', each(() => -7)],
    ['vf_load', each((i) => float(i + 1))],
    ['vi_load', each((i) => integer(i + 1))],
    ['vb_load', each((i) => mask(i + 1))],
    ['vf_load_strided', each((i) => float(200 - 3 * i))],
    ['vi_load_strided', each((i) => integer(5 * i))],
    ['vb_load_strided', each((i) => mask(2 * i))],
    ['vf_load_indexed', each((i) => float(at(i)))],
    ['vi_load_indexed', each((i) => integer(at(i)))],
    ['vb_load_indexed', each((i) => mask(at(i)))],
    ['vf_store', changes((i) => i + 3, number, float)],
    ['vi_store', changes((i) => i + 3, minus, integer)],
    ['vb_store', changes((i) => i + 1, even, byte)],
    ['vf_store_strided', changes((i) => 1 + 3 * i, number, float)],
    ['vi_store_strided', changes((i) => 100 - 2 * i, minus, integer)],
    ['vb_store_strided', changes((i) => 1 + 3 * i, even, byte)],
    ['vf_store_indexed', changes(at, number, float)],
    ['vi_store_indexed', changes(at, minus, integer)],
    ['vb_store_indexed', changes(at, even, byte)],
    ['vf_store_indexed_same', changes(() => 9, number, float)],
    ['vf_select', each((i) => (i % 2 === 0 ? number(i) : 99))],
    ['vi_select', each((i) => (i % 2 === 0 ? i : 99))],
    ['vm_any', '0 1 1'],
    ['vm_all', '0 0 1'],
    ['vi_of_vf', whole.join(' ')],
    ['si_of_sf', whole.join(' ')],
    ['vf_of_vi', each((i) => f(16_777_217 + 2 * i))],
    ['vf_of_vm', each(even)],
    ['vi_of_vm', each(even)],
    ['vm_of_vf', each((i) => (even(i) ? -1 : 0))],
    ['vm_of_vi', each((i) => (i % 2 === 0 && i > 0 ? -1 : 0))],
    ['vf_fma', each(() => 2 ** -46)],
    ['terms', terms.map(text).join(' ')],
    ['vf_reduce_sum', text(folded(terms, (a, b) => f(a + b)))],
    ['vf_reduce_prod', text(folded(count.map(number), (a, b) => f(a * b)))],
    ['vf_reduce_max', text(number(lanes - 1))],
    ['vf_reduce_min', text(number(0))],
    ['nan_wins', String(lanes)],
    [
      'vi_reduce_sum',
      text(
        folded(
          count.map((i) => 2 ** 31 - 1 - i),
          (a, b) => (a + b) | 0,
        ),
      ),
    ],
    [
      'vi_reduce_prod',
      text(
        folded(
          count.map((i) => 2 * i + 3),
          Math.imul,
        ),
      ),
    ],
    ['vi_reduce_max', '0'],
    ['vi_reduce_min', text(minus(lanes - 1))],
  ]);
}

/** Lines by name, those of one name joined; numbers as JavaScript prints them. */
async function printed(build: Build): Promise<Map<string, string>> {
  const program = await buildProgram(fileURLToPath(new URL('vector-cases.c', import.meta.url)), build);
  const lines = new Map<string, string>();
  for (const line of (await outputOf(program, [])).trim().split('\n')) {
    const [name = '', ...words] = line.trim().split(' ');
    const numbers = words.map((word) => {
      const [place, value] = word.includes(':') ? word.split(':') : ['', word];
      const number = Number(value);
      // Nine digits tell float32s apart, but are not its value.
      return (place === '' ? '' : `${place}:`) + text(/^vi|^si|^v[mb]_/.test(name) ? number : f(number));
    });
    lines.set(name, [...(lines.has(name) ? [lines.get(name)] : []), ...numbers].join(' '));
  }
  return lines;
}

describe.skipIf(!isThere)('vector.h', () => {
  test.each([...builds, ...(canSanitize ? [SANITIZED] : [])])('does what it says $name', async (build) => {
    const lines = await printed(build);
    expect(lines).toEqual(expected(Number(lines.get('lanes'))));
  });
});
