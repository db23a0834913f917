import { type DataSet, imageDataSet } from './data-set.ts';
import { unpack } from './gzip.ts';
import { parseIdx } from './idx.ts';

/** Bytes of a file, and what to call it in errors. */
export interface FileBytes {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Images and labels that belong together. */
export interface IdxPair {
  readonly images: FileBytes;
  readonly labels: FileBytes;
}

/**
 * A data set from IDX files, gzip or not (the content decides): one pair, or one to train on and one to test on.
 * @throws SyntaxError when a file is damaged or of another kind; RangeError when files don't fit together.
 */
export async function idxDataSet({
  name,
  origin,
  pair,
  testPair,
}: {
  readonly name: string;
  readonly origin: string;
  readonly pair: IdxPair;
  readonly testPair?: IdxPair;
}): Promise<DataSet> {
  const main = await readPair(pair);
  const test = testPair === undefined ? undefined : await readPair(testPair);
  if (test !== undefined && (test.height !== main.height || test.width !== main.width))
    throw new RangeError(
      `Cannot use ${testPair?.images.file ?? ''} beside ${pair.images.file}: expected images of ${main.height} x ${main.width} but got ${test.height} x ${test.width}`,
    );
  return imageDataSet({
    name,
    origin,
    rows: main.rows + (test?.rows ?? 0),
    size: [main.height, main.width, 1],
    pixels: joined(main.pixels, test?.pixels),
    labels: joined(main.labels, test?.labels),
    testRows: test?.rows ?? 0,
  });
}

async function readPair({ images, labels }: IdxPair): Promise<{
  readonly rows: number;
  readonly height: number;
  readonly width: number;
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}> {
  const { shape, data } = parseIdx(await unpack(images.bytes, images), { axes: 3, file: images.file });
  const named = parseIdx(await unpack(labels.bytes, labels), { axes: 1, file: labels.file });
  const [rows = 0, height = 0, width = 0] = shape;
  if (named.data.length !== rows)
    throw new RangeError(
      `Cannot use ${labels.file} with ${images.file}: expected ${rows} labels, one for each image, but got ${named.data.length}`,
    );
  return { rows, height, width, pixels: data, labels: named.data };
}

function joined(first: Uint8Array, second?: Uint8Array): Uint8Array {
  if (second === undefined) return first;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
