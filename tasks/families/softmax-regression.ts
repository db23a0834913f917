import { logUniformInteger } from '../../jit/random/draws.ts';
import { fold } from '../../jit/random/key.ts';
import { readOptions } from '../../lopt/options.ts';
import type { TaskFamily } from './family.ts';
import { imageClassifier } from './image-classifier.ts';
import { IMAGE_OPTIONS } from './image-data.ts';

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
    const options = readOptions(IMAGE_OPTIONS, given, { doing: 'create task softmax-regression' });
    return imageClassifier('softmax-regression', { ...options, hidden: [], activation: 'relu', norm: 'none' }, context);
  },
};
