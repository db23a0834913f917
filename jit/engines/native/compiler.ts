import { createHash } from 'node:crypto';
import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { arch, cpus } from 'node:os';
import { delimiter, join } from 'node:path';
import { writeCacheFile } from './cache-directory.ts';
import { NoCompilerError } from './no-compiler-error.ts';
import { runProgram } from './run-program.ts';

/** A C compiler as it was asked once. */
export interface Compiler {
  readonly program: string;
  /** What stands between the program and its flags: `gcc` of `ccache gcc`. */
  readonly parameters: readonly string[];
  /** `gcc 12.2.0` */
  readonly version: string;
  /** Flags that choose the processor: those given, or the flag for this machine's own. */
  readonly targetFlags: readonly string[];
  /** Hash of all that the compiler predefines with these flags: the instruction set among it. */
  readonly target: string;
}

/** What a compiler says of itself, as it is kept on disk. */
type Answer = Pick<Compiler, 'version' | 'targetFlags' | 'target'>;

export interface FindCompilerOptions {
  /** Flags that choose the processor (-m...). Default: this machine's. */
  readonly machineFlags?: readonly string[];
  /** Folder in which answers are kept. */
  readonly directory: string;
}

const OLDEST = { gcc: 9, clang: 10 };
/** Tried in this order; clang knows the first spelling on x86 and the second on ARM. */
const OWN_MACHINE = [['-march=native'], ['-mcpu=native'], []];

const found = new Map<string, Promise<Compiler>>();

/**
 * The C compiler: LOPT_CC where set, else the first of CC, cc, gcc and clang that can be used. Asked once a process, and once a
 * machine: its answers are kept by path, time, size, flags and processor.
 * @throws NoCompilerError when there is none.
 */
export function findCompiler({ machineFlags = [], directory }: FindCompilerOptions): Promise<Compiler> {
  const { LOPT_CC, CC, PATH } = process.env;
  const key = JSON.stringify([LOPT_CC, CC, PATH, directory, machineFlags]);
  let compiler = found.get(key);
  if (compiler === undefined) {
    compiler = search(machineFlags, directory);
    found.set(key, compiler);
    compiler.catch(() => found.delete(key));
  }
  return compiler;
}

async function search(machineFlags: readonly string[], directory: string): Promise<Compiler> {
  if (process.platform === 'win32')
    throw new NoCompilerError(['native code is not made on Windows itself, only under WSL']);
  const { LOPT_CC = '', CC = '' } = process.env;
  const named = [`LOPT_CC is ${LOPT_CC || 'not set'}`, ...(LOPT_CC === '' ? [`CC is ${CC || 'not set'}`] : [])];
  const commands = LOPT_CC === '' ? [...(CC === '' ? [] : [CC]), 'cc', 'gcc', 'clang'] : [LOPT_CC];
  const tried = [...named];
  for (const command of commands) {
    const [program, ...parameters] = isProgram(command) ? [command] : command.trim().split(/\s+/);
    const path = inPath(program ?? '');
    if (path === undefined) {
      tried.push(`${program} is not in PATH`);
      continue;
    }
    const answer = await ask({ program: path, parameters, machineFlags, directory });
    if (typeof answer !== 'string') return { program: path, parameters, ...answer };
    tried.push(`${path} ${answer}`);
  }
  throw new NoCompilerError(tried);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function inPath(program: string): string | undefined {
  if (program.includes('/')) return isProgram(program) ? program : undefined;
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(isProgram);
}

interface Question {
  readonly program: string;
  readonly parameters: readonly string[];
  readonly machineFlags: readonly string[];
  readonly directory: string;
}

/** The compiler's answer, from disk if it was asked before, or the reason why it can't be used. */
async function ask({ program, parameters, machineFlags, directory }: Question): Promise<Answer | string> {
  const { mtimeMs, size } = statSync(program);
  const identity = [realpathSync(program), mtimeMs, size, parameters, machineFlags, processor()];
  const hash = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
  const file = join(directory, `compiler-${hash}.json`);
  const kept = await keptAnswer(file);
  if (kept !== undefined) return kept;
  let failure = '';
  for (const targetFlags of machineFlags.length > 0 ? [machineFlags] : OWN_MACHINE) {
    // All predefined macros: name and version of the compiler, and every instruction set that it may use.
    const result = await runProgram(program, [...parameters, ...targetFlags, '-dM', '-E', '-x', 'c', '-']);
    if (result.code !== 0) {
      failure ||= `failed with ${result.end}: ${firstLine(result.stderr)}`;
      continue;
    }
    const version = versionIn(result.stdout);
    if (!version.isUsable) return `is ${version.text}`;
    const target = createHash('sha256').update(result.stdout).digest('hex').slice(0, 32);
    const answer = { version: version.text, targetFlags, target };
    await writeCacheFile(file, JSON.stringify(answer));
    return answer;
  }
  return failure;
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}

async function keptAnswer(file: string): Promise<Answer | undefined> {
  try {
    const { version, targetFlags, target } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    const isText = (value: unknown): value is string => typeof value === 'string';
    if (!isText(version) || !isText(target) || !/^[0-9a-f]{32}$/.test(target)) return undefined;
    if (!Array.isArray(targetFlags) || !targetFlags.every(isText)) return undefined;
    return { version, targetFlags, target };
  } catch {
    return undefined;
  }
}

function versionIn(macros: string): { readonly text: string; readonly isUsable: boolean } {
  const value = (name: string): string | undefined => new RegExp(`^#define ${name} (.*)$`, 'm').exec(macros)?.[1];
  const version = (...names: readonly string[]): string => names.map((name) => value(name) ?? '0').join('.');
  const clang = version('__clang_major__', '__clang_minor__', '__clang_patchlevel__');
  if (value('__clang__') !== undefined)
    return { text: `clang ${clang}`, isUsable: Number.parseInt(clang, 10) >= OLDEST.clang };
  const gcc = version('__GNUC__', '__GNUC_MINOR__', '__GNUC_PATCHLEVEL__');
  if (value('__GNUC__') === undefined) return { text: 'neither gcc nor clang', isUsable: false };
  return { text: `gcc ${gcc}`, isUsable: Number.parseInt(gcc, 10) >= OLDEST.gcc };
}

/** What tells this machine's processor from another's, as far as a compiler looks at it. */
function processor(): string {
  const names = /^(vendor_id|cpu family|model|model name|flags|Features|CPU implementer|CPU part)\s*:/;
  // The first processor's lines: the whole file is long where there are many.
  const lines = beginningOf('/proc/cpuinfo')
    .split('\n\n', 1)[0]
    ?.split('\n')
    .filter((line) => names.test(line));
  return [arch(), cpus()[0]?.model ?? '', ...(lines ?? [])].join('\n');
}

function beginningOf(path: string): string {
  try {
    const file = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(16_384);
      return buffer.toString('utf8', 0, readSync(file, buffer));
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
