import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type Option, integerOption, listOption, textOption } from '../../lopt/options.ts';
import type { Tensors } from '../../lopt/optimizer.ts';
import type { DataSet } from '../data-sets/data-set.ts';
import { BUILT_IN_DATA_SETS } from '../data-sets/built-in.ts';
import type { ImageSize } from '../data-sets/resize.ts';
import { splitRows } from '../data-sets/splits.ts';
import type { TaskData } from '../task.ts';
import { param } from './dense.ts';
import type { TaskContext } from './family.ts';

/** Options of every family that learns from images. */
export const IMAGE_OPTIONS = {
  data: textOption({ default: 'digits', meaning: 'name of the data set' }),
  image: imageOption([8, 8, 1]),
  batchSize: integerOption({ default: 64, min: 1, meaning: 'examples in a batch' }),
};

/** Height, width and channels to which the data set's images are brought. */
function imageOption(size: ImageSize): Option<readonly number[]> {
  return listOption({
    default: size,
    length: 3,
    element: integerOption({ default: 1, min: 1, max: 1024, meaning: 'extent' }),
    meaning: 'height, width, channels of the images; the data set is resized, made gray or coloured to fit',
  });
}

/**
 * A data set by name.
 * @throws RangeError when it is neither among those given nor built in.
 */
export function findDataSet(name: string, { dataSets }: TaskContext, doing: string): DataSet {
  const found = dataSets.get(name) ?? BUILT_IN_DATA_SETS.get(name);
  if (found === undefined)
    throw new RangeError(
      `Cannot ${doing}: expected data set ${name} to be given or to be one of ${[...new Set([...dataSets.keys(), ...BUILT_IN_DATA_SETS.keys()])].join(', ')}; ` +
        `give it as --data ${name}=DIR, or in code among dataSets (loadDataSets reads directories, and the shipped digits)`,
    );
  return found;
}

/** Batches of images float32 `[batch, height, width, channel]` and labels int32 `[batch]`. */
export function imageTaskData(
  dataSet: DataSet,
  { image, batchSize }: { readonly image: readonly number[]; readonly batchSize: number },
): TaskData {
  const [height = 1, width = 1, channels = 1] = image;
  const { images, labels, testRows } = dataSet.at([height, width, channels]);
  const splits = splitRows({ rows: labels.data.length, testRows });
  return {
    dataSet: dataSet.name,
    source: dataSet,
    resident: new Map([
      ['images', images],
      ['labels', labels],
    ]),
    batchSize,
    size: splits.size,
    row: splits.row,
    batch: ({ resident, rows }) =>
      new Map([
        ['images', tf.gather(param(resident, 'images'), asIndices(rows))],
        ['labels', tf.gather(param(resident, 'labels'), asIndices(rows))],
      ]),
  };
}

/** Traced: the images of a batch as rows `[batch, pixel]`. */
export function flatImages(batch: Tensors, pixels: number): Tensor {
  return tf.reshape(param(batch, 'images'), [-1, pixels]);
}

function asIndices(rows: Tensor): tf.Tensor1D {
  return rows as tf.Tensor1D;
}
