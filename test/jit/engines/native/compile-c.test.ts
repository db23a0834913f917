import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { C_FOLDER } from '../../../../jit/engines/native/c-sources.ts';
import { cachePath } from '../../../../jit/engines/native/cache-directory.ts';
import { lookUp, prune } from '../../../../jit/engines/native/cache-entry.ts';
import { compileC } from '../../../../jit/engines/native/compile-c.ts';
import { CompileError } from '../../../../jit/engines/native/compile-error.ts';
import { findCompiler } from '../../../../jit/engines/native/compiler.ts';
import { loadLibrary } from '../../../../jit/engines/native/library.ts';
import { NoCompilerError } from '../../../../jit/engines/native/no-compiler-error.ts';
import { hasCompiler, temporaryFolder } from './c-compiler.ts';

const EXPORT = '__attribute__((visibility("default")))';
const isThere = await hasCompiler();
const run = promisify(execFile);

function program(value: number): string {
  return `${EXPORT} int answer(void) { return ${value}; }\n`;
}

function answer(path: string): number {
  return loadLibrary(path).declare('answer', { result: 'int32', parameters: [] })();
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

let folder = '';
let cache = '';
beforeEach(() => {
  folder = temporaryFolder();
  cache = join(folder, 'cache', 'native');
  vi.stubEnv('LOPT_CACHE', join(folder, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A program in place of the compiler, as LOPT_CC. */
function standIn(script: string): string {
  const path = join(folder, 'stand-in');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  vi.stubEnv('LOPT_CC', path);
  return path;
}

/** The compiler, through a script that counts; gives how often it has been started. */
async function counted(): Promise<() => number> {
  const { program: compiler } = await findCompiler({ directory: temporaryFolder() });
  const count = join(folder, 'count');
  writeFileSync(count, '');
  standIn(`echo >> '${count}'\nexec '${compiler}' "$@"`);
  return () => readFileSync(count, 'utf8').length;
}

describe.runIf(isThere)('a program', () => {
  test('is compiled, loaded and called', async () => {
    const path = await compileC(program(42));
    expect(answer(path)).toBe(42);
    expect(dirname(path)).toBe(cache);
    // The library and its manifest, and what the compiler said of itself.
    expect(
      readdirSync(cache)
        .map((name) => name.replace(/[0-9a-f]{32}(-[0-9a-f]{16})?/, 'KEY'))
        .sort(),
    ).toEqual(['KEY.json', process.platform === 'darwin' ? 'KEY.dylib' : 'KEY.so', 'compiler-KEY.json'].sort());
    expect(statSync(cache).mode & 0o777).toBe(0o700);
  });

  test('includes headers given and headers shipped, and they count', async () => {
    const source = `#include "number.h"\n#include <stdint.h>\n#include "pool.h"\nLOPT_EXPORT int answer(void) { return NUMBER; }\n`;
    const header = (value: number) => ({ 'number.h': '#include "deep.h"\n', 'deep.h': `#define NUMBER ${value}\n` });
    const five = await compileC(source, { headers: header(5) });
    const six = await compileC(source, { headers: header(6) });
    expect([answer(five), answer(six)]).toEqual([5, 6]);
    expect(await compileC(source, { headers: header(5) })).toBe(five);
  });

  test('with an unknown include is refused', async () => {
    for (const name of ['absent.h', '../c/pool.h', '/etc/passwd'])
      expect(await rejection(compileC(`#include "${name}"\n`))).toEqual(
        new RangeError(
          `Cannot compile: expected every included header among those given or those in ${C_FOLDER} but got #include "${name}"`,
        ),
      );
  });

  test('keeps NaN and infinity, and contracts to fused multiply-adds', async () => {
    const source = `
      ${EXPORT} int is_nan(float x) { return x != x; }
      ${EXPORT} float residue(float x, float y, float z) { return x * y + z; }
      ${EXPORT} int has_fma(void) {
      #if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
        return 1;
      #else
        return 0;
      #endif
      }`;
    const library = loadLibrary(await compileC(source));
    const isNan = library.declare('is_nan', { result: 'int32', parameters: ['float32'] });
    expect([isNan(Number.NaN), isNan(Number.POSITIVE_INFINITY)]).toEqual([1, 0]);
    const residue = library.declare('residue', { result: 'float32', parameters: ['float32', 'float32', 'float32'] });
    const x = 1 + 2 ** -12;
    const exact = x * x - Math.fround(x * x);
    expect(exact).toBe(2 ** -24);
    const hasFma = library.declare('has_fma', { result: 'int32', parameters: [] })() === 1;
    expect(residue(x, x, -Math.fround(x * x))).toBe(hasFma ? exact : 0);
  });

  test.runIf(process.arch === 'x64')('is made for another processor, and differently, by flags', async () => {
    const source = `${EXPORT} int answer(void) {\n#ifdef LOPT_SCALAR\nreturn 1;\n#elif defined(__AVX__)\nreturn 8;\n#else\nreturn 4;\n#endif\n}\n`;
    const flagged = async (...flags: string[]) => answer(await compileC(source, { flags }));
    expect(await flagged('-march=x86-64')).toBe(4);
    expect(await flagged('-march=x86-64', '-mavx')).toBe(8);
    expect(await flagged('-march=x86-64', '-DLOPT_SCALAR')).toBe(1);
  });
});

describe.runIf(isThere)('the cache', () => {
  test('spares the compiler, in this process and in the next', async () => {
    const starts = await counted();
    const path = await compileC(program(1));
    // One look at the compiler, one compilation.
    expect(starts()).toBe(2);
    expect(await compileC(program(1))).toBe(path);
    vi.resetModules();
    const { compileC: afresh } = await import('../../../../jit/engines/native/compile-c.ts');
    expect(await afresh(program(1))).toBe(path);
    expect(starts()).toBe(2);
    expect(await Promise.all([compileC(program(2)), compileC(program(2))])).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/-[0-9a-f]{16}\.(so|dylib)$/)),
    );
    expect(starts()).toBe(3);
    await compileC(program(1), { flags: ['-DOTHER'] });
    expect(starts()).toBe(4);
  });

  test('can be read where it can’t be written', async () => {
    const starts = await counted();
    const path = await compileC(program(1));
    chmodSync(cache, 0o500);
    expect(await compileC(program(1), { log: (message) => expect.fail(message) })).toBe(path);
    expect(starts()).toBe(2);
    chmodSync(cache, 0o700);
  });

  test('makes entries again that are not what they were', async () => {
    const starts = await counted();
    const path = await compileC(program(7));
    const manifest = join(cache, `${path.slice(cache.length + 1, cache.length + 33)}.json`);
    const whole = readFileSync(path);
    const text = readFileSync(manifest, 'utf8');
    const other = await compileC(program(8));
    const otherText = readFileSync(join(cache, `${other.slice(cache.length + 1, cache.length + 33)}.json`), 'utf8');
    const flipped = Buffer.from(whole);
    flipped[flipped.length >> 1]! ^= 1;
    const replace = (content: Uint8Array): void => {
      // As a new file: the old one may be loaded.
      unlinkSync(path);
      writeFileSync(path, content);
    };
    const named = (library: string): string =>
      JSON.stringify({ ...(JSON.parse(text) as Record<string, unknown>), library });
    writeFileSync(join(folder, 'elsewhere.so'), whole);
    const damages: Record<string, () => void> = {
      'a bit': () => replace(flipped),
      truncated: () => {
        replace(whole);
        truncateSync(path, whole.length - 100);
      },
      empty: () => replace(new Uint8Array()),
      gone: () => unlinkSync(path),
      longer: () => replace(Buffer.concat([whole, Buffer.from('x')])),
      'the manifest cut': () => writeFileSync(manifest, text.slice(0, 40)),
      'the manifest of another entry': () => writeFileSync(manifest, otherText),
      'the manifest of another format': () => writeFileSync(manifest, text.replace('library 1', 'library 0')),
      'a library elsewhere': () => writeFileSync(manifest, named('../../elsewhere.so')),
      'null for a manifest': () => writeFileSync(manifest, 'null'),
    };
    let expected = starts();
    for (const [name, damage] of Object.entries(damages)) {
      damage();
      expect(await compileC(program(7)), name).toBe(path);
      expected += 1;
      expect(starts(), name).toBe(expected);
      expect(readFileSync(path).equals(whole), name).toBe(true);
    }
    expect(answer(path)).toBe(7);
  });

  test('asks the compiler again when its kept answer is damaged', async () => {
    const starts = await counted();
    await compileC(program(1));
    const kept = readdirSync(cache).find((name) => name.startsWith('compiler-')) ?? '';
    writeFileSync(join(cache, kept), '{"version":"gcc 1","targetFlags":[0],"target":"x"}');
    vi.resetModules();
    const { compileC: afresh } = await import('../../../../jit/engines/native/compile-c.ts');
    await afresh(program(1));
    expect(starts()).toBe(3);
  });

  test('is shared by processes that compile the same at once', async () => {
    const module = (name: string) =>
      JSON.stringify(new URL(`../../../../dist/jit/engines/native/${name}.js`, import.meta.url).href);
    const script = `
      const { compileC } = await import(${module('compile-c')});
      const { loadLibrary } = await import(${module('library')});
      const path = await compileC(${JSON.stringify(program(23))});
      console.log(path, loadLibrary(path).declare('answer', { result: 'int32', parameters: [] })());`;
    const cwd = fileURLToPath(new URL('../../../..', import.meta.url));
    const outputs = await Promise.all(
      Array.from({ length: 3 }, () =>
        run(process.execPath, ['--input-type=module', '--eval', script], { cwd, timeout: 30_000 }),
      ),
    );
    const path = await compileC(program(23));
    expect(outputs.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 3 }, () => `${path} 23\n`));
    // Nothing is left of the work: one library, its manifest, one answer of the compiler.
    expect(readdirSync(cache)).toHaveLength(3);
  });

  test('loses what was used longest ago beyond its limit', async () => {
    const paths: string[] = [];
    for (const value of [1, 2, 3]) paths.push(await compileC(program(value)));
    const sizes = paths.map((path) => statSync(path).size);
    const age = (name: string, hours: number): void => {
      const time = new Date(Date.now() - hours * 3_600_000);
      for (const file of readdirSync(cache)) if (file.startsWith(name)) utimesSync(join(cache, file), time, time);
    };
    const keys = paths.map((path) => path.slice(cache.length + 1, cache.length + 33));
    for (const [index, key] of keys.entries()) age(key, 10 - index);
    age('compiler-', 5);
    // The oldest is used once more, which makes it the youngest.
    expect(await lookUp(cache, keys[0] ?? '')).toBe(paths[0]);
    await prune(cache, { limitBytes: (sizes[0] ?? 0) + (sizes[2] ?? 0) + 2000 });
    expect(paths.map((path) => existsSync(path))).toEqual([true, false, true]);
    await prune(cache, { limitBytes: 0 });
    // What was used within the last minute stays.
    expect(paths.map((path) => existsSync(path))).toEqual([true, false, false]);
    expect(readdirSync(cache)).toHaveLength(2);
  });

  test('that can’t be written gives way to a temporary folder, with one message', async () => {
    vi.resetModules();
    const { compileC: afresh } = await import('../../../../jit/engines/native/compile-c.ts');
    const file = join(folder, 'file');
    writeFileSync(file, '');
    vi.stubEnv('LOPT_CACHE', file);
    const starts = await counted();
    const messages: string[] = [];
    const log = (message: string): void => {
      messages.push(message);
    };
    const first = await afresh(program(1), { log });
    onTestFinished(() => rmSync(dirname(first), { recursive: true, force: true }));
    expect(answer(first)).toBe(1);
    expect(answer(await afresh(program(2), { log }))).toBe(2);
    const before = starts();
    expect(await afresh(program(1), { log })).toBe(first);
    expect(starts()).toBe(before);
    expect(realpathSync(dirname(first))).toMatch(`${realpathSync(tmpdir())}/lopt-native-`);
    expect(statSync(dirname(first)).mode & 0o777).toBe(0o700);
    expect(messages.map((message) => message.replace(/build-\w{6}/, 'build-XXXXXX'))).toEqual([
      `Compiled programs are not kept: expected a folder that can be written at ${file}/native but got ENOTDIR: not a directory, mkdtemp '${file}/native/.build-XXXXXX'; set LOPT_CACHE to another`,
    ]);
  });
});

test('the cache lies where the system has caches', () => {
  vi.stubEnv('LOPT_CACHE', '/a/b');
  expect(cachePath()).toBe('/a/b/native');
  vi.stubEnv('LOPT_CACHE', '');
  vi.stubEnv('XDG_CACHE_HOME', '/x');
  if (process.platform === 'darwin') expect(cachePath()).toBe(join(homedir(), 'Library/Caches/lopt/native'));
  else expect(cachePath()).toBe('/x/lopt/native');
  vi.stubEnv('XDG_CACHE_HOME', 'relative');
  if (process.platform !== 'darwin') expect(cachePath()).toBe(join(homedir(), '.cache/lopt/native'));
});

describe('without a compiler', () => {
  const tail =
    'install one (Debian and Ubuntu: apt install gcc libc6-dev; Fedora: dnf install gcc; Alpine: apk add gcc musl-dev; macOS: xcode-select --install) or set LOPT_CC to one, or use --engine onnx';
  const head = 'Cannot start the native engine: expected a C compiler, gcc 9 or clang 10 or later, but found none';

  test('says what was looked for', async () => {
    vi.stubEnv('LOPT_CC', '');
    vi.stubEnv('CC', '');
    vi.stubEnv('PATH', folder);
    const error = await rejection(compileC(program(1)));
    expect(error).toBeInstanceOf(NoCompilerError);
    expect(error).toMatchObject({
      name: 'NoCompilerError',
      message: `${head} (LOPT_CC is not set; CC is not set; cc is not in PATH; gcc is not in PATH; clang is not in PATH); ${tail}`,
    });
    vi.stubEnv('CC', 'ccache nothing');
    expect(await rejection(compileC(program(1)))).toMatchObject({
      message: `${head} (LOPT_CC is not set; CC is ccache nothing; ccache is not in PATH; cc is not in PATH; gcc is not in PATH; clang is not in PATH); ${tail}`,
    });
  });

  test.each([
    ['exit 0', 'is neither gcc nor clang'],
    [
      'echo "#define __GNUC__ 8"; echo "#define __GNUC_MINOR__ 3"; echo "#define __GNUC_PATCHLEVEL__ 1"',
      'is gcc 8.3.1',
    ],
    ['echo "#define __clang__ 1"; echo "#define __GNUC__ 4"; echo "#define __clang_major__ 9"', 'is clang 9.0.0'],
    ['echo broken >&2; exit 3', 'failed with exit code 3: broken'],
    ['kill -9 $$', 'failed with signal SIGKILL: '],
  ])('LOPT_CC alone is taken, and why not is said: %s', async (script, reason) => {
    const path = standIn(script);
    expect(await rejection(compileC(program(1)))).toMatchObject({
      name: 'NoCompilerError',
      message: `${head} (LOPT_CC is ${path}; ${path} ${reason}); ${tail}`,
    });
  });
});

describe.runIf(isThere)('a compiler that fails', () => {
  test('is quoted, and the program kept', async () => {
    const source = `int f(void) {\n  return missing;\n}\n`;
    const error = await rejection(compileC(source));
    const { version, program: compiler } = await findCompiler({ directory: cache });
    const kept = join(cache, readdirSync(cache).find((name) => name.endsWith('.c')) ?? '');
    expect(error).toBeInstanceOf(CompileError);
    if (!(error instanceof CompileError)) return;
    expect(error.message.split('\n')[0]).toBe(
      `Cannot compile a native program: expected ${version} (${compiler}) to succeed but got exit code 1. The program is kept in ${kept}; --engine onnx works without a compiler. The compiler's output:`,
    );
    expect(error.message).toMatch(/program\.c:2:10: error: .*missing/);
    expect(error.sourcePath).toBe(kept);
    expect(readFileSync(kept, 'utf8')).toBe(source);
    expect(readdirSync(cache).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('shows the first lines only', async () => {
    const source = Array.from({ length: 40 }, (_, line) => `int f${line}(void) { return missing${line}; }`).join('\n');
    const error = await rejection(compileC(source));
    if (!(error instanceof CompileError)) throw error;
    const lines = error.message.split('\n');
    expect(lines).toHaveLength(14);
    expect(lines[13]).toBe(`(${error.output.trim().split('\n').length - 12} more lines)`);
  });

  test('by a signal is told apart', async () => {
    const { program: compiler } = await findCompiler({ directory: temporaryFolder() });
    const path = standIn(`case "$*" in *-dM*) exec '${compiler}' "$@";; esac\nkill -9 $$`);
    expect(await rejection(compileC(program(1)))).toMatchObject({
      name: 'CompileError',
      message: expect.stringContaining(
        `(${path}) to succeed but got signal SIGKILL. The program is kept in `,
      ) as string,
    });
  });
});
