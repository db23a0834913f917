import type { TypedArray } from '../../graph/graph.ts';
import { loadKoffi } from './koffi.ts';

/** Arrays that C code reads and writes in place. */
export type NativeArray = TypedArray | Float64Array | Uint32Array | BigInt64Array | BigUint64Array;

/**
 * Where an array's first element lies. It stays there: Node.js keeps the data of array buffers outside the heap that is compacted,
 * and asking moves a small array's data there. Valid as long as the buffer lives and isn't transferred. 0 for an empty array.
 */
export function addressOf(array: NativeArray): bigint {
  return array.length === 0 ? 0n : loadKoffi().address(array);
}

const ALIGNMENT_BYTES = 64;

/** Kinds of arrays, by what constructs them. */
interface ArrayKind<A extends NativeArray> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offsetBytes: number, count: number): A;
}

/**
 * An array of zeros that begins at a multiple of 64 bytes, as vector loads like it. An ordinary array otherwise: JavaScript keeps it as
 * long as it is reachable.
 */
export function alignedArray<A extends NativeArray>(kind: ArrayKind<A>, count: number): A {
  const buffer = new ArrayBuffer(count * kind.BYTES_PER_ELEMENT + ALIGNMENT_BYTES);
  const past = Number(addressOf(new Uint8Array(buffer)) % BigInt(ALIGNMENT_BYTES));
  return new kind(buffer, (ALIGNMENT_BYTES - past) % ALIGNMENT_BYTES, count);
}

/** A table of addresses, `void *table[length]` in C: made once, it passes any number of arrays in one parameter, and keeps them alive. */
export class PointerTable {
  /** [entry]; 0 is NULL. */
  readonly addresses: BigUint64Array;
  readonly #kept: (NativeArray | undefined)[];

  constructor(length: number) {
    this.addresses = new BigUint64Array(length);
    this.#kept = Array.from({ length }, () => undefined);
  }

  /** Enters an array, or an address whose memory the caller keeps alive. @throws RangeError for an entry that the table lacks. */
  set(entry: number, target: NativeArray | bigint): void {
    if (!Number.isInteger(entry) || entry < 0 || entry >= this.addresses.length)
      throw new RangeError(
        `Cannot set a pointer: expected an entry from 0 to ${this.addresses.length - 1} but got ${entry}`,
      );
    this.#kept[entry] = typeof target === 'bigint' ? undefined : target;
    this.addresses[entry] = typeof target === 'bigint' ? target : addressOf(target);
  }
}
