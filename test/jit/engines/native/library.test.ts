import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { compileC } from '../../../../jit/engines/native/compile-c.ts';
import { type NativeArray, PointerTable, addressOf, alignedArray } from '../../../../jit/engines/native/pointers.ts';
import { loadLibrary } from '../../../../jit/engines/native/library.ts';
import { hasCompiler, temporaryFolder } from './c-compiler.ts';

const isThere = await hasCompiler();
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

const SOURCE = `
#include "pool.h"
LOPT_EXPORT double add(int32_t a, int64_t b, float c, double d) { return (double)a + b + c + d; }
LOPT_EXPORT int64_t big(int32_t bits) { return (int64_t)1 << bits; }
LOPT_EXPORT void scale(float *x, int64_t count, float by) {
  for (int64_t i = 0; i < count; i += 1) x[i] *= by;
}
// The sum of all elements of a table of arrays.
LOPT_EXPORT double sum(float **arrays, int64_t length, int64_t count) {
  double total = 0;
  for (int64_t i = 0; i < length; i += 1)
    if (arrays[i])
      for (int64_t j = 0; j < count; j += 1) total += arrays[i][j];
  return total;
}
LOPT_EXPORT void *same(void *pointer) { return pointer; }
// Ends when another thread sets the flag.
LOPT_EXPORT int32_t wait_for(int32_t *flag) {
  while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) == 0) {}
  return *flag;
}
// A megabyte of stack, all of it written.
LOPT_EXPORT int32_t deep(int32_t value) {
  volatile char room[1 << 20];
  for (int64_t i = 0; i < (int64_t)sizeof room; i += 512) room[i] = (char)value;
  return room[512 * 7];
}
`;

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

describe.runIf(isThere)('a library', async () => {
  const library = isThere ? loadLibrary(await compileC(SOURCE)) : undefined;
  const declare: NonNullable<typeof library>['declare'] = (name, signature) => {
    if (library === undefined) throw new Error('Cannot test: expected a compiler');
    return library.declare(name, signature);
  };
  const scale = () => declare('scale', { result: 'void', parameters: ['pointer', 'int64', 'float32'] });
  const sum = () => declare('sum', { result: 'float64', parameters: ['pointer', 'int64', 'int64'] });
  const same = () => declare('same', { result: 'pointer', parameters: ['pointer'] });

  test('takes and gives numbers of every kind', async () => {
    const add = declare('add', { result: 'float64', parameters: ['int32', 'int64', 'float32', 'float64'] });
    expect(add(-1, 2 ** 40, 0.5, 1e-3)).toBe(-1 + 2 ** 40 + 0.5 + 1e-3);
    expect(await add.async(1, 3n, 0.25, 0.125)).toBe(4.375);
    const big = declare('big', { result: 'int64', parameters: ['int32'] });
    expect([big(40), big(62)]).toEqual([2 ** 40, 2n ** 62n]);
  });

  test('changes arrays in place, a part of one too, and asynchronously too', async () => {
    const x = Float32Array.of(1, 2, 3, 4, 5);
    expect(scale()(x.subarray(1, 4), 3, 10)).toBeUndefined();
    expect([...x]).toEqual([1, 20, 30, 40, 5]);
    await scale().async(x, 5n, 0.5);
    expect([...x]).toEqual([0.5, 10, 15, 20, 2.5]);
  });

  test('sees null, addresses and empty arrays as they are', () => {
    expect(same()(null)).toBeNull();
    expect(same()(4096n)).toBe(4096n);
    expect(same()(new Float32Array())).toBeNull();
    expect(addressOf(new Float32Array())).toBe(0n);
    const x = new Float32Array(100);
    expect(same()(x)).toBe(addressOf(x));
    expect(addressOf(x.subarray(25))).toBe(addressOf(x) + 100n);
  });

  test('finds arrays where they were, however often memory is tidied', () => {
    const counts = [1, 5, 16, 17, 100, 10_000];
    const arrays = counts.map((count) => new Float32Array(count).fill(count));
    const addresses = arrays.map(addressOf);
    for (let round = 0; round < 3; round += 1) {
      // Garbage between them gives a compacting collector something to move.
      let garbage: NativeArray[] = [];
      for (let index = 0; index < 20_000; index += 1) garbage.push(new Float32Array(8));
      garbage = [];
      collectGarbage();
      expect(garbage).toEqual([]);
      expect(arrays.map(addressOf)).toEqual(addresses);
    }
    for (const [index, array] of arrays.entries()) {
      scale()(addresses[index] ?? 0n, array.length, 2);
      expect(array.every((value) => value === 2 * array.length)).toBe(true);
    }
  });

  test('reads any number of arrays through a table, which keeps them alive', async () => {
    const table = new PointerTable(101);
    for (let entry = 0; entry < 100; entry += 1) table.set(entry, new Float32Array(16).fill(entry));
    collectGarbage();
    // Memory that had become free would be used again by these.
    const others = Array.from({ length: 1000 }, () => new Float32Array(16).fill(-1));
    expect(sum()(table, 101, 16)).toBe((16 * 99 * 100) / 2);
    expect(await sum().async(table, 101, 16)).toBe((16 * 99 * 100) / 2);
    expect(others).toHaveLength(1000);
    table.set(0, 0n);
    table.set(1, new Float32Array());
    expect([...table.addresses.subarray(0, 2)]).toEqual([0n, 0n]);
    expect(() => table.set(101, 0n)).toThrow(
      new RangeError('Cannot set a pointer: expected an entry from 0 to 100 but got 101'),
    );
  });

  test('leaves the event loop free during an asynchronous call, whose arrays stay', async () => {
    const wait = declare('wait_for', { result: 'int32', parameters: ['pointer'] });
    const flag = new Int32Array(1);
    let isOver = false;
    const waiting = wait.async(flag).then((value) => {
      isOver = true;
      return value;
    });
    // The call ends only because these turns of the loop come to pass.
    await new Promise((resolve) => setTimeout(resolve, 5));
    collectGarbage();
    expect(isOver).toBe(false);
    Atomics.store(flag, 0, 3);
    expect(await waiting).toBe(3);
  });

  test('has a megabyte of stack, asynchronously too', async () => {
    const deep = declare('deep', { result: 'int32', parameters: ['int32'] });
    expect(deep(5)).toBe(5);
    expect(await deep.async(6)).toBe(6);
  });

  test('refuses what it can’t take', async () => {
    const add = declare('add', { result: 'float64', parameters: ['int32', 'int64', 'float32', 'float64'] });
    expect(() => add(1)).toThrow('Expected 4 arguments, got 1');
    await expect(add.async(1)).rejects.toThrow();
    await expect(add.async(null, 1, 1, 1)).rejects.toThrow('Unexpected Null value, expected number');
    expect(() => declare('absent', { result: 'void', parameters: [] })).toThrow(
      `Cannot find absent in ${library?.path}: Cannot find function 'absent' in shared library`,
    );
  });

  test('aligned arrays begin at multiples of 64 bytes', () => {
    for (const count of [0, 1, 5, 16, 1000]) {
      const x = alignedArray(Float32Array, count);
      const y = alignedArray(Float64Array, count);
      expect([x.length, y.length]).toEqual([count, count]);
      expect(addressOf(x) % 64n).toBe(0n);
      expect(addressOf(y) % 64n).toBe(0n);
      expect(x.every((value) => value === 0)).toBe(true);
    }
  });
});

test('a file that is no library is refused', () => {
  const path = join(temporaryFolder(), 'text.so');
  writeFileSync(path, 'text');
  expect(() => loadLibrary(path)).toThrow(
    new RegExp(
      `^Cannot load ${path}: expected a shared library for this machine, in a folder from which programs may run, but the system says: .*; set LOPT_CACHE to another folder, or use --engine onnx$`,
      's',
    ),
  );
});

/** Runs a script in a process of its own, where node_modules has what is named alone. Gives what it prints. */
function elsewhere(packages: readonly string[], script: (library: string) => string): string {
  const folder = temporaryFolder();
  cpSync(join(ROOT, 'dist/jit'), join(folder, 'jit'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const name of packages) {
    mkdirSync(join(folder, 'node_modules'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  const url = pathToFileURL(join(folder, 'jit/engines/native/library.js')).href;
  return execFileSync(process.execPath, ['--input-type=module', '--eval', script(JSON.stringify(url))], {
    cwd: folder,
    encoding: 'utf8',
  });
}

describe('koffi', () => {
  const attempt = (library: string, path: string): string => `
    const { loadLibrary } = await import(${library});
    try { loadLibrary(${JSON.stringify(path)}); } catch (error) { console.log(error.message); }`;

  test('where it is missing is asked for', () => {
    expect(elsewhere([], (library) => attempt(library, '/x.so'))).toBe(
      'Cannot load koffi: expected the package to be installed with a build for this machine; run npm install koffi, or use --engine onnx\n',
    );
  });

  test('whose settings another has fixed at too little stack is refused', () => {
    const script = (library: string): string => `
      import { createRequire } from 'node:module';
      createRequire(process.cwd() + '/x.js')('koffi').load(null);
      ${attempt(library, '/x.so')}`;
    expect(elsewhere(['koffi'], script)).toBe(
      'Cannot use koffi: expected its async_stack_size to be 1048576 or more but got 131072, which another package fixed by loading a library first; start the native engine before it, or use --engine onnx\n',
    );
  });
});
