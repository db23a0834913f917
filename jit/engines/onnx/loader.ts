import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { arch } from 'node:process';
import type * as onnxRuntime from 'onnxruntime-node';

/** onnxruntime-node, as its package exports it. */
export type OnnxRuntime = typeof onnxRuntime;

/**
 * Loads onnxruntime-node.
 * @throws Error that says how to install it when it can't be loaded here.
 */
export async function loadOnnxRuntime(): Promise<OnnxRuntime> {
  try {
    const runtime = await import('onnxruntime-node');
    runtime.env.logLevel = 'fatal';
    return runtime;
  } catch (cause) {
    throw new Error(
      'Cannot load onnxruntime-node: expected the package to be installed with a build for this machine; run npm install onnxruntime-node (ONNXRUNTIME_NODE_INSTALL=skip behind a firewall)',
      { cause },
    );
  }
}

/** Threads that this process may use: the default of every engine. */
export function defaultThreads(): number {
  return availableParallelism();
}

/** Flags of the processor on which onnxruntime chooses between kernels whose results differ in the last bits. */
const FLAGS = [
  'avx',
  'avx2',
  'fma',
  'f16c',
  'avx512f',
  'avx512bw',
  'avx512vl',
  'avx512_vnni',
  'avx512_bf16',
  'amx_tile',
];

/** The processor's architecture and the extensions that results may depend on: `x64 avx avx2 fma`. Only the architecture where they can't be read. */
export function instructionSet(): string {
  let text: string;
  try {
    text = readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return arch;
  }
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1] ?? '';
  const present = new Set(line.split(/\s+/));
  const known = arch === 'x64' ? FLAGS : ['asimd', 'asimddp', 'i8mm', 'bf16', 'sve'];
  return [arch, ...known.filter((flag) => present.has(flag))].join(' ');
}
