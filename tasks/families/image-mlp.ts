import { logUniformInteger } from '../../jit/random/draws.ts';
import { fold } from '../../jit/random/key.ts';
import { choiceOption, integerOption, listOption, readOptions } from '../../lopt/options.ts';
import { ACTIVATIONS } from './activations.ts';
import { type DenseShape, applyDense, denseNoise, denseSpecs, initDense, param } from './dense.ts';
import type { TaskFamily } from './family.ts';
import { IMAGE_OPTIONS, findDataSet, flatImages, imageTaskData } from './image-data.ts';
import { boundedLoss, crossEntropy } from './losses.ts';
import { pick } from './pick.ts';

const OPTIONS = {
  ...IMAGE_OPTIONS,
  hidden: listOption({
    default: [32],
    element: integerOption({ default: 32, min: 1, meaning: 'width' }),
    meaning: 'width of each hidden layer',
  }),
  activation: choiceOption({ default: 'relu', choices: ACTIVATIONS, meaning: 'function after each hidden layer' }),
  norm: choiceOption({
    default: 'none',
    choices: ['none', 'layer'],
    meaning: 'normalisation between the linear part of a hidden layer and its activation',
  }),
};

/** Above this multiple of ln(classes), the loss of guessing, all losses count the same. */
const WORST = 1.5;

/**
 * Images classified by dense layers; cross entropy. The default is one of the four tasks on which Celo is meta-trained.
 *
 * **Source** L. Metz et al., arXiv 2211.09760 (fixed image MLPs and the ImageMLP family); A. Moudgil et al., arXiv 2501.12670.
 * **Checked against** the same network in plain loops.
 * **Differs** in what `sampleShape` draws: the activation is one of ours and structural, there is one initialiser, images are of the
 * data set that `data` names.
 */
export const imageMlp: TaskFamily = {
  name: 'image-mlp',
  summary: 'images classified by a multi-layer perceptron',
  source: 'Metz et al. 2022, arXiv 2211.09760',
  options: OPTIONS,
  sampleShape: (key) => {
    const depth = pick(fold(key, 'depth'), [0, 1, 2, 3, 4]);
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
    const options = readOptions(OPTIONS, given, { doing: 'create task image-mlp' });
    const dataSet = findDataSet(options.data, context, 'create task image-mlp');
    const pixels = options.image.reduce((product, extent) => product * extent, 1);
    const { classes } = dataSet;
    const shape: DenseShape = {
      inputs: pixels,
      hidden: options.hidden,
      outputs: classes,
      activation: options.activation,
      norm: options.norm,
    };
    const specs = denseSpecs(shape);
    return {
      name: 'image-mlp',
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
