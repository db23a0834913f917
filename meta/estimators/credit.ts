/**
 * What one antithetic pair's losses say in one window, as scalars.
 *
 * **Source**: Vicol, Metz, Sohl-Dickstein 2021, "Unbiased gradient estimation in unrolled computation graphs with persistent
 * evolution strategies" (arXiv 2112.13835); the masked form of google/learned_optimization (spec/meta-training.md 1.6).
 * **Checked against**: an oracle that credits each loss with the perturbations of its own trajectory.
 * **Differs**: credit goes by resets, not by last steps (the published rule credits a trajectory's last step wrongly); a step at which
 * one member's loss isn't finite counts with the normaliser's worst value, and one at which neither's is, or at which the normaliser
 * gave no finite value, is left out.
 */
export interface PairCredit {
  /** Mean over valid steps of (loss of + minus loss of -), counting only steps before the window's first reset. */
  readonly before: number;
  /** The same, counting only steps at or after the window's first reset. */
  readonly after: number;
  /** Mean over members and steps of the normalised loss. NaN when no step had one. */
  readonly metaLoss: number;
  /** Pair steps with a usable difference. */
  readonly validSteps: number;
  /** Pair steps that were left out. */
  readonly drops: number;
  /** Particle steps whose loss wasn't finite. */
  readonly nonFinite: number;
  /** Trajectories that began. */
  readonly resets: number;
}

/** Losses of a window as the unroll gives them. */
export interface WindowLosses {
  /** Normalised losses before each step's update, `[step, particle]`. */
  readonly losses: Float32Array;
  /** 1 where the loss was finite, `[step, particle]`. */
  readonly mask: Float32Array;
}

/**
 * The credit of the pair whose members are particles `2 pair` and `2 pair + 1`.
 * @param resetSteps steps of the window before which the pair's trajectory began anew, ascending.
 */
export function creditPair(
  { losses, mask }: WindowLosses,
  { pair, particles, resetSteps }: { pair: number; particles: number; resetSteps: readonly number[] },
): PairCredit {
  const firstReset = resetSteps[0] ?? Infinity;
  const steps = losses.length / particles;
  let [before, after, total] = [0, 0, 0];
  let [validSteps, nonFinite, counted] = [0, 0, 0];
  for (let step = 0; step < steps; step += 1) {
    const plus = step * particles + 2 * pair;
    const [lossPlus, lossMinus] = [losses[plus]!, losses[plus + 1]!];
    const finiteMembers = (mask[plus]! > 0 ? 1 : 0) + (mask[plus + 1]! > 0 ? 1 : 0);
    nonFinite += 2 - finiteMembers;
    for (const loss of [lossPlus, lossMinus]) {
      if (!Number.isFinite(loss)) continue;
      total += loss;
      counted += 1;
    }
    const difference = lossPlus - lossMinus;
    if (finiteMembers === 0 || !Number.isFinite(difference)) continue;
    validSteps += 1;
    if (step < firstReset) before += difference;
    else after += difference;
  }
  const count = Math.max(1, validSteps);
  return {
    before: before / count,
    after: after / count,
    metaLoss: counted === 0 ? NaN : total / counted,
    validSteps,
    drops: steps - validSteps,
    nonFinite,
    resets: resetSteps.length,
  };
}
