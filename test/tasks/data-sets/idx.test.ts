import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { unpack } from '../../../tasks/data-sets/gzip.ts';
import { parseIdx } from '../../../tasks/data-sets/idx.ts';

const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9);
const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4);

function failure(bytes: Uint8Array, axes = 3): unknown {
  try {
    parseIdx(bytes, { axes, file: 'x-ubyte' });
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('parseIdx', () => {
  it('reads labels and images', () => {
    expect(parseIdx(labels, { axes: 1, file: 'l' })).toEqual({ shape: [3], data: Uint8Array.of(7, 8, 9) });
    expect(parseIdx(images, { axes: 3, file: 'i' })).toEqual({ shape: [2, 1, 2], data: Uint8Array.of(1, 2, 3, 4) });
  });

  it('reads a view into a larger buffer', () => {
    const larger = new Uint8Array(40).fill(255);
    larger.set(images, 5);
    expect(parseIdx(larger.subarray(5, 5 + images.length), { axes: 3, file: 'i' }).data).toEqual(
      Uint8Array.of(1, 2, 3, 4),
    );
  });

  it.each([
    [
      'labels for images',
      labels,
      'Cannot read x-ubyte: expected an IDX file of unsigned bytes with 3 axes (images), which begins with 0x00000803 but got 0x00000801 (labels)',
    ],
    [
      'a gzip file',
      new Uint8Array(gzipSync(images)),
      'Cannot read x-ubyte: expected an unpacked IDX file, which begins with 0x00000803 but got a gzip file: unpack it first',
    ],
    [
      'a truncated file',
      images.subarray(0, 18),
      'Cannot read x-ubyte: expected 4 bytes after the header (2 x 1 x 2) but got 2: the file is truncated, fetch it again',
    ],
    [
      'a file that goes on',
      Uint8Array.of(...images, 0),
      'Cannot read x-ubyte: expected 4 bytes after the header (2 x 1 x 2) but got 5: the file is longer than it says, fetch it again',
    ],
    [
      'a truncated header',
      images.subarray(0, 10),
      'Cannot read x-ubyte: expected a header of 16 bytes but got 10 bytes in all',
    ],
    [
      'an empty file',
      new Uint8Array(),
      'Cannot read x-ubyte: expected an IDX file, which begins with 0x00000803 but got 0 bytes',
    ],
    [
      'a file of floats',
      Uint8Array.of(0, 0, 0x0d, 3, 0, 0),
      'Cannot read x-ubyte: expected an IDX file of unsigned bytes with 3 axes (images), which begins with 0x00000803 but got 0x00000d03',
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(failure(bytes)).toEqual(new SyntaxError(message));
  });

  it('allocates nothing for extents that no file has', () => {
    const huge = Uint8Array.of(0, 0, 8, 1, 255, 255, 255, 255);
    expect(failure(huge, 1)).toEqual(
      new SyntaxError(
        'Cannot read x-ubyte: expected 4294967295 bytes after the header (4294967295) but got 0: the file is truncated, fetch it again',
      ),
    );
  });
});

describe('unpack', () => {
  it('tells gzip by content', async () => {
    expect(await unpack(images, { file: 'i' })).toBe(images);
    expect(await unpack(new Uint8Array(gzipSync(images)), { file: 'i' })).toEqual(images);
  });

  it('refuses a damaged gzip file', async () => {
    const packed = new Uint8Array(gzipSync(images));
    const message =
      'Cannot read i.gz: expected a whole gzip file but it is damaged or truncated; fetch it again, or give it unpacked';
    await expect(unpack(packed.subarray(0, packed.length - 6), { file: 'i.gz' })).rejects.toThrow(
      new SyntaxError(message),
    );
    packed.fill(0, 12, 18);
    await expect(unpack(packed, { file: 'i.gz' })).rejects.toThrow(new SyntaxError(message));
  });
});
