import { arch } from 'node:os';
import { describe, expect, test } from 'vitest';
import { hasCompiler } from './c-compiler.ts';
import { SSE2, usableBuilds } from './c-programs.ts';
import { faults, sweep } from './math-sweep.ts';

const isThere = await hasCompiler();
const builds = isThere ? await usableBuilds() : [];

describe.skipIf(!isThere)('functions in C over all float32', () => {
  test('are as accurate as promised, the same for one element and for every number of lanes', async () => {
    const [first, ...others] = await Promise.all(builds.map((build) => sweep(build, { first: 0, stride: 509 })));
    expect(faults(first ?? [])).toEqual([]);
    expect(first).toHaveLength(28);
    for (const other of others) expect(other).toEqual(first);
  });

  test.skipIf(arch() !== 'x64')('are as accurate without fused multiply-add', async () => {
    expect(faults(await sweep(SSE2, { first: 3, stride: 4093 }))).toEqual([]);
  });
});
