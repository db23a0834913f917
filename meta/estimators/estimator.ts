import type { HostArray } from '../../jit/graph/graph.ts';
import type { Key } from '../../jit/random/key.ts';
import type { Arrays } from '../../lopt/optimizer.ts';
import type { PairCredit } from './credit.ts';

/** What one pair contributes to a meta-gradient: scalars and keys, vectors only where a key can't give them again. */
export interface Part {
  /** Index of the pair among all of the estimator. */
  readonly pair: number;
  /** Key of this window's perturbation. */
  readonly key: Key;
  readonly credit: PairCredit;
  /** Sum of the perturbations that the trajectory has seen, this window's included; PES alone. Not to be changed. */
  readonly accumulator?: Arrays;
}

/** Particles of an estimator: a range of whole groups. */
export interface ParticleRange {
  /** First particle. */
  readonly first: number;
  readonly count: number;
}

/** What was seen while a meta-gradient was measured, over all of its parts. */
export interface EstimatorMetrics {
  /** Mean over pairs of the mean normalised loss of both members. */
  readonly metaLoss: number;
  /** Pair steps left out because neither member's loss was usable. */
  readonly drops: number;
  /** Particle steps whose loss wasn't finite. */
  readonly nonFinite: number;
  /** Pairs whose trajectory began anew, counted once a reset. */
  readonly resets: number;
}

/**
 * An estimate of the meta-gradient on one task. Particles run in groups of a fixed size (pairs never apart), always the same batch
 * shape; measuring some groups here and others elsewhere, then combining all parts, gives the same bytes as measuring them at once.
 */
export interface Estimator<State> {
  readonly name: string;
  /** Particles: twice the number of pairs. */
  readonly particles: number;
  /** State of all particles at the start of a run. */
  init(): State;
  /**
   * Runs one window of the particles in `particles` (default: all) and gives their parts in particle order. The state given is consumed;
   * the one returned has these groups advanced and the others as they were. `key` is of the run, outer step and task.
   * @throws RangeError when `particles` cuts a group.
   */
  measure(
    theta: Arrays,
    input: { readonly state: State; readonly key: Key; readonly particles?: ParticleRange },
  ): Promise<{ readonly parts: readonly Part[]; readonly state: State }>;
  /** The meta-gradient of theta's trainable leaves, adding parts in particle order. */
  combine(
    theta: Arrays,
    parts: readonly Part[],
  ): { readonly gradient: ReadonlyMap<string, HostArray>; readonly metrics: EstimatorMetrics };
  /** A copy of the state on the host, by name. */
  download(state: State): Promise<Map<string, HostArray>>;
  /** The state from such a copy. @throws RangeError when an array is missing or has another shape. */
  upload(arrays: ReadonlyMap<string, HostArray>): State;
  /** Gives the memory of a state back. */
  dispose(state: State): void;
}
