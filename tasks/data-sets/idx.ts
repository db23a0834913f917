/**
 * IDX files, as MNIST's: two zero bytes, the element type, the number of axes, each extent as a big-endian 32-bit integer, elements.
 *
 * **Source** Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
 */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Elements in row-major order: a view of the bytes that were parsed. */
  readonly data: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;

/**
 * Parses an IDX file of unsigned bytes.
 * @param axes number of axes expected: 3 for images, 1 for labels.
 * @param file what the bytes are called in errors.
 * @throws SyntaxError when the bytes are anything else, too few or too many.
 */
export function parseIdx(
  bytes: Uint8Array,
  { axes, file }: { readonly axes: number; readonly file: string },
): IdxArray {
  const magic = (UNSIGNED_BYTE << 8) | axes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 4) refuse(file, `an IDX file, which begins with ${hex(magic)}`, `${bytes.byteLength} bytes`);
  const found = view.getUint32(0);
  if (found >>> 16 === 0x1f8b)
    refuse(file, `an unpacked IDX file, which begins with ${hex(magic)}`, 'a gzip file: unpack it first');
  if (found !== magic)
    refuse(
      file,
      `an IDX file of unsigned bytes with ${axes} ${axes === 1 ? 'axis (labels)' : 'axes (images)'}, which begins with ${hex(magic)}`,
      `${hex(found)}${found === 0x0801 || found === 0x0803 ? ` (${found === 0x0801 ? 'labels' : 'images'})` : ''}`,
    );
  const header = 4 + 4 * axes;
  if (bytes.byteLength < header) refuse(file, `a header of ${header} bytes`, `${bytes.byteLength} bytes in all`);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = shape.reduce((product, extent) => product * extent, 1);
  const got = bytes.byteLength - header;
  if (got !== count)
    refuse(
      file,
      `${count} bytes after the header (${shape.join(' x ')})`,
      `${got}: the file is ${got < count ? 'truncated' : 'longer than it says'}, fetch it again`,
    );
  return { shape, data: bytes.subarray(header) };
}

function refuse(file: string, expected: string, got: string): never {
  throw new SyntaxError(`Cannot read ${file}: expected ${expected} but got ${got}`);
}

function hex(word: number): string {
  return `0x${word.toString(16).padStart(8, '0')}`;
}
