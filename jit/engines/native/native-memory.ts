import type { RuntimeFunctions } from './runtime.ts';

/**
 * Memory for native programs alone, aligned to 64 bytes, zeros at first: arenas. It lives until it is disposed of. There is no view of
 * it in JavaScript, which could outlive it: Node.js doesn't detach buffers over memory that it doesn't own.
 */
export class NativeMemory {
  readonly sizeBytes: number;
  readonly #functions: RuntimeFunctions;
  #pointer: bigint | null;

  constructor(functions: RuntimeFunctions, sizeBytes: number) {
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1)
      throw new RangeError(`Cannot allocate memory: expected a whole number of bytes from 1 but got ${sizeBytes}`);
    this.sizeBytes = sizeBytes;
    this.#functions = functions;
    this.#pointer = functions.allocate(sizeBytes);
    if (this.#pointer === null)
      throw new Error(`Cannot allocate memory: expected ${sizeBytes} bytes to be free but the system refused`);
  }

  /** What programs take as a pointer. @throws RangeError once disposed. */
  get pointer(): bigint {
    if (this.#pointer === null)
      throw new RangeError('Cannot use native memory: expected live memory but got what was disposed');
    return this.#pointer;
  }

  /** Gives the memory back, when no call uses it any more. Disposing twice does nothing. */
  dispose(): void {
    if (this.#pointer === null) return;
    this.#functions.free(this.#pointer);
    this.#pointer = null;
  }
}
