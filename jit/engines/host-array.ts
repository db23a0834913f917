import { type HostArray, type TypedArray, allocate, sizeOf, typeText } from '../graph/graph.ts';

const CLASSES = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

/**
 * Checks that an array's elements are of its dtype and as many as its shape says.
 * @throws TypeError for elements of another kind; RangeError for another number of them.
 */
export function checkHostArray(array: HostArray): void {
  const expected = CLASSES[array.dtype];
  if (!(array.data instanceof expected))
    throw new TypeError(
      `Cannot upload ${typeText(array)}: expected elements in ${expected.name} but got ${Object.prototype.toString.call(array.data).slice(8, -1)}`,
    );
  if (array.data.length !== sizeOf(array.shape))
    throw new RangeError(
      `Cannot upload ${typeText(array)}: expected ${sizeOf(array.shape)} elements but got ${array.data.length}`,
    );
}

/** A copy of an array's elements in fresh memory. */
export function copied(array: HostArray): HostArray {
  const data: TypedArray = allocate(array.dtype, array.data.length);
  data.set(array.data);
  return { shape: array.shape, dtype: array.dtype, data };
}
