import { logUniformInteger } from '../../jit/random/draws.ts';
import { fold } from '../../jit/random/key.ts';
import { readOptions } from '../../lopt/options.ts';
import { type DenseShape, applyDense, denseNoise, denseSpecs, initDense, param } from './dense.ts';
import type { TaskFamily } from './family.ts';
import { IMAGE_OPTIONS, findDataSet, flatImages, imageTaskData } from './image-data.ts';
import { boundedLoss, crossEntropy } from './losses.ts';

/** Above this multiple of ln(classes), the loss of guessing, all losses count the same. */
const WORST = 1.5;

/**
 * Images classified by one linear layer; cross entropy: a convex problem.
 *
 * **Source** the image MLPs of L. Metz et al., arXiv 2211.09760, without a hidden layer.
 * **Checked against** the same model in plain loops.
 */
export const softmaxRegression: TaskFamily = {
  name: 'softmax-regression',
  summary: 'images classified by one linear layer',
  source: 'Metz et al. 2022, arXiv 2211.09760 (no hidden layer)',
  options: IMAGE_OPTIONS,
  sampleShape: (key) => {
    const extent = logUniformInteger(fold(key, 'extent'), { min: 4, max: 32 });
    return {
      image: [extent, extent, 1],
      batchSize: logUniformInteger(fold(key, 'batch'), { min: 4, max: 512 }),
    };
  },
  task: (given, context) => {
    const doing = 'create task softmax-regression';
    const options = readOptions(IMAGE_OPTIONS, given, { doing });
    const dataSet = findDataSet(options.data, context, doing);
    const { classes } = dataSet;
    const pixels = options.image.reduce((product, extent) => product * extent, 1);
    const shape: DenseShape = { inputs: pixels, hidden: [], outputs: classes, activation: 'relu', norm: 'none' };
    const specs = denseSpecs(shape);
    return {
      name: 'softmax-regression',
      specs,
      noise: { init: denseNoise(specs) },
      dynamic: new Map(),
      sampleDynamic: () => new Map(),
      init: ({ noise }) => initDense(specs, noise),
      loss: ({ params, batch }) =>
        crossEntropy(applyDense(params, flatImages(batch, pixels), shape), param(batch, 'labels'), classes),
      normalize: (loss) => boundedLoss(loss, WORST * Math.log(classes)),
      data: imageTaskData(dataSet, options),
    };
  },
};
