import { createRequire } from 'node:module';
import type * as koffiPackage from 'koffi';

/** koffi, as its package exports it. */
export type Koffi = typeof koffiPackage;

/** Generated code keeps its data in arenas, so its stack is small; but koffi runs `.async` calls on stacks of its own, of 128 KiB. */
const STACK_BYTES = 4 << 20;
const SMALLEST_STACK_BYTES = 1 << 20;

let loaded: Koffi | undefined;

/**
 * Loads koffi. @throws Error that says how to install it when it can't be loaded here, or when another package has fixed its
 * settings at too small a stack.
 */
export function loadKoffi(): Koffi {
  if (loaded !== undefined) return loaded;
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new Error(
      'Cannot load koffi: expected the package to be installed with a build for this machine; run npm install koffi, or use --engine onnx',
      { cause },
    );
  }
  try {
    koffi.config({ async_stack_size: STACK_BYTES });
  } catch {
    // Settings are fixed from the first library on; what they are decides.
  }
  const { async_stack_size: stackBytes = 0 } = koffi.config();
  if (stackBytes < SMALLEST_STACK_BYTES)
    throw new Error(
      `Cannot use koffi: expected its async_stack_size to be ${SMALLEST_STACK_BYTES} or more but got ${stackBytes}, which another package fixed by loading a library first; start the native engine before it, or use --engine onnx`,
    );
  loaded = koffi;
  return koffi;
}
