/** Extents of an image: height, width, channels. */
export type ImageSize = readonly [height: number, width: number, channels: number];

/** Images in row-major order `[row, height, width, channel]`. */
export interface Images {
  readonly rows: number;
  readonly size: ImageSize;
  /** Values 0..255, or floats in [0, 1]. */
  readonly pixels: Uint8Array | Float32Array;
}

/**
 * Images as floats in [0, 1] at another size: a colour image becomes gray as the mean of its channels, a gray one colour by repeating
 * it; then bilinear interpolation between pixel centres, without anti-aliasing, edges repeated.
 * @throws RangeError when the number of channels can't be changed so: from and to must be equal, or one of them 1.
 */
export function resizeImages({ rows, size, pixels }: Images, to: ImageSize): Float32Array {
  const [height, width, channels] = to;
  const [fromHeight, fromWidth, fromChannels] = size;
  if (channels !== fromChannels && channels !== 1 && fromChannels !== 1)
    throw new RangeError(
      `Cannot give images ${channels} channels: expected 1${fromChannels === 1 ? '' : ` or ${fromChannels}`}, as the data set has ${fromChannels}`,
    );
  const scale = pixels instanceof Uint8Array ? 1 / 255 : 1;
  const out = new Float32Array(rows * height * width * channels);
  if (height === fromHeight && width === fromWidth && channels === fromChannels) {
    for (let i = 0; i < out.length; i += 1) out[i] = pixels[i]! * scale;
    return out;
  }
  const ys = samples(fromHeight, height);
  const xs = samples(fromWidth, width);
  const meanOf = channels === 1 ? fromChannels : 1;
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    const image = row * fromHeight * fromWidth * fromChannels;
    /** A channel of a source pixel, or the mean of all. */
    const pixel = (y: number, x: number, channel: number): number => {
      const start = image + (y * fromWidth + x) * fromChannels + (fromChannels === 1 ? 0 : channel);
      let sum = 0;
      for (let c = 0; c < meanOf; c += 1) sum += pixels[start + c] ?? 0;
      return (sum / meanOf) * scale;
    };
    for (const y of ys)
      for (const x of xs)
        for (let channel = 0; channel < channels; channel += 1) {
          const above = pixel(y.low, x.low, channel) * (1 - x.fraction) + pixel(y.low, x.high, channel) * x.fraction;
          const below = pixel(y.high, x.low, channel) * (1 - x.fraction) + pixel(y.high, x.high, channel) * x.fraction;
          out[at] = above * (1 - y.fraction) + below * y.fraction;
          at += 1;
        }
  }
  return out;
}

/** Where each of `to` pixel centres falls among `from`: the pixels on both sides, and how far it is to the second. */
function samples(
  from: number,
  to: number,
): readonly { readonly low: number; readonly high: number; readonly fraction: number }[] {
  return Array.from({ length: to }, (_, index) => {
    const centre = Math.max(0, ((index + 0.5) * from) / to - 0.5);
    const low = Math.min(from - 1, Math.floor(centre));
    return { low, high: Math.min(from - 1, low + 1), fraction: centre - low };
  });
}
