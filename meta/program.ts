import type { ValueType } from '../jit/graph/graph.ts';
import type { Group } from '../jit/trace/structure.ts';
import type { NoiseSpec, Optimizer } from '../lopt/optimizer.ts';
import type { Task } from '../tasks/task.ts';

/**
 * Splits whose losses theta can be trained on: those of the inner training batches, or of other examples, which an optimizer that
 * overfits does badly on. A task without data has the training loss alone.
 */
export const META_LOSS_SPLITS = ['train', 'outerValid'] as const;
export type MetaLossSplit = (typeof META_LOSS_SPLITS)[number];

/** Types of everything that enters an unroll besides values and state, of one particle and one step. */
export interface StepInputs {
  /** Examples in a batch; undefined where the task has no data. */
  readonly batchSize: number | undefined;
  /** Whether the optimizer wants the loss on a validation batch. */
  readonly validLoss: boolean;
  /** Where the losses come from that the meta-loss is made of. */
  readonly metaLoss: MetaLossSplit;
  /** Noise of each step, by `loss/<name>`, `batch/<name>`, `optimizer/<name>`. */
  readonly noise: Group<NoiseInput>;
  /** Noise of each trajectory's start, by `task/<name>`, `optimizer/<name>`. */
  readonly freshNoise: Group<NoiseInput>;
  /** Dynamic config of each trajectory. */
  readonly dynamic: Group<ValueType>;
}

/** One tensor of random numbers that a program takes. */
export interface NoiseInput {
  readonly kind: NoiseSpec['kind'];
  readonly shape: readonly number[];
}

/**
 * What an unroll of this task by this optimizer takes.
 * @throws RangeError when the optimizer needs something that unrolls don't give.
 */
export function stepInputs(task: Task, optimizer: Optimizer, metaLoss: MetaLossSplit = 'train'): StepInputs {
  const noise = new Map<string, NoiseInput>();
  const freshNoise = new Map<string, NoiseInput>();
  const add = (into: Map<string, NoiseInput>, prefix: string, group: Group<NoiseSpec> | undefined): void => {
    for (const [name, { kind, shape }] of group ?? []) {
      if (shape !== 'params') into.set(`${prefix}/${name}`, { kind, shape });
      else for (const [path, spec] of task.specs) into.set(`${prefix}/${name}/${path}`, { kind, shape: spec.shape });
    }
  };
  add(freshNoise, 'task', task.noise.init);
  add(noise, 'loss', task.noise.loss);
  add(noise, 'batch', task.noise.batch);
  let validLoss = false;
  for (const need of optimizer.needs) {
    if (typeof need === 'object')
      add(need.for === 'init' ? freshNoise : noise, 'optimizer', new Map([[need.name, need.noise]]));
    else if (need === 'validLoss') validLoss = true;
    else if (need !== 'loss' && need !== 'horizon')
      throw new RangeError(
        `Cannot unroll ${optimizer.name}: expected an optimizer that needs loss, validLoss, horizon or noise but it needs ${need}`,
      );
  }
  return { batchSize: task.data?.batchSize, validLoss, metaLoss, noise, freshNoise, dynamic: task.dynamic };
}
