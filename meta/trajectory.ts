import { type Key, fold } from '../jit/random/key.ts';
import { logUniformInteger, uniform } from '../jit/random/draws.ts';

/**
 * Trajectory lengths: how long each inner problem is trained before it starts anew.
 *
 * **Source**: the truncation schedules of google/learned_optimization (spec/meta-training.md 1.9, 2.4).
 * **Checked against**: hand-made cases and a chi-square test of the lengths in log space.
 * **Differs**: a reset happens before its step and consumes none.
 */
export interface TrajectorySchedule {
  /** Shortest length in inner steps. */
  readonly min: number;
  /** Longest length in inner steps. Lengths are log-uniform in [min, max]. */
  readonly max: number;
  /**
   * The reset counter of a trajectory that starts a run begins at a uniform integer in [0, stagger), so that particles don't reset
   * together. Only the counter: the optimizer's own step begins at 0. A counter at or past the length resets after one step.
   */
  readonly stagger: number;
}

/** Where one inner problem stands, as the host knows it. */
export interface Trajectory {
  /** Length in inner steps, the horizon that the optimizer is told; 0 before the first reset. */
  readonly length: number;
  /** Steps counted towards the next reset. */
  readonly position: number;
}

/** A trajectory that starts with the first step of its first window. */
export const NOT_STARTED: Trajectory = { length: 0, position: 0 };

/** The start of a trajectory, just before a step of a window. */
export interface Reset {
  /** Step of the window, from 0. */
  readonly step: number;
  /** Length of the trajectory that starts, in inner steps. */
  readonly horizon: number;
  /** Key of everything that is drawn for the new trajectory. */
  readonly key: Key;
}

/**
 * Walks one trajectory through a window: where it resets and where it stands afterwards. A pure function of its arguments.
 */
export function walkWindow(
  trajectory: Trajectory,
  { key, windowLength, schedule }: { key: Key; windowLength: number; schedule: TrajectorySchedule },
): { readonly resets: readonly Reset[]; readonly trajectory: Trajectory } {
  const resets: Reset[] = [];
  let { length, position } = trajectory;
  for (let step = 0; step < windowLength; step += 1) {
    if (position >= length) {
      const resetKey = fold(key, 'reset', step);
      position = length === 0 ? staggered(fold(resetKey, 'stagger'), schedule.stagger) : 0;
      length = logUniformInteger(fold(resetKey, 'length'), schedule);
      resets.push({ step, horizon: length, key: resetKey });
    }
    position += 1;
  }
  return { resets, trajectory: { length, position } };
}

/**
 * The most resets that one trajectory can have in a window: the rows that a plan keeps for it. Where starts are staggered the
 * first trajectory may last a single step.
 */
export function resetCapacity({
  windowLength,
  schedule,
}: {
  windowLength: number;
  schedule: TrajectorySchedule;
}): number {
  return schedule.stagger > 0
    ? 1 + Math.ceil((windowLength - 1) / schedule.min)
    : Math.ceil(windowLength / schedule.min);
}

function staggered(key: Key, stagger: number): number {
  return stagger > 0 ? Math.min(stagger - 1, Math.floor((uniform(key, 1)[0] ?? 0) * stagger)) : 0;
}
