import { type GivenOptions, isRecord, valueText } from '../lopt/options.ts';
import type { DataSet } from './data-sets/data-set.ts';
import type { TaskFamily } from './families/family.ts';
import { imageAutoencoder } from './families/image-autoencoder.ts';
import { imageMlp } from './families/image-mlp.ts';
import { quadratic } from './families/quadratic.ts';
import { softmaxRegression } from './families/softmax-regression.ts';
import type { Task } from './task.ts';

/** Families of tasks by name. */
export const TASK_FAMILIES: ReadonlyMap<string, TaskFamily> = new Map(
  [quadratic, softmaxRegression, imageMlp, imageAutoencoder].map((family) => [family.name, family]),
);

/**
 * A task by family and options.
 * @param given the family's options; what is left out has its default.
 * @throws RangeError for an unknown family, option or data set; TypeError for an option of the wrong kind.
 */
export function createTask(
  name: string,
  given: GivenOptions = {},
  { dataSets = new Map() }: { readonly dataSets?: ReadonlyMap<string, DataSet> } = {},
): Task {
  const family = TASK_FAMILIES.get(name);
  if (family === undefined)
    throw new RangeError(`Cannot create task ${name}: expected one of ${[...TASK_FAMILIES.keys()].join(', ')}`);
  if (!isRecord(given))
    throw new TypeError(`Cannot create task ${name}: expected options as an object but got ${valueText(given)}`);
  return family.task(given, { dataSets });
}
