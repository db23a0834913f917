import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataSet } from '../data-sets/data-set.ts';
import { type FileBytes, type IdxPair, idxDataSet } from '../data-sets/idx-data-set.ts';

/** A data set read from files, and what the log should say of how. */
export interface ReadDataSet {
  readonly dataSet: DataSet;
  readonly messages: readonly string[];
}

/** `train-images-idx3-ubyte`, `train.images.idx3-ubyte`, `train-images.idx3-ubyte`, with or without `.gz`. */
const NAME = /^(?<part>.*?)[-._]?(?<content>images|labels)[-._]idx(?<axes>[13])[-._]ubyte(?<packed>\.gz)?$/;
const TEST_PART = /(?:t10k|test)$/;

interface IdxFile {
  readonly file: string;
  readonly part: string;
  readonly content: 'images' | 'labels';
  readonly packed: boolean;
}

/**
 * Reads a directory of MNIST-format IDX files: one pair of images and labels, or two, of which `t10k-...` or `test-...` is the test
 * part. Packed or not is told by content. Where a file is there in several forms one is taken, which the messages say.
 * @param name what the data set is called from then on.
 * @throws RangeError when the directory is missing or holds no pair, or more than can be told apart; SyntaxError for damaged files.
 */
export async function readDataDirectory(directory: string, { name }: { readonly name: string }): Promise<ReadDataSet> {
  const doing = `Cannot read data set ${name} from ${directory}`;
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new RangeError(
      `${doing}: expected a directory with files such as train-images-idx3-ubyte and train-labels-idx1-ubyte (or with .gz) but it can't be opened; check the path in --data ${name}=DIR`,
      { cause },
    );
  });
  const files = names.sort().flatMap((file): readonly IdxFile[] => {
    const groups = NAME.exec(file)?.groups;
    if (groups === undefined || groups['axes'] !== (groups['content'] === 'images' ? '3' : '1')) return [];
    const { part = '', content, packed } = groups;
    return [{ file, part, content: content === 'images' ? 'images' : 'labels', packed: packed !== undefined }];
  });
  const parts = [...new Set(files.map(({ part }) => part))];
  const messages: string[] = [];
  const one = (part: string, content: IdxFile['content']): string => {
    const forms = files
      .filter((file) => file.part === part && file.content === content)
      .sort((a, b) => Number(a.packed) - Number(b.packed));
    const [taken, ...others] = forms.map(({ file }) => file);
    if (taken === undefined)
      throw new RangeError(
        `${doing}: expected ${content} to go with part '${part}' but the directory has ${list(names)}; each images file needs its labels file and the other way round`,
      );
    if (others.length > 0)
      messages.push(`data set ${name}: ${directory} holds ${list([taken, ...others])}; ${taken} is taken`);
    return taken;
  };
  const pairs = parts.map((part) => ({ part, images: one(part, 'images'), labels: one(part, 'labels') }));
  const testPairs = pairs.filter(({ part }) => TEST_PART.test(part));
  const trainPairs = pairs.filter(({ part }) => !TEST_PART.test(part));
  const [first, second, ...more] = [...trainPairs, ...testPairs];
  if (first === undefined)
    throw new RangeError(
      `${doing}: expected files such as train-images-idx3-ubyte and train-labels-idx1-ubyte (or with .gz) but the directory has ${list(names)}`,
    );
  if (more.length > 0 || trainPairs.length > 1 || testPairs.length > 1)
    throw new RangeError(
      `${doing}: expected one pair of images and labels, or one to train on and a t10k or test one, but got the parts ${list(parts)}; put the others elsewhere`,
    );
  const read = async (file: string): Promise<FileBytes> => ({
    file: join(directory, file),
    bytes: new Uint8Array(await readFile(join(directory, file))),
  });
  const pairOf = async ({ images, labels }: { images: string; labels: string }): Promise<IdxPair> => ({
    images: await read(images),
    labels: await read(labels),
  });
  const dataSet = await idxDataSet({
    name,
    origin: `IDX files ${list([first, ...(second === undefined ? [] : [second])].map(({ images }) => images))}`,
    pair: await pairOf(first),
    ...(second === undefined ? {} : { testPair: await pairOf(second) }),
  });
  return { dataSet, messages };
}

function list(names: readonly string[]): string {
  if (names.length === 0) return 'nothing';
  const shown = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}
