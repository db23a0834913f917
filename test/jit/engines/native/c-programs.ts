import { mkdtempSync, rmSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { C_FOLDER } from '../../../../jit/engines/native/c-sources.ts';
import { findCompiler } from '../../../../jit/engines/native/compiler.ts';
import { runProgram } from '../../../../jit/engines/native/run-program.ts';

/** A way to compile the headers: the instruction set and with it the number of lanes. */
export interface Build {
  readonly name: string;
  /** Flags that choose the processor; none: this machine's. */
  readonly machineFlags: readonly string[];
  readonly flags: readonly string[];
}

const OWN: Build = { name: 'for this machine', machineFlags: [], flags: [] };
const SCALAR: Build = { name: 'with one lane', machineFlags: [], flags: ['-DLOPT_SCALAR'] };
const AVX2: Build = { name: 'for AVX2', machineFlags: ['-march=x86-64', '-mavx2', '-mfma'], flags: [] };
/** No fused multiply-add, no instruction that rounds to whole numbers. */
export const SSE2: Build = { name: 'for SSE2', machineFlags: ['-march=x86-64'], flags: [] };

/** Ends a program that reads or writes where it must not, or whose behaviour is undefined. */
export const SANITIZED: Build = {
  name: 'with sanitizers',
  machineFlags: [],
  flags: ['-O1', '-fsanitize=undefined,address', '-fno-sanitize-recover=all'],
};

/** Contraction as in generated code: it must change nothing. */
const FLAGS = ['-std=gnu11', '-O2', '-ffp-contract=fast', '-fno-math-errno', '-Wall', '-Wextra', '-Werror'];

const folder = mkdtempSync(join(tmpdir(), 'lopt-c-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let programs = 0;

/** Compiles a program that stands alone; gives its path. Its quoted includes may name the engine's headers. Throws with what the compiler says. */
export async function buildProgram(source: string, { machineFlags, flags }: Build): Promise<string> {
  const compiler = await findCompiler({ machineFlags, directory: folder });
  programs += 1;
  const path = join(folder, `program-${programs}`);
  const all = [...compiler.parameters, ...FLAGS, ...compiler.targetFlags, ...flags, '-iquote', C_FOLDER];
  const { end, stderr } = await runProgram(compiler.program, [...all, source, '-o', path, '-lm']);
  if (end !== 'exit code 0' || stderr !== '') throw new Error(`Cannot compile ${source}: ${end}: ${stderr}`);
  return path;
}

/** What a program writes to standard output. Throws where it fails. */
export async function outputOf(path: string, parameters: readonly string[]): Promise<string> {
  const { end, stdout, stderr } = await runProgram(path, parameters);
  if (end !== 'exit code 0') throw new Error(`Cannot run ${path}: ${end}: ${stderr}`);
  return stdout;
}

/** The builds that this machine runs; says which are left out. */
export async function usableBuilds(): Promise<readonly Build[]> {
  if (await hasAvx2()) return [OWN, AVX2, SCALAR];
  process.stderr.write('skipped: AVX2, which this machine lacks\n');
  return [OWN, SCALAR];
}

const PROBE = fileURLToPath(new URL('has-avx2.c', import.meta.url));

async function hasAvx2(): Promise<boolean> {
  return arch() === 'x64' && (await outputOf(await buildProgram(PROBE, SSE2), [])) === 'yes\n';
}

/** Whether the compiler has its sanitizers' libraries. Where it hasn't, says so; with LOPT_REQUIRE_FIXTURES=1 that is an error. */
export async function hasSanitizers(): Promise<boolean> {
  try {
    await outputOf(await buildProgram(PROBE, SANITIZED), []);
    return true;
  } catch (cause) {
    if (env['LOPT_REQUIRE_FIXTURES'] === '1') throw cause;
    process.stderr.write(`skipped: ${cause instanceof Error ? cause.message : String(cause)}\n`);
    return false;
  }
}

/** A path for a file that goes when the process ends. */
export function temporaryFile(name: string): string {
  return join(folder, name);
}
