import type { HostArray } from '../jit/graph/graph.ts';
import { type Key, fold } from '../jit/random/key.ts';
import type { Arrays } from '../lopt/optimizer.ts';
import { type Clip, clipGradient, globalNorm } from './clip.ts';
import type { Estimator } from './estimators/estimator.ts';
import type { TaskMetrics } from './metrics.ts';
import type { OuterOptimizer } from './outer.ts';

/** What meta-trains one theta, all compiled. */
export interface Learner<State> {
  /** Root key of the run. */
  readonly key: Key;
  /** One estimator a task, under names that are unique in the run. */
  readonly estimators: ReadonlyMap<string, Estimator<State>>;
  readonly outer: OuterOptimizer;
  readonly clip: Clip | null;
}

/** All that changes in a run. */
export interface MetaState<State> {
  /** Outer steps done. */
  readonly step: number;
  readonly theta: Arrays;
  /** State of the outer optimizer. */
  readonly outer: Arrays;
  /** State of each estimator. */
  readonly tasks: ReadonlyMap<string, State>;
}

/** What an outer step saw. */
export interface MetaStepResult {
  readonly metaLoss: number;
  readonly gradientNorm: number;
  readonly clipFraction: number;
  readonly tasks: Readonly<Record<string, TaskMetrics>>;
}

/** The state of a run before its first step. */
export async function initMetaState<State>(learner: Learner<State>, theta: Arrays): Promise<MetaState<State>> {
  return {
    step: 0,
    theta,
    outer: await learner.outer.init(theta),
    tasks: new Map([...learner.estimators].map(([name, estimator]) => [name, estimator.init()])),
  };
}

/**
 * One outer step: the meta-gradients of all tasks, averaged, clipped, and given to the outer optimizer. The state given is consumed.
 * A pure function of state and the learner's key.
 */
export async function metaStep<State>(
  learner: Learner<State>,
  state: MetaState<State>,
): Promise<{ readonly state: MetaState<State>; readonly result: MetaStepResult }> {
  const { step, theta } = state;
  const measured = await Promise.all(
    [...learner.estimators].map(async ([name, estimator]) => {
      const own = state.tasks.get(name);
      if (own === undefined) throw new RangeError(`Cannot step: expected the state of task ${name} but it is missing`);
      const key = fold(learner.key, 'outer step', step, name);
      const { parts, state: next } = await estimator.measure(theta, { state: own, key });
      return { name, estimator, parts, state: next };
    }),
  );
  const estimates = measured.map(({ name, estimator, parts }) => ({ name, ...estimator.combine(theta, parts) }));
  const mean = meanGradient(estimates.map(({ gradient }) => gradient));
  const metaLoss = estimates.reduce((sum, { metrics }) => sum + metrics.metaLoss, 0) / estimates.length;
  const { gradient, fraction } = clipGradient(mean, learner.clip);
  const next = await learner.outer.update({ theta, gradient, state: state.outer, step, loss: metaLoss });
  return {
    state: {
      step: step + 1,
      theta: next.theta,
      outer: next.state,
      tasks: new Map(measured.map(({ name, state }) => [name, state])),
    },
    result: {
      metaLoss,
      gradientNorm: globalNorm(mean),
      clipFraction: fraction,
      tasks: Object.fromEntries(
        estimates.map(({ name, gradient, metrics }) => [name, { ...metrics, gradientNorm: globalNorm(gradient) }]),
      ),
    },
  };
}

/** The mean of gradients, added in their order in double precision and rounded once. */
function meanGradient(gradients: readonly Arrays[]): Arrays {
  return new Map(
    [...(gradients[0] ?? [])].map(
      ([
        path,
        {
          shape,
          data: { length },
        },
      ]): [string, HostArray] => {
        const sum = new Float64Array(length);
        for (const gradient of gradients) {
          const data = gradient.get(path)?.data ?? [];
          for (let i = 0; i < length; i += 1) sum[i]! += data[i]!;
        }
        return [path, { shape, dtype: 'float32', data: Float32Array.from(sum, (x) => x / gradients.length) }];
      },
    ),
  );
}
