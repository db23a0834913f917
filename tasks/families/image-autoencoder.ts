import * as tf from '@tensorflow/tfjs-core';
import { logUniformInteger } from '../../jit/random/draws.ts';
import { fold } from '../../jit/random/key.ts';
import { integerOption, listOption, readOptions } from '../../lopt/options.ts';
import { ACTIVATIONS } from './activations.ts';
import { LAYER_OPTIONS, type DenseShape, applyDense, denseNoise, denseSpecs, initDense } from './dense.ts';
import type { TaskFamily } from './family.ts';
import { IMAGE_OPTIONS, findDataSet, flatImages, imageTaskData } from './image-data.ts';
import { boundedLoss } from './losses.ts';
import { pick } from './pick.ts';

const OPTIONS = {
  ...IMAGE_OPTIONS,
  hidden: listOption({
    default: [32, 8, 32],
    minLength: 1,
    element: integerOption({ default: 32, min: 1, meaning: 'width' }),
    meaning: 'width of each hidden layer, the narrow one in the middle included',
  }),
  ...LAYER_OPTIONS,
};

/** The normaliser's bound: above the loss of any image of pixels in [0, 1] and outputs in [0, 1]. */
const WORST = 1;

/**
 * Images put through a narrow layer and restored: sigmoid outputs, mean squared error over pixels.
 *
 * **Source** L. Metz et al., arXiv 2211.09760 (fixed auto-encoders and the ImageMLPAE family).
 * **Checked against** the same network in plain loops.
 * **Differs** in what `sampleShape` draws: squared error alone, images as they are, one initialiser.
 */
export const imageAutoencoder: TaskFamily = {
  name: 'image-autoencoder',
  summary: 'images restored by dense layers with a narrow one between',
  source: 'Metz et al. 2022, arXiv 2211.09760',
  options: OPTIONS,
  sampleShape: (key) => {
    const depth = pick(fold(key, 'depth'), [1, 2, 3, 4]);
    const width = logUniformInteger(fold(key, 'width'), { min: 8, max: 128 });
    const extent = logUniformInteger(fold(key, 'extent'), { min: 4, max: 32 });
    return {
      image: [extent, extent, 1],
      batchSize: logUniformInteger(fold(key, 'batch'), { min: 4, max: 512 }),
      hidden: Array.from({ length: depth }, () => width),
      activation: pick(fold(key, 'activation'), ACTIVATIONS),
    };
  },
  task: (given, context) => {
    const doing = 'create task image-autoencoder';
    const options = readOptions(OPTIONS, given, { doing });
    const dataSet = findDataSet(options.data, context, doing);
    const pixels = options.image.reduce((product, extent) => product * extent, 1);
    const shape: DenseShape = {
      inputs: pixels,
      hidden: options.hidden,
      outputs: pixels,
      activation: options.activation,
      norm: options.norm,
    };
    const specs = denseSpecs(shape);
    return {
      name: 'image-autoencoder',
      specs,
      noise: { init: denseNoise(specs) },
      dynamic: new Map(),
      sampleDynamic: () => new Map(),
      init: ({ noise }) => initDense(specs, noise),
      loss: ({ params, batch }) => {
        const images = flatImages(batch, pixels);
        const error = tf.sub(tf.sigmoid(applyDense(params, images, shape)), images);
        return { loss: tf.mean(tf.mul(error, error)) };
      },
      normalize: (loss) => boundedLoss(loss, WORST),
      data: imageTaskData(dataSet, options),
    };
  },
};
