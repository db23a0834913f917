import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { includedHeaders } from './c-sources.ts';
import { type Log, cacheDirectory, temporaryCache } from './cache-directory.ts';
import { enter, entryKey, lookUp, prune } from './cache-entry.ts';
import { CompileError } from './compile-error.ts';
import { type Compiler, findCompiler } from './compiler.ts';
import { runProgram } from './run-program.ts';

export interface CompileCOptions {
  /**
   * Flags after the usual ones, which they override: `-march=x86-64-v3`, `-DLOPT_SCALAR`, `-O1`. Flags that begin with -m replace the
   * choice of this machine's processor. Default: none.
   */
  readonly flags?: readonly string[];
  /** Headers that the source includes by `#include "name"`, beside those that ship with the engine, which need no mention. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the one message goes that compiled programs can't be kept. Default: standard error. */
  readonly log?: Log;
}

/** NaN and infinity stay as IEEE 754 has them: no -ffast-math. Products and sums contract to fused multiply-adds. */
const FLAGS = [
  '-std=gnu11',
  '-O2',
  '-ffp-contract=fast',
  '-fno-math-errno',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-pthread',
  '-pipe',
];
/** How much of the compiler's output an error shows. */
const SHOWN_LINES = 12;

interface Build {
  readonly source: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly flags: readonly string[];
  readonly compiler: Compiler;
  readonly key: string;
}

const building = new Map<string, Promise<string>>();

/**
 * Compiles a C program into a shared library, or finds it in the user's cache; gives the library's path. Several processes may share
 * the cache.
 * @throws NoCompilerError where there is no C compiler; CompileError when it refuses the program; RangeError for an include that is
 * not known.
 * @example const path = await compileC('__attribute__((visibility("default"))) int two(void) { return 2; }')
 */
export async function compileC(source: string, options: CompileCOptions = {}): Promise<string> {
  const { flags = [], log = (message) => process.stderr.write(`${message}\n`) } = options;
  const headers = includedHeaders(source, options.headers);
  const directory = await cacheDirectory(log);
  const compiler = await findCompiler({ machineFlags: flags.filter((flag) => flag.startsWith('-m')), directory });
  // Target flags come again among the caller's, where they keep their place: with -mno-... the order counts.
  const all = [...FLAGS, ...compiler.targetFlags, ...flags.filter((flag) => !flag.startsWith('-m'))];
  const key = entryKey([source, [...headers], compiler.version, compiler.target, all]);
  const build = { source, headers, flags: all, compiler, key };
  const place = join(directory, key);
  const running = building.get(place) ?? find(build, directory, log).finally(() => building.delete(place));
  building.set(place, running);
  return running;
}

async function find(build: Build, directory: string, log: Log): Promise<string> {
  const kept = await lookUp(directory, build.key);
  if (kept !== undefined) return kept;
  try {
    return await compile(build, directory);
  } catch (cause) {
    // The cache can't be written, or is full: errors of the file system have a code.
    if (!(cause instanceof Error) || !('code' in cause)) throw cause;
    const instead = await temporaryCache(log, directory, cause);
    return (await lookUp(instead, build.key)) ?? compile(build, instead);
  }
}

let compiled = 0;

/** Compiles in a folder of its own inside the cache, so that the library can be moved to its place at once. */
async function compile(build: Build, directory: string): Promise<string> {
  const { source, headers, flags, compiler, key } = build;
  const folder = await mkdtemp(join(directory, '.build-'));
  try {
    await writeFile(join(folder, 'program.c'), source);
    for (const [name, text] of headers) await writeFile(join(folder, name), text);
    // Relative names: nothing of the folder gets into the library or the compiler's messages.
    const result = await runProgram(
      compiler.program,
      [...compiler.parameters, ...flags, '-o', 'program.so', 'program.c'],
      { cwd: folder },
    );
    if (result.code !== 0) {
      const sourcePath = join(directory, `${key}.c`);
      await rename(join(folder, 'program.c'), sourcePath);
      throw refusal(compiler, result.end, { sourcePath, output: result.stderr + result.stdout });
    }
    const library = await enter(directory, key, join(folder, 'program.so'));
    // The first and then now and then: a look through the whole cache at each would cost more than it saves.
    if (compiled % 64 === 0) await prune(directory).catch(() => undefined);
    compiled += 1;
    return library;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function refusal(
  { program, version }: Compiler,
  end: string,
  details: { readonly sourcePath: string; readonly output: string },
): CompileError {
  const lines = details.output.trim().split('\n');
  const shown = lines.slice(0, SHOWN_LINES).join('\n');
  const rest = lines.length > SHOWN_LINES ? `\n(${lines.length - SHOWN_LINES} more lines)` : '';
  return new CompileError(
    `Cannot compile a native program: expected ${version} (${program}) to succeed but got ${end}. The program is kept in ${details.sourcePath}; --engine onnx works without a compiler. The compiler's output:\n${shown}${rest}`,
    details,
  );
}
