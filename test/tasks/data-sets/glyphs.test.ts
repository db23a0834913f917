import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { rootKey } from '../../../jit/random/key.ts';
import { BUILT_IN_DATA_SETS } from '../../../tasks/data-sets/built-in.ts';
import { GLYPH_STYLES, RESERVED_STYLES } from '../../../tasks/data-sets/glyph-styles.ts';
import { drawGlyphs } from '../../../tasks/data-sets/glyphs.ts';
import { STAND_INS } from '../../../tasks/data-sets/resolve.ts';
import { createTask } from '../../../tasks/registry.ts';
import { plainAccuracy } from '../plain-training.ts';

const labels = Int32Array.from({ length: 30 }, (_, row) => row % 10);
const plain = GLYPH_STYLES['glyphs-plain'];

/** First digits of SHA-256 over the bytes of thirty images. */
const DIGESTS: Readonly<Record<string, string>> = {
  'glyphs-plain': '5bfc2efbd57fb582',
  'glyphs-bold': '9c39228df4621d55',
  'glyphs-sketch': 'ee08df166aebebf6',
  'glyphs-noisy': '006135f9f3e17fa1',
  'glyphs-shaded': 'b9412e0db5870e9f',
  'glyphs-outline': '81ebee0ce7a714e1',
  'glyphs-dotted': 'f90bce3edb66a4fd',
};

function digest(pixels: Float32Array): string {
  const bytes = Uint8Array.from(pixels, (value) => Math.round(value * 255));
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

describe('drawGlyphs', () => {
  it.each(Object.entries(GLYPH_STYLES))('draws the same bytes for the same key: %s', (name, style) => {
    const draw = (seed: number): Float32Array => drawGlyphs({ style, key: rootKey(seed), labels, size: [12, 10, 3] });
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(1).every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(digest(draw(1))).toBe(DIGESTS[name]);
  });

  it('draws an image from its row alone', () => {
    const all = drawGlyphs({ style: plain, key: rootKey(1), labels, size: [8, 8, 1] });
    const few = drawGlyphs({ style: plain, key: rootKey(1), labels: labels.subarray(0, 3), size: [8, 8, 1] });
    expect(all.subarray(0, 3 * 64)).toEqual(few);
  });

  it('draws the same glyphs at every size', () => {
    const quiet = { ...plain, noise: 0 };
    const small = drawGlyphs({ style: quiet, key: rootKey(1), labels, size: [16, 16, 1] });
    const large = drawGlyphs({ style: quiet, key: rootKey(1), labels, size: [32, 32, 1] });
    let difference = 0;
    for (let row = 0; row < labels.length; row += 1)
      for (let y = 0; y < 16; y += 1)
        for (let x = 0; x < 16; x += 1) {
          let mean = 0;
          for (const [dy, dx] of [
            [0, 0],
            [0, 1],
            [1, 0],
            [1, 1],
          ] as const)
            mean += large[(row * 32 + 2 * y + dy) * 32 + 2 * x + dx]! / 4;
          difference += Math.abs(mean - small[(row * 16 + y) * 16 + x]!);
        }
    // Averaging four pixels of a soft edge differs from the soft edge at half the resolution by a percent or so.
    expect(difference / small.length).toBeLessThan(0.02);
  });

  it('gives gray where there is one channel, colour where there are three', () => {
    const colour = drawGlyphs({ style: { ...plain, noise: 0 }, key: rootKey(1), labels, size: [8, 8, 3] });
    const tinted = labels.filter((_, row) =>
      colour
        .subarray(row * 192, (row + 1) * 192)
        .some((value, i, image) => Math.abs(value - image[i - (i % 3)]!) > 0.05),
    );
    expect(tinted.length).toBeGreaterThan(labels.length / 2);
  });
});

describe('built-in data sets', () => {
  it('have at least five styles that recipes may use', () => {
    const free = [...BUILT_IN_DATA_SETS.keys()].filter((name) => !RESERVED_STYLES.some((style) => style === name));
    expect(free.length).toBeGreaterThanOrEqual(5);
  });

  it('keep the reserved styles out of the stand-ins', () => {
    for (const standIn of STAND_INS.values()) expect(RESERVED_STYLES).not.toContain(standIn);
  });

  // All styles are tried, with tuned rates, in glyphs.long.test.ts.
  it('are learned by a network and not by a linear model: glyphs-sketch', () => {
    const { data } = createTask('image-mlp', { data: 'glyphs-sketch' });
    const accuracy = (hidden: readonly number[]): number =>
      plainAccuracy(data!, { hidden, classes: 10, rate: 0.03, steps: 500, key: rootKey(1) });
    const network = accuracy([32]);
    expect(network).toBeGreaterThan(0.85);
    expect(network).toBeLessThan(0.97);
    expect(network - accuracy([])).toBeGreaterThan(0.05);
  });
});
