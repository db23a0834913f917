import { type DType, type TypedArray, sizeOf } from '../../graph/graph.ts';

/** Free buffers kept for each size. More than the two of a swapped state are seldom of use. */
const MAX_FREE = 4;

/** An array over the whole of a buffer. */
export function viewOf(dtype: DType, buffer: ArrayBuffer, length: number): TypedArray {
  if (dtype === 'float32') return new Float32Array(buffer, 0, length);
  return dtype === 'int32' ? new Int32Array(buffer, 0, length) : new Uint8Array(buffer, 0, length);
}

function byteLengthOf(dtype: DType, length: number): number {
  return dtype === 'bool' ? length : 4 * length;
}

/**
 * Memory for onnxruntime: arrays that each begin a buffer of their own, so that they are 16-byte aligned (its sums differ in the last
 * bits with the alignment), and that are used again once given back.
 */
export class BufferPool {
  readonly #free = new Map<number, ArrayBuffer[]>();

  /** An array with undefined elements. */
  take(dtype: DType, shape: readonly number[]): TypedArray {
    const length = sizeOf(shape);
    // Multiples of 16 let float32 and bool of about a size share buffers; nothing is smaller than 16 bytes.
    const byteLength = Math.max(16, Math.ceil(byteLengthOf(dtype, length) / 16) * 16);
    return viewOf(dtype, this.#free.get(byteLength)?.pop() ?? new ArrayBuffer(byteLength), length);
  }

  /** A copy of an array, whatever memory that is in. */
  copy(dtype: DType, shape: readonly number[], data: TypedArray): TypedArray {
    const array = this.take(dtype, shape);
    array.set(data);
    return array;
  }

  /** Gives an array's memory back. It is not used afterwards. */
  give(array: TypedArray): void {
    const { buffer } = array;
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength === 0) return;
    const free = this.#free.get(buffer.byteLength) ?? [];
    if (free.length < MAX_FREE) free.push(buffer);
    this.#free.set(buffer.byteLength, free);
  }

  clear(): void {
    this.#free.clear();
  }
}
