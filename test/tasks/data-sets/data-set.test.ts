import { describe, expect, it } from 'vitest';
import { type GivenImages, imageDataSet } from '../../../tasks/data-sets/data-set.ts';

const good: GivenImages = {
  name: 'mine',
  rows: 4,
  size: [1, 2, 1],
  pixels: Uint8Array.of(0, 51, 102, 153, 204, 255, 0, 255),
  labels: [0, 1, 2, 1],
};

describe('imageDataSet', () => {
  it('gives images as floats and labels as integers', () => {
    const set = imageDataSet(good);
    expect(set.classes).toBe(3);
    const { images, labels, testRows } = set.at([1, 2, 1]);
    expect(images).toEqual({
      shape: [4, 1, 2, 1],
      dtype: 'float32',
      data: Float32Array.of(0, 0.2, 0.4, 0.6, 0.8, 1, 0, 1),
    });
    expect(labels).toEqual({ shape: [4], dtype: 'int32', data: Int32Array.of(0, 1, 2, 1) });
    expect(testRows).toBe(0);
  });

  it('has a fingerprint of content, not of name', async () => {
    const print = await imageDataSet(good).fingerprint();
    // Python: sha256(struct.pack('<8i', 4, 1, 2, 1, 0, 1, 2, 1) + bytes([0, 51, 102, 153, 204, 255, 0, 255])).hexdigest()
    expect(print).toBe('c6a767164151ec9d561d3d03ea227952b3d0fff550793e56d0f223e6c5cc039b');
    expect(await imageDataSet({ ...good, name: 'other', testRows: 1 }).fingerprint()).toBe(print);
    const others: Partial<GivenImages>[] = [
      { labels: [0, 1, 2, 2] },
      { size: [2, 1, 1] },
      { pixels: Uint8Array.of(1, 51, 102, 153, 204, 255, 0, 255) },
    ];
    for (const change of others) expect(await imageDataSet({ ...good, ...change }).fingerprint()).not.toBe(print);
  });

  it('makes a size once', () => {
    const set = imageDataSet(good);
    expect(set.at([2, 2, 1])).toBe(set.at([2, 2, 1]));
    expect(set.at([2, 2, 1]).images.shape).toEqual([4, 2, 2, 1]);
  });

  it.each<[string, Partial<GivenImages>, string]>([
    ['too few pixels', { pixels: new Uint8Array(7) }, 'expected 8 pixels (4 x 1 x 2 x 1) but got 7'],
    ['too few labels', { labels: [0, 1] }, 'expected a label for each of 4 images but got 2 labels'],
    [
      'a label that is no class',
      { labels: [0, 1, 2, 3], classes: 3 },
      'expected labels from 0 to 2 but got 3 at row 3',
    ],
    ['a label that is no integer', { labels: [0, 0.5, 1, 1] }, 'expected labels from 0 to 1 but got 0.5 at row 1'],
    [
      'floats outside [0, 1]',
      { pixels: Float32Array.of(0, 1, 0, 1, 0, 1, 0, 2) },
      'expected every float pixel from 0 to 1 but got 2 at 7',
    ],
    [
      'a test part that is all there is',
      { testRows: 4 },
      'expected a test part smaller than the data set but got 4 of 4 rows',
    ],
  ])('refuses %s', (_, change, message) => {
    expect(() => imageDataSet({ ...good, ...change })).toThrow(new RangeError(`Cannot make data set mine: ${message}`));
  });
});
