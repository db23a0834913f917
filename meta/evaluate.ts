import type { Engine } from '../jit/engines/engine.ts';
import { fold, rootKey, type Key } from '../jit/random/key.ts';
import type { Arrays, Optimizer } from '../lopt/optimizer.ts';
import type { Task } from '../tasks/task.ts';
import { sizeOf } from '../jit/graph/graph.ts';
import {
  IN_TIME,
  REFERENCE,
  summarize,
  type EvaluationEntry,
  type EvaluationResult,
  type EvaluationRow,
} from './evaluation-result.ts';
import { INTERVAL_METHOD, mean, meanInterval } from './statistics.ts';
import { evaluationBatches, trainingCurves, type TrainingCurves } from './training-curves.ts';
import { tunedValues, tuneLearningRate, type Tuned } from './tune.ts';
import { createUnroll, type EvaluationBatch, type Unroll } from './unroll.ts';

/** One optimizer to be compared. */
export interface Contestant {
  /** As the caller named it; shown in reports. */
  readonly label: string;
  readonly kind: 'hand' | 'learned';
  readonly optimizer: Optimizer;
  /** Whether its learning rate is tuned: it was then made with `lr: TUNED_LR`. */
  readonly tuned: boolean;
  /** Names and fingerprints of the data sets that its meta-training saw; null where there was none, undefined where it isn't known. */
  readonly seenDataSets: ReadonlySet<string> | null | undefined;
}

/** One task and how long it is trained. */
export interface EvaluationTask {
  readonly task: Task;
  /** As the suite names it; initial weights and batches follow from it and the seed alone. */
  readonly name: string;
  readonly family: string;
  /** Data set that the suite names, where another took its place. */
  readonly replaces: string | null;
  readonly horizon: number;
}

export interface EvaluateOptions {
  readonly engine: Engine;
  readonly suite: string;
  readonly tasks: readonly EvaluationTask[];
  /** One of them is the reference, tuned Adam. */
  readonly contestants: readonly Contestant[];
  /** Number of reported seeds: 0, 1, ... */
  readonly seeds: number;
  /** Number of seeds for tuning, which are others. */
  readonly tuningSeeds: number;
  /** Evaluation points a run, about. */
  readonly points?: number;
  /** Number of fixed evaluation batches. */
  readonly evaluationBatches?: number;
  readonly configuration?: EvaluationResult['configuration'];
  /** Stops the evaluation between windows. */
  readonly signal?: AbortSignal;
  /** Called now and then with the inner steps done of those expected; grid extensions and longer runs come on top and don't count. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly what: string }) => void;
}

/** Reported seeds count from 0, tuning seeds from here. */
const FIRST_TUNING_SEED = 1000;
const SMOOTHING = 0.9;

/**
 * Compares optimizers: same initial weights and same batches for all at a seed, hand-designed ones at their tuned learning rate,
 * everything measured on fixed batches of the test split. Tuning reads other seeds and outerValid.
 *
 * **Source**: the evaluation protocol of google/learned_optimization's baselines and of Celo (Moudgil 2025).
 * **Checked against**: a quadratic with a known answer; equal optimizers end equal to the bit.
 * **Differs**: batches are seeded; tuning seeds are never reported; the reference is the better of a constant and a falling rate;
 * divergence is counted instead of averaged.
 * @throws RangeError without the reference among the contestants, or with two of one label.
 */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationResult> {
  const { engine, suite, tasks, contestants, seeds, tuningSeeds, configuration = {} } = options;
  const labels = contestants.map(({ label }) => label);
  if (!labels.includes(REFERENCE))
    throw new RangeError(`Cannot evaluate: expected ${REFERENCE} among the optimizers but got ${labels.join(', ')}`);
  const repeated = labels.find((label, index) => labels.indexOf(label) !== index);
  if (repeated !== undefined)
    throw new RangeError(`Cannot evaluate: expected optimizers with different names but got ${repeated} twice`);
  const progress = progressOf(options);
  const rows: EvaluationRow[] = [];
  for (const task of tasks) rows.push(await evaluateRow(task, { ...options, progress }));
  const { evaluationBatches: batchCount = EVALUATION_BATCHES } = options;
  return {
    format: 'lopt-evaluation',
    formatVersion: 1,
    suite,
    scoredOn: `means over up to ${batchCount} fixed batches of 256 examples (all, where there are fewer) of the test split, which neither training nor tuning nor meta-training reads`,
    seeds: Array.from({ length: seeds }, (_, seed) => seed),
    tuningSeeds: Array.from({ length: tuningSeeds }, (_, seed) => FIRST_TUNING_SEED + seed),
    intervalMethod: INTERVAL_METHOD,
    configuration: { ...configuration, ...engineFacts(engine) },
    rows,
    summary: summarize(rows),
  };
}

const EVALUATION_BATCHES = 2;
const POINTS = 100;

type RowContext = EvaluateOptions & { readonly progress: ProgressCounter };

async function evaluateRow(spec: EvaluationTask, context: RowContext): Promise<EvaluationRow> {
  const { task, name, family, replaces, horizon } = spec;
  const { contestants, evaluationBatches: count = EVALUATION_BATCHES, points = POINTS } = context;
  const windowLength = windowFor(horizon, points);
  const taskKey = fold(rootKey('lopt evaluation'), name);
  const batches = evaluationBatches(task, { key: taskKey, count });
  // Rates are chosen on other examples than those that are reported.
  const fingerprint = await task.data?.source?.fingerprint();
  const tuningBatches = evaluationBatches(task, { key: fold(taskKey, 'tuning'), count, split: 'outerValid' });
  const run = { ...spec, taskKey, batches, tuningBatches, windowLength, dataNames: [task.data?.dataSet, fingerprint] };
  const reference = contestants.find(({ label }) => label === REFERENCE);
  // The reference first: what it reaches is what the others are measured by.
  const order = [...(reference ? [reference] : []), ...contestants.filter(({ label }) => label !== REFERENCE)];
  const entries = new Map<string, EvaluationEntry>();
  let target = Number.NaN;
  let steps: readonly number[] = [];
  for (const contestant of order) {
    const { entry, curves } = await evaluateContestant(contestant, { run, target, context });
    if (contestant === reference) target = smoothed(meanCurve(curves.losses)).at(-1) ?? Number.NaN;
    steps = curves.steps;
    entries.set(contestant.label, contestant === reference ? withSteps(entry, { curves, target }) : entry);
  }
  return {
    task: name,
    family,
    dataSet: task.data?.dataSet ?? null,
    replaces,
    parameters: [...task.specs.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    horizon,
    batchSize: task.data?.batchSize ?? null,
    steps,
    entries: contestants.flatMap(({ label }) => entries.get(label) ?? []),
  };
}

interface Run extends EvaluationTask {
  readonly taskKey: Key;
  readonly batches: readonly EvaluationBatch[];
  readonly tuningBatches: readonly EvaluationBatch[];
  /** Name and fingerprint of the task's data set, as far as it has them. */
  readonly dataNames: readonly (string | undefined)[];
  readonly windowLength: number;
}

async function evaluateContestant(
  contestant: Contestant,
  { run, target, context }: { readonly run: Run; readonly target: number; readonly context: RowContext },
): Promise<{ readonly entry: EvaluationEntry; readonly curves: TrainingCurves }> {
  const { engine, seeds, tuningSeeds, progress } = context;
  const { optimizer, label } = contestant;
  const what = `${label} on ${run.name}`;
  const tuned = contestant.tuned
    ? await tuneLearningRate({
        engine,
        task: run.task,
        optimizer,
        horizon: run.horizon,
        windowLength: run.windowLength,
        seedKeys: seedKeys(run.taskKey, { first: FIRST_TUNING_SEED, count: tuningSeeds }),
        batches: run.tuningBatches,
        onWindow: (share) => progress.counter(`tuning ${what}`, share),
      })
    : null;
  const values = tuned ? tunedValues(optimizer, tuned.best) : optimizer.values;
  const unroll = await createUnroll({
    engine,
    task: run.task,
    optimizer,
    windowLength: run.windowLength,
    particles: seeds,
    freshRows: seeds,
    mappedValues: new Set(),
  });
  try {
    const train = (horizon: number, share: number): Promise<TrainingCurves> =>
      trainSeeds(unroll, { values, horizon, run, seeds, onWindow: progress.counter(what, share) });
    const curves = await train(run.horizon, 1);
    const entry = withSteps(entryOf(contestant, { curves, tuned, run }), { curves, target });
    // The reference has no target yet, and needs no second run.
    if (Number.isNaN(target) || entry.stepsToReference !== null) return { entry, curves };
    const horizon = Math.ceil((IN_TIME * run.horizon) / run.windowLength) * run.windowLength;
    const longer = await train(horizon, 0);
    const reached = withSteps(entryOf(contestant, { curves: longer, tuned, run }), { curves: longer, target });
    const { stepsToReference, diverged } = reached;
    return { entry: { ...entry, longer: { horizon, stepsToReference, diverged } }, curves };
  } finally {
    unroll.dispose();
  }
}

function trainSeeds(
  unroll: Unroll,
  {
    values,
    horizon,
    run,
    seeds,
    onWindow,
  }: {
    readonly values: Arrays;
    readonly horizon: number;
    readonly run: Run;
    readonly seeds: number;
    readonly onWindow: (step: number) => Promise<void>;
  },
): Promise<TrainingCurves> {
  return trainingCurves({
    unroll,
    values,
    seedKeys: seedKeys(run.taskKey, { first: 0, count: seeds }),
    seedOf: Array.from({ length: seeds }, (_, seed) => seed),
    horizon,
    batches: run.batches,
    measure: 'every window',
    onWindow,
  });
}

/** Keys of seeds: of the task's name and the seed alone, so that every optimizer and horizon starts alike. */
function seedKeys(taskKey: Key, { first, count }: { readonly first: number; readonly count: number }): Key[] {
  return Array.from({ length: count }, (_, index) => fold(taskKey, 'seed', first + index));
}

function entryOf(
  { label, kind, seenDataSets }: Contestant,
  { curves, tuned, run }: { readonly curves: TrainingCurves; readonly tuned: Tuned | null; readonly run: Run },
): EvaluationEntry {
  const survivors = curves.losses.map((losses) => Number.isFinite(losses.at(-1)));
  const ofSurvivors = (pick: (seed: number) => number): number[] =>
    survivors.flatMap((survived, seed) => (survived ? [pick(seed)] : []));
  return {
    optimizer: label,
    kind,
    tuned: tuned && { lr: tuned.best.lr, schedule: tuned.best.schedule, atEdge: tuned.atEdge },
    grid: tuned?.grid ?? [],
    seen: seenDataSets ? run.dataNames.some((name) => name !== undefined && seenDataSets.has(name)) : null,
    losses: curves.losses.map((losses) => losses.map(sixDigits)),
    final: meanInterval(ofSurvivors((seed) => curves.losses[seed]?.at(-1) ?? Number.NaN)),
    best: meanInterval(ofSurvivors((seed) => Math.min(...(curves.losses[seed] ?? [])))),
    accuracy: curves.accuracies && meanInterval(ofSurvivors((seed) => curves.accuracies?.[seed]?.at(-1) ?? Number.NaN)),
    diverged: survivors.filter((survived) => !survived).length,
    stepsToReference: null,
    longer: null,
    msPerStep: curves.msPerStep,
    msToReference: null,
  };
}

/** The entry with the step at which its smoothed mean loss reaches the target. */
function withSteps(
  entry: EvaluationEntry,
  { curves, target }: { readonly curves: TrainingCurves; readonly target: number },
): EvaluationEntry {
  const at = smoothed(meanCurve(curves.losses)).findIndex((loss) => loss <= target);
  const stepsToReference = at < 0 ? null : (curves.steps[at] ?? null);
  return {
    ...entry,
    stepsToReference,
    msToReference: stepsToReference === null ? null : stepsToReference * entry.msPerStep,
  };
}

/** Mean by point over the seeds that didn't diverge; empty where all did. */
export function meanCurve(losses: readonly (readonly number[])[]): number[] {
  const survivors = losses.filter((curve) => Number.isFinite(curve.at(-1)));
  return (survivors[0] ?? []).map((_, point) => mean(survivors.map((curve) => curve[point] ?? Number.NaN)));
}

/** Exponential moving average that starts at the first value. */
export function smoothed(values: readonly number[], weightOfPast = SMOOTHING): number[] {
  let average = values[0] ?? Number.NaN;
  return values.map((value) => (average = weightOfPast * average + (1 - weightOfPast) * value));
}

/** The divisor of the horizon that is nearest to the wished distance between evaluation points, by ratio. */
export function windowFor(horizon: number, points: number): number {
  const wished = Math.max(1, horizon / points);
  const distance = (length: number): number => Math.abs(Math.log(length / wished));
  let best = 1;
  for (let length = 2; length <= Math.min(horizon, wished * 4); length++)
    if (horizon % length === 0 && distance(length) < distance(best)) best = length;
  return best;
}

/** Six significant digits: what curves in a report are worth. */
function sixDigits(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : value;
}

function engineFacts({ description }: Engine): EvaluationResult['configuration'] {
  const { name, device, threads, version, instructionSet } = description;
  return { engine: name, 'engine version': version, device, threads, 'instruction set': instructionSet };
}

interface ProgressCounter {
  /** A callback for a run's windows: counts, reports, lets signals in, stops when asked to. */
  readonly counter: (what: string, share?: number) => (step: number) => Promise<void>;
}

function progressOf({ tasks, contestants, signal, onProgress }: EvaluateOptions): ProgressCounter {
  const runs = contestants.reduce((sum, { tuned }) => sum + (tuned ? 2 : 1), 0);
  const expected = tasks.reduce((sum, { horizon }) => sum + horizon * runs, 0);
  let done = 0;
  let breathedMs = performance.now();
  return {
    counter: (what, share = 1) => {
      let before = 0;
      return async (step) => {
        done += (step - before) * share;
        before = step;
        signal?.throwIfAborted();
        onProgress?.({ done: Math.round(done), total: expected, what });
        if (performance.now() - breathedMs < BREATH_MS) return;
        // Engines may block: without a turn of the event loop no signal is ever seen.
        await new Promise((resolve) => setTimeout(resolve, 0));
        breathedMs = performance.now();
      };
    },
  };
}

const BREATH_MS = 50;
