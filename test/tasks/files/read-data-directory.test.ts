import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rootKey } from '../../../jit/random/key.ts';
import { batchRows } from '../../../tasks/batches.ts';
import type { DataSet } from '../../../tasks/data-sets/data-set.ts';
import { loadDataSets, shippedFile } from '../../../tasks/files/load-data-sets.ts';
import { readDataDirectory } from '../../../tasks/files/read-data-directory.ts';
import { createTask } from '../../../tasks/registry.ts';

let root = '';
let images: Buffer;
let labels: Buffer;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lopt-data-'));
  const shipped = shippedFile('tasks/data/digits');
  images = await readFile(join(shipped, 'digits-images-idx3-ubyte.gz'));
  labels = await readFile(join(shipped, 'digits-labels-idx1-ubyte.gz'));
});

afterAll(async () => {
  await rm(root, { recursive: true });
});

async function directory(name: string, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const path = join(root, name);
  await mkdir(path);
  await Promise.all(Object.entries(files).map(([file, bytes]) => writeFile(join(path, file), bytes)));
  return path;
}

/** Digest of the first batch's images. */
function firstBatch(dataSet: DataSet): string {
  const { data } = createTask('image-mlp', { data: 'x' }, { dataSets: new Map([['x', dataSet]]) });
  const pixels = data!.resident.get('images')!.data as Float32Array;
  const hash = createHash('sha256');
  for (const row of batchRows(data!, { split: 'train', key: rootKey(1), index: 0 }))
    hash.update(Float32Array.from(pixels.subarray(row * 64, (row + 1) * 64)));
  return hash.digest('hex');
}

async function message(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
  );
}

describe('the shipped digits', () => {
  it('are all there, with their attribution', async () => {
    const { dataSets, messages } = await loadDataSets();
    const { images, labels } = dataSets.get('digits')!.at([8, 8, 1]);
    expect(images.shape).toEqual([1797, 8, 8, 1]);
    expect(messages).toEqual([]);
    const counts = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (const label of labels.data) counts[label] = (counts[label] ?? 0) + 1;
    // As in the data set's documentation.
    expect(counts).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    // The first digit, a 0, whose first row of pixels is 0 0 5 13 9 1 0 0 of 16.
    expect([...images.data.subarray(0, 8)].map((value) => Math.round(value * 16))).toEqual([0, 0, 5, 13, 9, 1, 0, 0]);
    expect(labels.data[0]).toBe(0);
    const attribution = await readFile(shippedFile('tasks/data/digits/ATTRIBUTION.md'), 'utf8');
    expect(attribution).toContain('E. Alpaydin and C. Kaynak');
    expect(attribution).toContain('10.24432/C50P49');
    expect(attribution).toContain('CC BY 4.0');
  });
});

describe('readDataDirectory', () => {
  it('tells packed files by content, whatever their names', async () => {
    const original = firstBatch((await loadDataSets()).dataSets.get('digits')!);
    const [plainImages, plainLabels] = [gunzipSync(images), gunzipSync(labels)];
    const forms = [
      { 'digits-images-idx3-ubyte': images, 'digits-labels-idx1-ubyte': labels },
      { 'digits-images-idx3-ubyte.gz': plainImages, 'digits-labels-idx1-ubyte.gz': plainLabels },
      { 'train.images.idx3-ubyte': plainImages, 'train.labels.idx1-ubyte': plainLabels },
      { 'train-images.idx3-ubyte': plainImages, 'train-labels.idx1-ubyte': labels },
      { 't10k-images-idx3-ubyte.gz': images, 't10k-labels-idx1-ubyte.gz': labels, 'README.md': new Uint8Array() },
    ];
    for (const [index, files] of forms.entries()) {
      const { dataSet, messages } = await readDataDirectory(await directory(`form ${index}`, files), { name: 'x' });
      expect(firstBatch(dataSet)).toBe(original);
      expect(messages).toEqual([]);
    }
  });

  it('takes one of several forms and says which', async () => {
    const path = await directory('both', {
      'train-images-idx3-ubyte.gz': images,
      'train-images-idx3-ubyte': gunzipSync(images),
      'train-labels-idx1-ubyte.gz': labels,
    });
    expect((await readDataDirectory(path, { name: 'x' })).messages).toEqual([
      `data set x: ${path} holds train-images-idx3-ubyte, train-images-idx3-ubyte.gz; train-images-idx3-ubyte is taken`,
    ]);
  });

  it('keeps a t10k pair beside a train pair as the test split', async () => {
    const path = await directory('pairs', {
      'train-images-idx3-ubyte.gz': images,
      'train-labels-idx1-ubyte.gz': labels,
      't10k-images-idx3-ubyte.gz': images,
      't10k-labels-idx1-ubyte.gz': labels,
    });
    const { dataSet } = await readDataDirectory(path, { name: 'x' });
    const { data } = createTask('image-mlp', { data: 'x' }, { dataSets: new Map([['x', dataSet]]) });
    expect(data!.size('test')).toBe(1797);
    expect(data!.size('train')).toBe(1439);
    expect(data!.row('test', 0)).toBe(1797);
  });

  it('refuses what it cannot use', async () => {
    const missing = join(root, 'nowhere');
    expect(await message(readDataDirectory(missing, { name: 'mnist' }))).toBe(
      `RangeError: Cannot read data set mnist from ${missing}: expected a directory with files such as train-images-idx3-ubyte and train-labels-idx1-ubyte (or with .gz) but it can't be opened; check the path in --data mnist=DIR`,
    );
    const empty = await directory('empty', { 'notes.txt': new Uint8Array() });
    expect(await message(readDataDirectory(empty, { name: 'x' }))).toBe(
      `RangeError: Cannot read data set x from ${empty}: expected files such as train-images-idx3-ubyte and train-labels-idx1-ubyte (or with .gz) but the directory has notes.txt`,
    );
    const half = await directory('half', { 'train-images-idx3-ubyte.gz': images });
    expect(await message(readDataDirectory(half, { name: 'x' }))).toBe(
      `RangeError: Cannot read data set x from ${half}: expected labels to go with part 'train' but the directory has train-images-idx3-ubyte.gz; each images file needs its labels file and the other way round`,
    );
    const several = await directory('several', {
      'a-images-idx3-ubyte': images,
      'a-labels-idx1-ubyte': labels,
      'b-images-idx3-ubyte': images,
      'b-labels-idx1-ubyte': labels,
    });
    expect(await message(readDataDirectory(several, { name: 'x' }))).toBe(
      `RangeError: Cannot read data set x from ${several}: expected one pair of images and labels, or one to train on and a t10k or test one, but got the parts a, b; put the others elsewhere`,
    );
    const truncated = await directory('truncated', {
      'train-images-idx3-ubyte': gunzipSync(images).subarray(0, 1000),
      'train-labels-idx1-ubyte': labels,
    });
    expect(await message(readDataDirectory(truncated, { name: 'x' }))).toBe(
      `SyntaxError: Cannot read ${join(truncated, 'train-images-idx3-ubyte')}: expected 115008 bytes after the header (1797 x 8 x 8) but got 984: the file is truncated, fetch it again`,
    );
    const uneven = await directory('uneven', {
      'train-images-idx3-ubyte': images,
      'train-labels-idx1-ubyte': Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 2),
    });
    expect(await message(readDataDirectory(uneven, { name: 'x' }))).toBe(
      `RangeError: Cannot use ${join(uneven, 'train-labels-idx1-ubyte')} with ${join(uneven, 'train-images-idx3-ubyte')}: expected 1797 labels, one for each image, but got 2`,
    );
  });
});

describe('MNIST', () => {
  const path = fileURLToPath(new URL('../../../../shared/data/mnist', import.meta.url));
  const there = existsSync(path);
  if (!there) console.log('skipped: MNIST is not at ../shared/data/mnist');
  it.skipIf(!there && process.env['LOPT_REQUIRE_FIXTURES'] !== '1')('is read from its directory', async () => {
    const { dataSets } = await loadDataSets(new Map([['mnist', path]]));
    const { images, labels } = dataSets.get('mnist')!.at([28, 28, 1]);
    expect(images.shape).toEqual([10_000, 28, 28, 1]);
    // The first labels of the t10k file.
    expect([...labels.data.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    expect([...dataSets.keys()]).toEqual(['digits', 'mnist']);
  });
});
