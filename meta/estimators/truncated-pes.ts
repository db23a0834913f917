import { addPerturbations, drawPerturbation, pickLeaves } from '../perturbation.ts';
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
 * Persistent evolution strategies on truncation windows: an unbiased meta-gradient (for fixed theta) of the mean loss of whole
 * trajectories, measured window by window.
 *
 * Each pair i has perturbation eps_i of this window and the sum A_i of those its trajectory has seen, this window's included. With
 * D_t = loss of + minus loss of -, n_i valid steps and f_t = 1 from the window's first reset on,
 *
 *     gradient = mean_i (A_i sum_t D_t (1 - f_t) + eps_i sum_t D_t f_t) / (n_i 2 sigma^2)
 *
 * and A_i becomes eps_i where a trajectory began in this window.
 *
 * **Source**: Vicol, Metz, Sohl-Dickstein 2021 (arXiv 2112.13835); TruncatedPES of google/learned_optimization
 * (spec/meta-training.md 1.6).
 * **Checked against**: exact gradients of linear and quadratic toys; a per-trajectory oracle of the credit.
 * **Differs**: credit goes by resets; resets consume no step; losses are guarded per particle (credit.ts); trajectories start with the
 * perturbed theta from the first one on.
 */
export function createTruncatedPes(options: PairOptions): Estimator<PairState> {
  const { unroll, sigma = 0.01 } = options;
  return {
    name: 'truncated-pes',
    particles: 2 * options.pairs,
    init: () => initGroups(options),
    measure: (theta, { state, key, particles }) =>
      measureGroups(options, {
        state,
        particles,
        run: async (group, firstPair) => {
          const { result, trajectories, keys, perturbations, resets } = await runGroup(options, {
            theta,
            key,
            group,
            firstPair,
          });
          const sums = perturbations.map((eps, index) => {
            const before = group.accumulators[index];
            return before === undefined ? eps : addPerturbations(before, eps);
          });
          const parts = sums.map((accumulator, index) => ({
            ...partOf({ result, keys, resets }, { index, firstPair, particles: unroll.particles }),
            accumulator,
          }));
          const accumulators = sums.map((sum, index) =>
            (resets[index] ?? []).length > 0 ? perturbations[index] : sum,
          );
          return { parts, group: { particles: result.state, trajectories, accumulators } };
        },
      }),
    combine: (theta, parts) => {
      const leaves = pickLeaves(theta, unroll.mappedValues);
      const scale = 1 / (2 * sigma * sigma);
      const gradient = meanOfParts(leaves, parts, ({ key, credit, accumulator }) => [
        ...(accumulator === undefined ? [] : [{ weight: credit.before * scale, vector: () => accumulator }]),
        { weight: credit.after * scale, vector: () => drawPerturbation(key, { theta: leaves, sigma }) },
      ]);
      return { gradient, metrics: metricsOf(parts) };
    },
    download: downloadGroups,
    upload: (arrays) => uploadGroups(options, arrays),
    dispose: disposeGroups,
  };
}
