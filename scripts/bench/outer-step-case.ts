import type { Engine } from '../../jit/engines/engine.ts';
import { sizeOf } from '../../jit/graph/graph.ts';
import type { RunConfig } from '../../meta/config.ts';
import { compileLearner, planLearner } from '../../meta/learner.ts';
import { initMetaState, metaStep } from '../../meta/meta-step.ts';
import type { Spread } from '../../meta/statistics.ts';
import type { DataSet } from '../../tasks/data-sets/data-set.ts';
import { engineFacts, peakMemoryBytes, repeat, scaled, type BenchCase, type RepeatOptions } from './case.ts';
import { PartTimer, timedEngine, type Share } from './parts.ts';

/** A result of `lopt bench pes`. */
export interface OuterStepResult extends BenchCase {
  /** Particles of all tasks: two for each antithetic pair. */
  readonly particles: number;
  readonly window: number;
  readonly nsPerParticleParamStep: Spread;
  readonly firstStepMs: number;
  readonly peakMemoryBytes: number;
}

export interface OuterStepOptions {
  readonly name: string;
  readonly engine: Engine;
  readonly dataSets: ReadonlyMap<string, DataSet>;
  readonly repeats: RepeatOptions;
}

/** Times whole outer steps: noise, plan, window, credit, outer update, all tasks of the config. */
export async function benchOuterStep(
  config: RunConfig,
  { name, engine, dataSets, repeats }: OuterStepOptions,
): Promise<{ readonly result: OuterStepResult; readonly shares: readonly Share[] }> {
  const plan = await planLearner(config, { dataSets });
  const timer = new PartTimer();
  const compiled = await compileLearner(plan, { config, engine: timedEngine(engine, timer) });
  try {
    const { learner } = compiled;
    let state = await initMetaState(learner, compiled.theta);
    const step = async (): Promise<void> => {
      ({ state } = await metaStep(learner, state));
    };
    const { firstStepMs, timesMs } = await repeat(step, repeats);
    timer.reset();
    const beganMs = performance.now();
    for (let measured = 0; measured < SHARED_STEPS; measured++) await step();
    const shares = timer.shares(performance.now() - beganMs);
    const counts = [...plan.tasks.values()].map(({ specs }) =>
      [...specs.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    );
    const particles = 2 * config.estimator.pairs;
    const particleParams = counts.reduce((sum, count) => sum + count * particles, 0);
    return {
      result: {
        case: name,
        ...engineFacts(engine.description),
        params: Math.max(...counts),
        particles: particles * counts.length,
        window: config.estimator.window,
        nsPerParticleParamStep: scaled(timesMs, 1e6 / (particleParams * config.estimator.window)),
        firstStepMs,
        peakMemoryBytes: peakMemoryBytes(),
      },
      shares,
    };
  } finally {
    compiled.dispose();
  }
}

/** Outer steps over which shares of time are taken. */
const SHARED_STEPS = 3;
