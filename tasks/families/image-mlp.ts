import { logUniformInteger } from '../../jit/random/draws.ts';
import { fold } from '../../jit/random/key.ts';
import { integerOption, listOption, readOptions } from '../../lopt/options.ts';
import { ACTIVATIONS } from './activations.ts';
import { LAYER_OPTIONS } from './dense.ts';
import type { TaskFamily } from './family.ts';
import { imageClassifier } from './image-classifier.ts';
import { IMAGE_OPTIONS } from './image-data.ts';
import { pick } from './pick.ts';

const OPTIONS = {
  ...IMAGE_OPTIONS,
  hidden: listOption({
    default: [32],
    element: integerOption({ default: 32, min: 1, meaning: 'width' }),
    meaning: 'width of each hidden layer',
  }),
  ...LAYER_OPTIONS,
};

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
  task: (given, context) =>
    imageClassifier('image-mlp', readOptions(OPTIONS, given, { doing: 'create task image-mlp' }), context),
};
