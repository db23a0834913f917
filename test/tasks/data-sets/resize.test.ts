import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { uniform } from '../../../jit/random/draws.ts';
import { rootKey } from '../../../jit/random/key.ts';
import { resizeImages } from '../../../tasks/data-sets/resize.ts';

describe('resizeImages', () => {
  const pixels = Uint8Array.from(uniform(rootKey('pixels'), 2 * 28 * 20 * 3), (x) => Math.floor(x * 256));

  it.each([
    [8, 8],
    [28, 20],
    [40, 33],
    [1, 1],
    [5, 61],
  ])('is TensorFlow.js bilinear with half-pixel centres at %i x %i', (height, width) => {
    const ours = resizeImages({ rows: 2, size: [28, 20, 3], pixels }, [height, width, 3]);
    const theirs = tf.image.resizeBilinear(
      tf.div<tf.Tensor4D>(tf.tensor4d(pixels, [2, 28, 20, 3], 'float32'), 255),
      [height, width],
      false,
      true,
    );
    // Ours is computed in double precision, theirs in float32.
    theirs.dataSync().forEach((value, i) => expect(Math.abs((ours[i] ?? NaN) - value)).toBeLessThan(1e-6));
  });

  it('makes gray of colour by the mean, colour of gray by repeating', () => {
    const gray = resizeImages({ rows: 1, size: [1, 2, 3], pixels: Uint8Array.of(0, 30, 60, 255, 255, 255) }, [1, 2, 1]);
    expect([...gray]).toEqual([Math.fround(30 / 255), 1]);
    const colour = resizeImages({ rows: 1, size: [1, 2, 1], pixels: Float32Array.of(0.25, 0.5) }, [1, 2, 3]);
    expect([...colour]).toEqual([0.25, 0.25, 0.25, 0.5, 0.5, 0.5]);
  });

  it('refuses channels that it cannot make', () => {
    expect(() => resizeImages({ rows: 1, size: [1, 1, 3], pixels: new Uint8Array(3) }, [1, 1, 2])).toThrow(
      new RangeError('Cannot give images 2 channels: expected 1 or 3, as the data set has 3'),
    );
  });
});
