import type { MeanInterval } from './statistics.ts';

/** Where the learning rate goes over the horizon: stays, or falls linearly to 0. */
export const LR_SCHEDULES = ['constant', 'falling'] as const;
export type LrSchedule = (typeof LR_SCHEDULES)[number];

/** One point of the tuning grid: the mean final loss over the tuning seeds, infinite where a seed diverged. */
export interface GridPoint {
  readonly lr: number;
  readonly schedule: LrSchedule;
  readonly loss: number;
}

/** One optimizer on one row, over the reported seeds. Losses are means over the fixed evaluation batches. */
export interface EvaluationEntry {
  /** How the optimizer was named by the caller. */
  readonly optimizer: string;
  readonly kind: 'hand' | 'learned';
  /**
   * Learning rate and schedule chosen on the tuning seeds; null for a learned optimizer, which isn't tuned. `atEdge`: the grid may grow
   * no further and the best is still at its edge, so a better rate may lie beyond.
   */
  readonly tuned: { readonly lr: number; readonly schedule: LrSchedule; readonly atEdge: boolean } | null;
  readonly grid: readonly GridPoint[];
  /** Whether meta-training saw the row's data set; null where nothing was meta-trained, or what it saw isn't known. */
  readonly seen: boolean | null;
  /** Evaluation loss by seed and evaluation point `[seed][point]`; not finite from where a seed diverged. */
  readonly losses: readonly (readonly number[])[];
  /** Loss after the last step, over the seeds that didn't diverge. */
  readonly final: MeanInterval;
  /** Lowest loss at any evaluation point, over the seeds that didn't diverge. */
  readonly best: MeanInterval;
  /** Accuracy after the last step where the task has one. */
  readonly accuracy: MeanInterval | null;
  /** Seeds of which a loss was not finite. */
  readonly diverged: number;
  /** First evaluated step at which the smoothed mean loss is at most tuned Adam's final one; null where it never is. */
  readonly stepsToReference: number | null;
  /**
   * A second run, told a horizon IN_TIME times as long, where the first didn't reach tuned Adam's final loss: an optimizer that is
   * told when it ends plans for that. Null where it wasn't needed.
   */
  readonly longer: {
    readonly horizon: number;
    readonly stepsToReference: number | null;
    readonly diverged: number;
  } | null;
  /** Wall-clock of one inner step of one particle, of the batch divided by its particles. */
  readonly msPerStep: number;
  readonly msToReference: number | null;
}

/** One task trained for one horizon. */
export interface EvaluationRow {
  readonly task: string;
  readonly family: string;
  /** Data set that was used; null for a task without data. */
  readonly dataSet: string | null;
  /** Data set that the suite names, where another took its place. */
  readonly replaces: string | null;
  readonly parameters: number;
  readonly horizon: number;
  readonly batchSize: number | null;
  /** Steps at which was evaluated, ascending; the horizon is the last. */
  readonly steps: readonly number[];
  readonly entries: readonly EvaluationEntry[];
}

/** A whole evaluation, as report.json holds it. */
export interface EvaluationResult {
  readonly format: 'lopt-evaluation';
  readonly formatVersion: 1;
  /** Name of the suite, or of the tasks. */
  readonly suite: string;
  /** Where losses were measured: the split and how much of it. */
  readonly scoredOn: string;
  readonly seeds: readonly number[];
  readonly tuningSeeds: readonly number[];
  readonly intervalMethod: string;
  readonly configuration: Readonly<Record<string, string | number | boolean | null>>;
  readonly rows: readonly EvaluationRow[];
  readonly summary: EvaluationSummary;
}

/** The optimizer that everything is measured against: Adam with the better of both schedules at its best learning rate. */
export const REFERENCE = 'adam';

/** Where an optimizer stands over a set of rows. */
export interface Standing {
  readonly optimizer: string;
  readonly rows: number;
  /** Rows on which it ends lower than tuned Adam, no seed diverged. */
  readonly lowerThanReference: number;
  /** Rows on which it reaches tuned Adam's final loss within 1.25 times its steps, no seed diverged. */
  readonly reachedInTime: number;
  /** Geometric mean over rows of its final loss by tuned Adam's; NaN where a row diverged or a loss isn't positive. */
  readonly lossRatio: number;
  /** Seeds that diverged, of all rows. */
  readonly diverged: number;
}

/** Standings over all rows and over those whose data set no meta-training saw. */
export interface EvaluationSummary {
  readonly all: readonly Standing[];
  readonly unseen: readonly Standing[];
}

/** Steps within which an optimizer must reach tuned Adam's final loss to count, by tuned Adam's own. */
export const IN_TIME = 1.25;

/** Counts rows won and lost against tuned Adam. */
export function summarize(rows: readonly EvaluationRow[]): EvaluationSummary {
  return { all: standings(rows), unseen: standings(rows.filter((row) => !wasSeen(row))) };
}

/** Whether any optimizer's meta-training saw this row's data set, or may have. */
export function wasSeen(row: EvaluationRow): boolean {
  return row.entries.some(maySee);
}

/** Whether an optimizer's meta-training saw the row's data set; yes where it isn't known. */
export function maySee({ kind, seen }: EvaluationEntry): boolean {
  return kind === 'learned' && seen !== false;
}

/** The entry that the others are measured against. */
export function referenceEntry(row: EvaluationRow): EvaluationEntry | undefined {
  return row.entries.find(({ optimizer }) => optimizer === REFERENCE);
}

/** Whether tuned Adam's final loss was reached within IN_TIME times the horizon, no seed diverged. */
export function reachedInTime({ diverged, stepsToReference, longer }: EvaluationEntry): boolean {
  if (diverged === 0 && stepsToReference !== null) return true;
  return longer !== null && longer.diverged === 0 && longer.stepsToReference !== null;
}

function standings(rows: readonly EvaluationRow[]): Standing[] {
  const names = new Set(rows.flatMap(({ entries }) => entries.map(({ optimizer }) => optimizer)));
  return [...names].map((optimizer) => standing(optimizer, rows));
}

function standing(optimizer: string, rows: readonly EvaluationRow[]): Standing {
  const pairs = rows.flatMap((row) => {
    const entry = row.entries.find((candidate) => candidate.optimizer === optimizer);
    const reference = referenceEntry(row);
    return entry && reference ? [{ row, entry, reference }] : [];
  });
  const logRatios = pairs.map(({ entry, reference }) =>
    entry.diverged > 0 ? Number.NaN : Math.log(entry.final.mean / reference.final.mean),
  );
  return {
    optimizer,
    rows: pairs.length,
    lowerThanReference: pairs.filter(
      ({ entry, reference }) => entry.diverged === 0 && entry.final.mean < reference.final.mean,
    ).length,
    reachedInTime: pairs.filter(({ entry }) => reachedInTime(entry)).length,
    lossRatio: Math.exp(logRatios.reduce((sum, ratio) => sum + ratio, 0) / logRatios.length),
    diverged: pairs.reduce((sum, { entry }) => sum + entry.diverged, 0),
  };
}
