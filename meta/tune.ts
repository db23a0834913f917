import type { Engine } from '../jit/engines/engine.ts';
import type { HostArray } from '../jit/graph/graph.ts';
import type { Key } from '../jit/random/key.ts';
import type { Arrays, Optimizer } from '../lopt/optimizer.ts';
import type { Task } from '../tasks/task.ts';
import { LR_SCHEDULES, type GridPoint, type LrSchedule } from './evaluation-result.ts';
import { mean } from './statistics.ts';
import { trainingCurves } from './training-curves.ts';
import { createUnroll, type EvaluationBatch } from './unroll.ts';

/**
 * The learning rate of a hand-designed optimizer, tuned: a grid of rates, each constant and falling linearly to 0 over the horizon,
 * all run as one batch of particles, extended while the best lies at an edge.
 *
 * **Source**: the learning-rate search of google/learned_optimization's baselines (rates {1, 3} x 10^k, lowest final loss averaged over seeds).
 * **Checked against**: a quadratic whose best constant rate is known.
 * **Differs**: a falling schedule beside the constant one, seeds other than the reported ones; the grid grows by at most four times two decades, and an edge that is still the best is said to be
 * one.
 */

/** {1, 3} x 10^-5 .. 10^0. */
export const LEARNING_RATES: readonly number[] = rates(-5, 0);

/** Options under which an optimizer's learning rate is `lr/initial * (1 + (lr/end - 1) * step / horizon)`: end 1 is constant, end 0 falls to 0. */
export const TUNED_LR = { schedule: 'linear', initial: 1, end: 1 } as const;

/** Names of the values that tell learning rates and schedules apart: given to each particle. */
interface LrValues {
  readonly initial: string;
  readonly end: string;
}

/** Those of an optimizer made with TUNED_LR; of a wrapper, its base's. @throws RangeError where there are none, or several. */
function lrValues({ name, values }: Optimizer): LrValues {
  const found = [...values.keys()].filter((value) => /(^|\/)lr\/initial$/.test(value));
  const [initial] = found;
  const end = initial?.replace(/initial$/, 'end');
  if (found.length !== 1 || initial === undefined || end === undefined || !values.has(end))
    throw new RangeError(
      `Cannot tune ${name}: expected it to be made with the lr ${JSON.stringify(TUNED_LR)} but its values are ${[...values.keys()].join(', ')}`,
    );
  return { initial, end };
}

// By two decades each: a rate beyond 10^-13 or 3 x 10^8 isn't looked for, and the result says that the best is at the edge.
const MOST_EXTENSIONS = 4;

export interface TuneOptions {
  readonly engine: Engine;
  readonly task: Task;
  /** Made with `lr: TUNED_LR`. */
  readonly optimizer: Optimizer;
  readonly horizon: number;
  /** Inner steps of one compiled call; divides the horizon. */
  readonly windowLength: number;
  /** A key for each tuning seed. */
  readonly seedKeys: readonly Key[];
  readonly batches: readonly EvaluationBatch[];
  /** Rates to begin with, ascending. Default: LEARNING_RATES. */
  readonly learningRates?: readonly number[];
  /** Makes a callback for a group that is this share of the work expected (extensions of the grid aren't); it gets the steps done. */
  readonly onWindow?: (share: number) => (step: number) => Promise<void>;
}

/** The best point and the whole grid, by schedule and ascending rate. */
export interface Tuned {
  readonly best: GridPoint;
  readonly grid: readonly GridPoint[];
  /** Whether the best is at an edge, or everything diverged, though the grid was extended as often as it may be. */
  readonly atEdge: boolean;
}

/**
 * Tunes. Where every rate diverges the smallest is returned with an infinite loss.
 * @throws RangeError for an optimizer without a learning rate that can be given to each particle.
 */
export async function tuneLearningRate(options: TuneOptions): Promise<Tuned> {
  const { learningRates = LEARNING_RATES } = options;
  let grid = await runGrid(options, { grid: members(learningRates), isExtension: false });
  for (let extension = 0; extension < MOST_EXTENSIONS; extension++) {
    const more = extensionOf(grid);
    if (more.length === 0) break;
    grid = [...grid, ...(await runGrid(options, { grid: members(more), isExtension: true }))].toSorted(
      byScheduleAndRate,
    );
  }
  return { best: bestOf(grid), grid, atEdge: extensionOf(grid).length > 0 };
}

/** The values of an optimizer made with TUNED_LR, at one learning rate and schedule. */
export function tunedValues(optimizer: Optimizer, { lr, schedule }: Pick<GridPoint, 'lr' | 'schedule'>): Arrays {
  const names = lrValues(optimizer);
  return new Map([
    ...optimizer.values,
    [names.initial, { shape: [], dtype: 'float32', data: Float32Array.of(lr) }],
    [names.end, { shape: [], dtype: 'float32', data: Float32Array.of(endOf(schedule)) }],
  ]);
}

interface Member {
  readonly lr: number;
  readonly schedule: LrSchedule;
}

function members(learningRates: readonly number[]): Member[] {
  return LR_SCHEDULES.flatMap((schedule) => learningRates.map((lr) => ({ lr, schedule })));
}

/** Particles that run as one batch: several batches keep an engine's workers busy, and results don't depend on how many there are. */
const GROUP_SIZE = 12;

interface GridParticle {
  readonly member: Member;
  readonly seed: number;
}

/** Trains every member under every tuning seed, as batches of one program. */
async function runGrid(
  options: TuneOptions,
  { grid, isExtension }: { readonly grid: readonly Member[]; readonly isExtension: boolean },
): Promise<GridPoint[]> {
  const { engine, task, optimizer, horizon, windowLength, seedKeys, batches, onWindow } = options;
  const names = lrValues(optimizer);
  const particles = grid.flatMap((member) => seedKeys.map((_, seed): GridParticle => ({ member, seed })));
  const groups = groupsOf(particles);
  const unroll = await createUnroll({
    engine,
    task,
    optimizer,
    windowLength,
    particles: GROUP_SIZE,
    freshRows: seedKeys.length,
    mappedValues: new Set([names.initial, names.end]),
  });
  const train = async (group: readonly GridParticle[]): Promise<number[]> => {
    const column = (pick: (member: Member) => number): HostArray => ({
      shape: [GROUP_SIZE],
      dtype: 'float32',
      data: Float32Array.from(group, ({ member }) => pick(member)),
    });
    const { losses } = await trainingCurves({
      unroll,
      values: new Map([
        ...optimizer.values,
        [names.initial, column(({ lr }) => lr)],
        [names.end, column(({ schedule }) => endOf(schedule))],
      ]),
      seedKeys,
      seedOf: group.map(({ seed }) => seed),
      horizon,
      batches,
      measure: 'end',
      ...(onWindow && { onWindow: onWindow(isExtension ? 0 : 1 / groups.length) }),
    });
    return losses.map((curve) => curve.at(-1) ?? Number.NaN);
  };
  try {
    const finals = (await Promise.all(groups.map(train))).flat();
    return grid.map(({ lr, schedule }, index) => {
      const loss = mean(finals.slice(index * seedKeys.length, (index + 1) * seedKeys.length));
      return { lr, schedule, loss: Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY };
    });
  } finally {
    unroll.dispose();
  }
}

/** Groups of GROUP_SIZE; the last particle fills up the last group, and what it gives there is never read. */
function groupsOf(particles: readonly GridParticle[]): GridParticle[][] {
  const groups: GridParticle[][] = [];
  for (let first = 0; first < particles.length; first += GROUP_SIZE)
    groups.push(
      Array.from({ length: GROUP_SIZE }, (_, index) => particles[Math.min(first + index, particles.length - 1)]).filter(
        (particle) => particle !== undefined,
      ),
    );
  return groups;
}

function endOf(schedule: LrSchedule): number {
  return schedule === 'constant' ? 1 : 0;
}

/** The point with the lowest loss; the first of equals, so the constant schedule and the smaller rate. */
function bestOf(grid: readonly GridPoint[]): GridPoint {
  const [first, ...others] = grid;
  if (!first) throw new RangeError('Cannot tune: expected at least one learning rate but got none');
  return others.reduce((best, point) => (point.loss < best.loss ? point : best), first);
}

/** Rates beyond the edge at which the best lies; none where it lies inside. */
function extensionOf(grid: readonly GridPoint[]): number[] {
  const best = bestOf(grid);
  const all = grid.map(({ lr }) => lr);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  if (best.lr === high && Number.isFinite(best.loss)) return rates(decade(high) + 1, decade(high) + 2);
  // Where everything diverged the only way is down.
  return best.lr === low || !Number.isFinite(best.loss) ? rates(decade(low) - 2, decade(low) - 1) : [];
}

/** {1, 3} x 10^k for k from `first` to `last`. */
function rates(first: number, last: number): number[] {
  const decades = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  // As decimal literals: 3 * 1e-5 is not 0.00003.
  return decades.flatMap((k) => [Number(`1e${k}`), Number(`3e${k}`)]);
}

function decade(rate: number): number {
  return Math.floor(Math.log10(rate) + 1e-9);
}

function byScheduleAndRate(a: GridPoint, b: GridPoint): number {
  return LR_SCHEDULES.indexOf(a.schedule) - LR_SCHEDULES.indexOf(b.schedule) || a.lr - b.lr;
}
