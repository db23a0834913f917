import type { HostArray } from '../../jit/graph/graph.ts';
import { imageFingerprint } from './fingerprint.ts';
import { type ImageSize, type Images, resizeImages } from './resize.ts';

/** Labelled images, ready to stay on an engine. */
export interface LabelledImages {
  /** float32 `[row, height, width, channel]` in [0, 1]. */
  readonly images: HostArray;
  /** int32 `[row]`, from 0 to classes - 1. */
  readonly labels: HostArray;
  /** How many of the last rows are a test part of their own; 0 where there is none. */
  readonly testRows: number;
}

/** A data set of labelled images, which gives them at the size that a task wants. */
export interface DataSet {
  readonly name: string;
  readonly classes: number;
  /** Where it comes from, in a line. */
  readonly origin: string;
  /** The same for the same images and labels, whatever they are called. */
  fingerprint(): Promise<string>;
  /** The images at a size; the same arrays whenever the size is the same. */
  at(size: ImageSize): LabelledImages;
}

/** What a user's own arrays must be. */
export interface GivenImages extends Images {
  readonly name: string;
  /** Class of each row, from 0 to classes - 1. */
  readonly labels: ArrayLike<number>;
  /** Default: the largest label plus one. */
  readonly classes?: number;
  /** Default: 'arrays'. */
  readonly origin?: string;
  /** How many of the last rows are kept for the test split. Default 0: a tenth of all rows. */
  readonly testRows?: number;
}

/**
 * A data set from arrays.
 * @example imageDataSet({ name: 'mine', rows: 1000, size: [8, 8, 1], pixels, labels })
 * @throws TypeError when pixels are of another kind; RangeError when lengths don't fit, a float lies outside [0, 1] or a label is no class.
 */
export function imageDataSet(given: GivenImages): DataSet {
  const { name, rows, size, pixels, origin = 'arrays', testRows = 0 } = given;
  const fail = (expected: string, got: string): never => {
    throw new RangeError(`Cannot make data set ${name}: expected ${expected} but got ${got}`);
  };
  if (!(pixels instanceof Uint8Array || pixels instanceof Float32Array))
    throw new TypeError(
      `Cannot make data set ${name}: expected pixels as Uint8Array (0 to 255) or Float32Array (0 to 1) but got ${typeof pixels}`,
    );
  const count = size.reduce((product, extent) => product * extent, rows);
  if (pixels.length !== count) fail(`${count} pixels (${[rows, ...size].join(' x ')})`, `${pixels.length}`);
  if (given.labels.length !== rows) fail(`a label for each of ${rows} images`, `${given.labels.length} labels`);
  if (pixels instanceof Float32Array) {
    const outside = pixels.findIndex((value) => !(value >= 0 && value <= 1));
    if (outside >= 0) fail('every float pixel from 0 to 1', `${pixels[outside]} at ${outside}`);
  }
  const labels = Int32Array.from(given.labels);
  const classes = given.classes ?? labels.reduce((most, label) => Math.max(most, label), 1) + 1;
  const wrong = Array.from(given.labels).findIndex(
    (label) => !Number.isInteger(label) || label < 0 || label >= classes,
  );
  if (wrong >= 0) fail(`labels from 0 to ${classes - 1}`, `${given.labels[wrong]} at row ${wrong}`);
  if (testRows < 0 || testRows >= rows) fail('a test part smaller than the data set', `${testRows} of ${rows} rows`);
  let print: Promise<string> | undefined;
  const fingerprint = (): Promise<string> => (print ??= imageFingerprint({ rows, size, pixels }, labels));
  return sizedDataSet({ name, classes, origin, fingerprint }, (to) => ({
    images: { shape: [rows, ...to], dtype: 'float32', data: resizeImages({ rows, size, pixels }, to) },
    labels: { shape: [rows], dtype: 'int32', data: labels },
    testRows,
  }));
}

/** A data set whose images are made when a size is first asked for. */
export function sizedDataSet(about: Omit<DataSet, 'at'>, make: (size: ImageSize) => LabelledImages): DataSet {
  const made = new Map<string, LabelledImages>();
  return {
    ...about,
    at: (size) => {
      const key = size.join('x');
      const images = made.get(key) ?? make(size);
      made.set(key, images);
      return images;
    },
  };
}
