import type { HostArray } from '../../jit/graph/graph.ts';
import { type Key, fold } from '../../jit/random/key.ts';
import type { Arrays } from '../../lopt/optimizer.ts';
import { drawPerturbation, leafOf, perturb, pickLeaves } from '../perturbation.ts';
import { planWindow } from '../plan.ts';
import { NOT_STARTED, type Reset, type Trajectory, type TrajectorySchedule, walkWindow } from '../trajectory.ts';
import type { ParticleState, Unroll, WindowResult } from '../unroll.ts';
import { creditPair } from './credit.ts';
import type { EstimatorMetrics, Part, ParticleRange } from './estimator.ts';

/** What estimators of antithetic pairs are made from. */
export interface PairOptions {
  /** Of one group: its `particles` is the group size, its `mappedValues` are theta's trainable leaves. */
  readonly unroll: Unroll;
  /** The optimizer's values. Those named like a leaf of theta are replaced by theta's. */
  readonly values: Arrays;
  /** Antithetic pairs. A multiple of half the group size. */
  readonly pairs: number;
  /** Standard deviation of the perturbations. Default .01. */
  readonly sigma?: number;
  readonly schedule: TrajectorySchedule;
}

/** One group between windows. */
export interface GroupState {
  readonly particles: ParticleState;
  /** Of each pair of the group. */
  readonly trajectories: readonly Trajectory[];
  /** Sum of the perturbations that each pair's trajectory has seen; undefined before the first window and where an estimator keeps none. */
  readonly accumulators: readonly (Arrays | undefined)[];
}

/** State of an estimator of antithetic pairs: its groups in particle order. */
export interface PairState {
  readonly groups: readonly GroupState[];
}

/** A group's window, and what it was told. */
export interface GroupWindow {
  readonly result: WindowResult;
  readonly trajectories: readonly Trajectory[];
  /** Of each pair of the group. */
  readonly keys: readonly Key[];
  readonly perturbations: readonly Arrays[];
  readonly resets: readonly (readonly Reset[])[];
}

/** Number of pairs in each group. @throws RangeError when groups of this size can't hold the pairs. */
export function pairsPerGroup({ unroll, pairs }: Pick<PairOptions, 'unroll' | 'pairs'>): number {
  const size = unroll.particles / 2;
  if (!Number.isInteger(size) || !Number.isInteger(pairs) || pairs < 1 || pairs % size !== 0)
    throw new RangeError(
      `Cannot group ${pairs} pairs: expected groups of an even number of particles that divides ${2 * pairs} but got ${unroll.particles}`,
    );
  return size;
}

/** All groups at the start of a run: every trajectory begins with the first step. */
export function initGroups(options: PairOptions): PairState {
  const size = pairsPerGroup(options);
  return {
    groups: Array.from({ length: options.pairs / size }, () => ({
      particles: options.unroll.emptyState(),
      trajectories: Array.from({ length: size }, () => NOT_STARTED),
      accumulators: Array.from({ length: size }, () => undefined),
    })),
  };
}

/** Runs one window of one group. Random numbers depend on the key and the pair alone. */
export async function runGroup(
  { unroll, values, sigma = 0.01, schedule }: PairOptions,
  { theta, key, group, firstPair }: { theta: Arrays; key: Key; group: GroupState; firstPair: number },
): Promise<GroupWindow> {
  const trainable = pickLeaves(theta, unroll.mappedValues);
  const pairs = group.trajectories.map((_, index) => firstPair + index);
  const keys = pairs.map((pair) => fold(key, 'perturbation', pair));
  const perturbations = keys.map((own) => drawPerturbation(own, { theta: trainable, sigma }));
  const walks = group.trajectories.map((trajectory, index) =>
    walkWindow(trajectory, {
      key: fold(key, 'trajectory', pairs[index] ?? 0),
      windowLength: unroll.windowLength,
      schedule,
    }),
  );
  const plan = planWindow({
    task: unroll.task,
    inputs: unroll.inputs,
    windowLength: unroll.windowLength,
    freshRows: unroll.freshRows,
    streams: walks.map(({ resets }, index) => ({
      batches: { key: fold(key, 'batches', pairs[index] ?? 0), first: 0 },
      noise: fold(key, 'noise', pairs[index] ?? 0),
      resets,
    })),
    streamOf: pairs.flatMap((_, index) => [index, index]),
  });
  const perturbed = perturb(trainable, perturbations);
  const own = new Map([...values].map(([name, value]) => [name, perturbed.get(name) ?? theta.get(name) ?? value]));
  const result = await unroll.window({ values: own, state: group.particles, plan });
  return {
    result,
    trajectories: walks.map(({ trajectory }) => trajectory),
    keys,
    perturbations,
    resets: walks.map(({ resets }) => resets),
  };
}

/** The part of pair `index` of a group, whose first pair is `firstPair` of the estimator. */
export function partOf(
  { result, keys, resets }: Pick<GroupWindow, 'result' | 'keys' | 'resets'>,
  { index, firstPair, particles }: { index: number; firstPair: number; particles: number },
): Part {
  const key = keys[index];
  if (key === undefined) throw new RangeError(`Cannot credit pair ${index}: expected one of ${keys.length} pairs`);
  const resetSteps = (resets[index] ?? []).map(({ step }) => step);
  return { pair: firstPair + index, key, credit: creditPair(result, { pair: index, particles, resetSteps }) };
}

/**
 * Runs the groups of a range, all at once where the engine can, and puts their new states in place.
 * @throws RangeError when the range cuts a group.
 */
export async function measureGroups(
  options: PairOptions,
  {
    state,
    particles,
    run,
  }: {
    state: PairState;
    particles: ParticleRange | undefined;
    run: (group: GroupState, firstPair: number) => Promise<{ parts: readonly Part[]; group: GroupState }>;
  },
): Promise<{ parts: readonly Part[]; state: PairState }> {
  const size = options.unroll.particles;
  const { first, count } = particles ?? { first: 0, count: size * state.groups.length };
  if (first % size !== 0 || count % size !== 0 || first < 0 || first + count > size * state.groups.length)
    throw new RangeError(
      `Cannot measure particles ${first} to ${first + count - 1}: expected whole groups of ${size} among ${size * state.groups.length} particles`,
    );
  const [from, to] = [first / size, (first + count) / size];
  const done = await Promise.all(
    state.groups.slice(from, to).map((group, index) => run(group, ((from + index) * size) / 2)),
  );
  const groups = [...state.groups];
  done.forEach(({ group }, index) => (groups[from + index] = group));
  return { parts: done.flatMap(({ parts }) => parts), state: { groups } };
}

/**
 * The mean over parts of weighted vectors, in double precision and particle order, rounded once.
 * @param vectors the vectors of a part, each with its weight.
 */
export function meanOfParts(
  theta: Arrays,
  parts: readonly Part[],
  vectors: (part: Part) => readonly { readonly weight: number; readonly vector: () => Arrays }[],
): Map<string, HostArray> {
  const sums = new Map([...theta].map(([path, { data }]) => [path, new Float64Array(data.length)]));
  for (const part of inParticleOrder(parts))
    for (const { weight, vector } of vectors(part)) {
      if (weight === 0) continue;
      const leaves = vector();
      for (const [path, sum] of sums) {
        const { data } = leafOf(leaves, path);
        for (let i = 0; i < sum.length; i += 1) sum[i]! += weight * data[i]!;
      }
    }
  const count = Math.max(1, parts.length);
  return new Map(
    [...theta].map(([path, { shape }]) => [
      path,
      { shape, dtype: 'float32', data: Float32Array.from(sums.get(path) ?? [], (sum) => sum / count) },
    ]),
  );
}

/** Metrics of an estimate from its parts. */
export function metricsOf(parts: readonly Part[]): EstimatorMetrics {
  const ordered = inParticleOrder(parts);
  const total = (of: (part: Part) => number): number => ordered.reduce((sum, part) => sum + of(part), 0);
  const measured = ordered.map(({ credit }) => credit.metaLoss).filter((metaLoss) => !Number.isNaN(metaLoss));
  return {
    metaLoss: measured.length === 0 ? NaN : measured.reduce((sum, metaLoss) => sum + metaLoss, 0) / measured.length,
    drops: total(({ credit }) => credit.drops),
    nonFinite: total(({ credit }) => credit.nonFinite),
    resets: total(({ credit }) => credit.resets),
  };
}

/** Sums are made in this order wherever the parts come from, so that they are the same to the bit. */
function inParticleOrder(parts: readonly Part[]): readonly Part[] {
  return [...parts].sort((a, b) => a.pair - b.pair);
}
