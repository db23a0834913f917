import type { HostArray } from '../jit/graph/graph.ts';
import { groupOf } from '../jit/trace/structure.ts';
import type { Learner, MetaState } from './meta-step.ts';

/** The moving meta-loss, and the best checkpoint by it. */
export interface Progress {
  /** Moving mean of the meta-loss, without the bias of its start; null before the first step with a meta-loss. */
  readonly smoothedMetaLoss: number | null;
  /** Steps that the moving mean has seen. */
  readonly seen: number;
  /** Outer steps done at the best checkpoint, and its moving meta-loss; null before the first checkpoint. */
  readonly best: { readonly step: number; readonly smoothedMetaLoss: number } | null;
}

export const NO_PROGRESS: Progress = { smoothedMetaLoss: null, seen: 0, best: null };

/** Progress after a step's meta-loss. A meta-loss that isn't finite doesn't enter the mean. */
export function advanceProgress(progress: Progress, metaLoss: number, { smoothing }: { smoothing: number }): Progress {
  if (!Number.isFinite(metaLoss)) return progress;
  const { smoothedMetaLoss, seen } = progress;
  // The mean of the first values, then one that forgets: a weight of 1 / n until that falls to 1 - smoothing.
  const weight = Math.max(1 - smoothing, 1 / (seen + 1));
  return {
    ...progress,
    smoothedMetaLoss: smoothedMetaLoss === null ? metaLoss : smoothedMetaLoss + weight * (metaLoss - smoothedMetaLoss),
    seen: seen + 1,
  };
}

/** Progress when a checkpoint is written after `step` outer steps: it is the best if its moving meta-loss is below the best's. */
export function considerBest(progress: Progress, step: number): Progress {
  const { smoothedMetaLoss, best } = progress;
  if (smoothedMetaLoss === null || (best !== null && smoothedMetaLoss >= best.smoothedMetaLoss)) return progress;
  return { ...progress, best: { step, smoothedMetaLoss } };
}

/** Everything of a run between two outer steps as arrays by name: `theta/*`, `outer/*`, `task/<index>/*`. */
export async function downloadRun<State>(
  learner: Learner<State>,
  state: MetaState<State>,
): Promise<Map<string, HostArray>> {
  const arrays = new Map<string, HostArray>();
  for (const [path, leaf] of state.theta) arrays.set(`theta/${path}`, leaf);
  for (const [name, array] of state.outer) arrays.set(`outer/${name}`, array);
  let index = 0;
  for (const [name, estimator] of learner.estimators) {
    const own = state.tasks.get(name);
    if (own !== undefined)
      for (const [part, array] of await estimator.download(own)) arrays.set(`task/${index}/${part}`, array);
    index += 1;
  }
  return arrays;
}

/** The state of a run from such arrays. @throws RangeError when an array is missing or has another shape. */
export function uploadRun<State>(
  learner: Learner<State>,
  { tensors, step }: { readonly tensors: ReadonlyMap<string, HostArray>; readonly step: number },
): MetaState<State> {
  return {
    step,
    theta: groupOf(tensors, 'theta'),
    outer: groupOf(tensors, 'outer'),
    tasks: new Map(
      [...learner.estimators].map(([name, estimator], index) => [
        name,
        estimator.upload(groupOf(tensors, `task/${index}`)),
      ]),
    ),
  };
}

/** Gives the memory of a run's state back. */
export function disposeRun<State>(learner: Learner<State>, state: MetaState<State>): void {
  for (const [name, estimator] of learner.estimators) {
    const own = state.tasks.get(name);
    if (own !== undefined) estimator.dispose(own);
  }
}
