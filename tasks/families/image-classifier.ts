import type { OptionsOf } from '../../lopt/options.ts';
import type { Task } from '../task.ts';
import { type DenseShape, applyDense, denseNoise, denseSpecs, initDense, param } from './dense.ts';
import type { TaskContext } from './family.ts';
import { type IMAGE_OPTIONS, findDataSet, flatImages, imageTaskData } from './image-data.ts';
import { boundedLoss, crossEntropy } from './losses.ts';

/** Above this multiple of ln(classes), the loss of guessing, all losses count the same. */
const WORST = 1.5;

/** What a family adds to the options of images: the network between pixels and classes. */
type Network = Omit<DenseShape, 'inputs' | 'outputs'>;

/** Images classified by dense layers: cross entropy, accuracy beside it. `options` are already read. */
export function imageClassifier(
  name: string,
  options: OptionsOf<typeof IMAGE_OPTIONS> & Network,
  context: TaskContext,
): Task {
  const dataSet = findDataSet(options.data, context, `create task ${name}`);
  const pixels = options.image.reduce((product, extent) => product * extent, 1);
  const { classes } = dataSet;
  const { hidden, activation, norm } = options;
  const shape: DenseShape = { inputs: pixels, hidden, outputs: classes, activation, norm };
  const specs = denseSpecs(shape);
  return {
    name,
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
}
