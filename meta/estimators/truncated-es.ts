import { drawPerturbation, pickLeaves } from '../perturbation.ts';
import type { Estimator } from './estimator.ts';
import {
  type PairOptions,
  type PairState,
  initGroups,
  measureGroups,
  meanOfParts,
  metricsOf,
  partOf,
  runGroup,
} from './pair-groups.ts';
import { disposeGroups, downloadGroups, uploadGroups } from './pair-state.ts';

/**
 * Evolution strategies on truncation windows: the meta-gradient of a window's mean loss from the state in which the window starts.
 * Biased, since what theta did to that state in earlier windows isn't credited; its variance is low and doesn't grow.
 *
 *     gradient = mean_i eps_i (mean loss of + minus mean loss of -) / (2 sigma^2)
 *
 * Both members of a pair start each window in the state in which the + member ended the last one.
 *
 * **Source**: TruncatedES of google/learned_optimization (spec/meta-training.md 1.5); Salimans et al. 2017 (arXiv 1703.03864).
 * **Checked against**: exact gradients of linear and quadratic toys, and the bias that it must show there.
 * **Differs**: losses are guarded per particle (credit.ts); resets consume no step.
 */
export function createTruncatedEs(options: PairOptions): Estimator<PairState> {
  const { unroll, sigma = 0.01 } = options;
  // The state of + members in both places.
  const plusTwice = Array.from({ length: unroll.particles }, (_, particle) => particle - (particle % 2));
  return {
    name: 'truncated-es',
    particles: 2 * options.pairs,
    init: () => initGroups(options),
    measure: (theta, { state, key, particles }) =>
      measureGroups(options, {
        state,
        particles,
        run: async (group, firstPair) => {
          const { result, trajectories, keys, resets } = await runGroup(options, { theta, key, group, firstPair });
          const parts = keys.map((_, index) =>
            partOf({ result, keys, resets }, { index, firstPair, particles: unroll.particles }),
          );
          const carried = await unroll.rearrange(result.state, plusTwice);
          return { parts, group: { particles: carried, trajectories, accumulators: group.accumulators } };
        },
      }),
    combine: (theta, parts) => {
      const leaves = pickLeaves(theta, unroll.mappedValues);
      const gradient = meanOfParts(leaves, parts, ({ key, credit }) => [
        {
          weight: (credit.before + credit.after) / (2 * sigma * sigma),
          vector: () => drawPerturbation(key, { theta: leaves, sigma }),
        },
      ]);
      return { gradient, metrics: metricsOf(parts) };
    },
    download: downloadGroups,
    upload: (arrays) => uploadGroups(options, arrays),
    dispose: disposeGroups,
  };
}
