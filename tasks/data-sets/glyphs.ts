import { uniform } from '../../jit/random/draws.ts';
import { type Key, fold, rootKey } from '../../jit/random/key.ts';
import { type DataSet, sizedDataSet } from './data-set.ts';
import { GLYPHS, type Point, type Stroke } from './glyph-strokes.ts';
import { GLYPH_STYLES, type GlyphStyle, type Range } from './glyph-styles.ts';
import type { ImageSize } from './resize.ts';

/**
 * The procedural image set: ten glyph classes of straight strokes under a random affine map, thickness, unsteadiness, brightness and
 * noise. Everything is a function of a key, in steps that round the same way everywhere, so that the pixels are the same bytes on
 * every machine. The geometry of an image doesn't depend on the size at which it is drawn.
 */

/** Images of each procedural data set. */
const ROWS = 5000;

/** A procedural data set of a style, drawn at whatever size is asked for. */
export function glyphDataSet(
  name: string,
  { style, key, rows = ROWS }: { readonly style: GlyphStyle; readonly key: Key; readonly rows?: number },
): DataSet {
  const labels = Int32Array.from({ length: rows }, (_, row) => row % GLYPHS.length);
  const origin = `procedural glyphs: ${style.summary}`;
  // Drawn at any size, they have no pixels of their own: the name says which they are.
  const fingerprint = (): Promise<string> => Promise.resolve(`procedural ${name}`);
  return sizedDataSet({ name, classes: GLYPHS.length, origin, fingerprint }, (size) => ({
    images: {
      shape: [rows, ...size],
      dtype: 'float32',
      data: drawGlyphs({ style, key, labels, size }),
    },
    labels: { shape: [rows], dtype: 'int32', data: labels },
    testRows: 0,
  }));
}

/** The built-in style of a name, with the key that belongs to it. */
export function builtInGlyphs(name: keyof typeof GLYPH_STYLES): DataSet {
  return glyphDataSet(name, { style: GLYPH_STYLES[name], key: fold(rootKey('glyphs'), name) });
}

/**
 * Draws one image for each label: float32 `[row, height, width, channel]`, multiples of 1/255 in [0, 1].
 * @param labels classes 0 to 9.
 */
export function drawGlyphs({
  style,
  key,
  labels,
  size,
}: {
  readonly style: GlyphStyle;
  readonly key: Key;
  readonly labels: Int32Array;
  readonly size: ImageSize;
}): Float32Array {
  const [height, width, channels] = size;
  const pixels = height * width;
  const out = new Float32Array(labels.length * pixels * channels);
  const coverage = new Float64Array(pixels);
  labels.forEach((label, row) => {
    const image = fold(key, row);
    const next = drawer(image);
    const strokes = placedStrokes(GLYPHS[label]?.strokes ?? [], style, next);
    const pen = { thickness: next(style.thickness), profile: style.profile };
    cover(coverage, strokes, { ...pen, height, width });
    paint(out.subarray(row * pixels * channels, (row + 1) * pixels * channels), coverage, { style, size, next, image });
  });
  return out;
}

type Draw = (range: Range) => number;

const DRAWN_TOGETHER = 64;

/** Draws of one image, in the order in which they are asked for. */
function drawer(image: Key): Draw {
  const key = fold(image, 'shape');
  let draws: Float32Array = new Float32Array();
  let at = 0;
  return ([min, max]) => {
    if (at % DRAWN_TOGETHER === 0) draws = uniform(key, DRAWN_TOGETHER, { first: at });
    at += 1;
    return min + (max - min) * draws[(at - 1) % DRAWN_TOGETHER]!;
  };
}

function placedStrokes(strokes: readonly Stroke[], style: GlyphStyle, next: Draw): readonly Stroke[] {
  const either = (most: number): number => next([-most, most]);
  // The cosine and sine of an angle are rational in the tangent of its half.
  const t = either(style.rotation);
  const cosine = (1 - t * t) / (1 + t * t);
  const sine = (2 * t) / (1 + t * t);
  const [scaleX, scaleY, shear] = [next(style.scale), next(style.scale), either(style.shear)];
  const [shiftX, shiftY] = [either(style.shift), either(style.shift)];
  const place = ([x, y]: Point): Point => {
    const sheared = x * scaleX + y * scaleY * shear;
    const stretched = y * scaleY;
    return [cosine * sheared - sine * stretched + shiftX, sine * sheared + cosine * stretched + shiftY];
  };
  const wobbled = ([x, y]: Point): Point => [x + either(style.wobble), y + either(style.wobble)];
  const passes = Array.from({ length: style.passes }, () =>
    strokes.map(([from, to]): Stroke => [place(wobbled(from)), place(wobbled(to))]),
  );
  const stray = Array.from({ length: style.clutter }, (): Stroke => {
    const [x, y] = [either(1), either(1)];
    return [
      [x, y],
      [x + either(0.35), y + either(0.35)],
    ];
  });
  return [...passes.flat(), ...stray];
}

/** How much of each pixel is inked, from the distance of its centre to the nearest stroke. */
function cover(
  coverage: Float64Array,
  strokes: readonly Stroke[],
  {
    height,
    width,
    thickness,
    profile,
  }: {
    readonly height: number;
    readonly width: number;
    readonly thickness: number;
    readonly profile: GlyphStyle['profile'];
  },
): void {
  const pixel = 2 / Math.max(height, width);
  const pitch = 2.8 * thickness;
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const [px, py] = [((x + 0.5) * 2) / width - 1, ((y + 0.5) * 2) / height - 1];
      let nearest = Infinity;
      for (const [[ax, ay], [bx, by]] of strokes) {
        const [dx, dy] = [bx - ax, by - ay];
        const length = dx * dx + dy * dy;
        let along = length === 0 ? 0 : Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / length));
        if (profile === 'dotted') {
          const dots = Math.max(1, Math.floor(Math.sqrt(length) / pitch));
          along = Math.floor(along * dots + 0.5) / dots;
        }
        const [ex, ey] = [px - ax - along * dx, py - ay - along * dy];
        nearest = Math.min(nearest, ex * ex + ey * ey);
      }
      const distance = Math.sqrt(nearest);
      const inside = (edge: number): number => Math.min(1, Math.max(0, (edge - distance) / pixel + 0.5));
      coverage[y * width + x] =
        profile === 'outline' ? inside(thickness) - inside(thickness - 0.16) : inside(thickness);
    }
}

function paint(
  out: Float32Array,
  coverage: Float64Array,
  {
    style,
    size: [height, width, channels],
    next,
    image,
  }: { readonly style: GlyphStyle; readonly size: ImageSize; readonly next: Draw; readonly image: Key },
): void {
  const [slopeX, slopeY] = [next([-1, 1]), next([-1, 1])];
  const inverted = next([0, 1]) < style.inversion;
  const tints = Array.from({ length: channels }, () => ({
    ink: next(style.ink) * (channels === 1 ? 1 : next([0.6, 1])),
    ground: next(style.ground) * (channels === 1 ? 1 : next([0.4, 1])),
  }));
  const noise = uniform(fold(image, 'noise', height, width), coverage.length);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      const shade = style.gradient * ((slopeX * (x + 0.5)) / width + (slopeY * (y + 0.5)) / height);
      const covered = coverage[at] ?? 0;
      tints.forEach(({ ink, ground }, channel) => {
        const behind = ground + shade;
        const level = behind + (ink - behind) * covered + style.noise * (2 * (noise[at] ?? 0) - 1);
        const shown = Math.min(1, Math.max(0, inverted ? 1 - level : level));
        out[at * channels + channel] = Math.floor(shown * 255 + 0.5) / 255;
      });
    }
}
