import { fold, type Key } from '../jit/random/key.ts';
import type { Arrays } from '../lopt/optimizer.ts';
import { batchRows } from '../tasks/batches.ts';
import type { Split, Task } from '../tasks/task.ts';
import { planWindow, type Stream } from './plan.ts';
import type { EvaluationBatch, Unroll } from './unroll.ts';

export interface TrainingOptions {
  readonly unroll: Unroll;
  /** Every value of the optimizer, those that the unroll maps `[particle, ...]`. */
  readonly values: Arrays;
  /** A key for each seed: initial weights, dynamic config and batches follow from it and from nothing else. */
  readonly seedKeys: readonly Key[];
  /** Index of each particle's seed. */
  readonly seedOf: readonly number[];
  /** Inner steps to train, a multiple of the unroll's window; the optimizer is told this horizon. */
  readonly horizon: number;
  /** Fixed batches on which losses are measured. */
  readonly batches: readonly EvaluationBatch[];
  /** Measure after every window, or after the last step only. */
  readonly measure: 'every window' | 'end';
  /** Called after each window with the number of steps done. @throws what it likes: training stops there. */
  readonly onWindow?: (step: number) => Promise<void> | void;
}

export interface TrainingCurves {
  /** Steps at which was measured. */
  readonly steps: readonly number[];
  /** Mean over the evaluation batches by particle and point `[particle][point]`; NaN from where a training loss was not finite. */
  readonly losses: readonly (readonly number[])[];
  /** As `losses`, where the task has an accuracy. */
  readonly accuracies: readonly (readonly number[])[] | null;
  /** Training loss before each step `[particle][step]`. */
  readonly trainingLosses: readonly Float32Array[];
  /** Time spent in training windows, the first (which warms up) left out, by steps and particles; NaN of a single window. */
  readonly msPerStep: number;
}

/** Trains every particle from its seed's start to the horizon and measures it on the fixed batches. */
export async function trainingCurves(options: TrainingOptions): Promise<TrainingCurves> {
  const { unroll, values, seedOf, horizon, batches, measure, onWindow } = options;
  const { windowLength } = unroll;
  const windows = horizon / windowLength;
  if (!Number.isInteger(windows) || windows < 1)
    throw new RangeError(
      `Cannot train: expected a horizon that is a multiple of the window of ${windowLength} steps but got ${horizon}`,
    );
  const particles = seedOf.map(() => ({
    losses: [] as number[],
    accuracies: [] as number[],
    training: new Float32Array(horizon),
    finite: true,
  }));
  const steps: number[] = [];
  let state = unroll.emptyState();
  let trainingMs = 0;
  const measureAt = async (step: number): Promise<void> => {
    const measured = await unroll.evaluate({ values, state, batches });
    steps.push(step);
    particles.forEach((particle, index) => {
      const of = (name: string): number => particleMean(measured.get(name), { index, particles: particles.length });
      particle.losses.push(particle.finite ? of('loss') : Number.NaN);
      if (measured.has('accuracy')) particle.accuracies.push(particle.finite ? of('accuracy') : Number.NaN);
    });
  };
  try {
    for (let window = 0; window < windows; window++) {
      const plan = planWindow({
        task: unroll.task,
        inputs: unroll.inputs,
        windowLength,
        freshRows: unroll.freshRows,
        streams: options.seedKeys.map((key) => windowStream(key, { window, windowLength, horizon })),
        streamOf: seedOf,
      });
      const beganMs = performance.now();
      const result = await unroll.window({ values, state, plan });
      if (window > 0) trainingMs += performance.now() - beganMs;
      state = result.state;
      particles.forEach((particle, index) => {
        for (let step = 0; step < windowLength; step++) {
          const at = step * particles.length + index;
          particle.training[window * windowLength + step] = result.rawLosses[at]!;
          if (result.mask[at] === 0) particle.finite = false;
        }
      });
      const done = (window + 1) * windowLength;
      if (measure === 'every window' || window === windows - 1) await measureAt(done);
      await onWindow?.(done);
    }
  } finally {
    state.dispose();
  }
  return {
    steps,
    losses: particles.map(({ losses }) => losses),
    accuracies: particles[0]?.accuracies.length ? particles.map(({ accuracies }) => accuracies) : null,
    trainingLosses: particles.map(({ training }) => training),
    msPerStep: windows === 1 ? Number.NaN : trainingMs / ((windows - 1) * windowLength * particles.length),
  };
}

/** What a seed's key gives one window: the trajectory starts with the first. */
function windowStream(
  key: Key,
  {
    window,
    windowLength,
    horizon,
  }: { readonly window: number; readonly windowLength: number; readonly horizon: number },
): Stream {
  return {
    batches: { key: fold(key, 'batches'), first: window * windowLength },
    noise: fold(key, 'noise', window),
    resets: window === 0 ? [{ step: 0, horizon, key: fold(key, 'start') }] : [],
  };
}

/** Mean over batches of one particle's column of `[batch, particle]`. */
function particleMean(
  values: Float32Array | undefined,
  { index, particles }: { readonly index: number; readonly particles: number },
): number {
  if (values === undefined) return Number.NaN;
  const count = values.length / particles;
  let sum = 0;
  for (let batch = 0; batch < count; batch++) sum += values[batch * particles + index]!;
  return sum / count;
}

/** Rows of one evaluation batch: large, so that few calls are needed, and no more than a small data set has. */
const EVALUATION_ROWS = 256;

/**
 * Fixed batches of a split: at most `count`, fewer where the split has fewer rows. A task without data is measured under fixed noise.
 * @param options.split `test`, which is for reported numbers alone, unless another is given.
 * @throws RangeError when the split is empty.
 */
export function evaluationBatches(
  task: Task,
  { key, count, split = 'test' }: { readonly key: Key; readonly count: number; readonly split?: Split },
): EvaluationBatch[] {
  const { data } = task;
  const size = data?.size(split) ?? Number.POSITIVE_INFINITY;
  if (!(size > 0))
    throw new RangeError(
      `Cannot measure ${task.name}: expected at least one example in its split ${split} but data.size('${split}') is ${size}`,
    );
  const batchSize = Math.min(EVALUATION_ROWS, size);
  const batches = Math.min(count, Math.floor(size / batchSize));
  return Array.from({ length: batches }, (_, index): EvaluationBatch => {
    const noise = { key: fold(key, 'evaluation noise', index) };
    if (!data) return noise;
    const rows = batchRows({ ...data, batchSize }, { split, key: fold(key, 'evaluation'), index });
    return { ...noise, rows };
  });
}
