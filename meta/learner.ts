import { sha256 } from '../checkpoints/checkpoint.ts';
import type { Engine } from '../jit/engines/engine.ts';
import type { Graph } from '../jit/graph/graph.ts';
import { fold, rootKey } from '../jit/random/key.ts';
import type { Arrays, LearnedOptimizer, Optimizer } from '../lopt/optimizer.ts';
import { isRecord } from '../lopt/options.ts';
import { createLearned, createOptimizer } from '../lopt/registry.ts';
import { type ScheduleOptions, evaluateSchedule } from '../lopt/schedules.ts';
import { reparameterise } from '../tasks/augmentation/reparameterise.ts';
import type { DataSet } from '../tasks/data-sets/data-set.ts';
import { resolveDataSets } from '../tasks/data-sets/resolve.ts';
import { batchesIn } from '../tasks/batches.ts';
import { createTask } from '../tasks/registry.ts';
import type { Split, Task } from '../tasks/task.ts';
import type { RunConfig, TaskConfig } from './config.ts';
import type { PairState } from './estimators/pair-groups.ts';
import { createTruncatedEs } from './estimators/truncated-es.ts';
import { createTruncatedPes } from './estimators/truncated-pes.ts';
import type { Learner } from './meta-step.ts';
import { stepInputs } from './program.ts';
import { createOuterOptimizer } from './outer.ts';
import { resetCapacity } from './trajectory.ts';
import { createUnroll } from './unroll.ts';
import { stateTypes, traceWindow } from './window-program.ts';

const ESTIMATORS = {
  'truncated-pes': createTruncatedPes,
  'truncated-es': createTruncatedEs,
} satisfies Record<RunConfig['estimator']['name'], unknown>;

/** What a config names, made and checked, before anything is traced or compiled. */
export interface LearnerPlan {
  readonly learned: LearnedOptimizer;
  /** Tasks under names that are unique in the run. */
  readonly tasks: ReadonlyMap<string, Task>;
  readonly outer: Optimizer;
  /** The data that each task learns from, to be recognised when the run is resumed. */
  readonly data: readonly DataRecord[];
  /** Data sets that the config names and that aren't given, and what takes their place. */
  readonly replacedData: Readonly<Record<string, string>>;
  /** What the log should say of that. */
  readonly messages: readonly string[];
}

/** Data of one task. */
export interface DataRecord {
  readonly task: string;
  readonly dataSet: string;
  /** Examples in all splits. */
  readonly rows: number;
  /** Of all resident tensors, in their order. */
  readonly sha256: string;
  /** Classes and fingerprint of the data set, where the task says which it is. */
  readonly classes?: number;
  readonly fingerprint?: string;
}

/** A learner, compiled. */
export interface CompiledLearner {
  readonly learner: Learner<PairState>;
  /** Theta at the start of a run. */
  readonly theta: Arrays;
  /** Outer learning rate at a step; null where the outer optimizer has none. */
  lrAt(step: number): number | null;
  dispose(): void;
}

/**
 * Makes what a config names.
 * @param options.dataSets data sets by name; the built-in ones needn't be among them.
 * @throws TypeError or RangeError for a name or an option that there isn't.
 */
export async function planLearner(
  config: RunConfig,
  { dataSets }: { dataSets: ReadonlyMap<string, DataSet> },
): Promise<LearnerPlan> {
  const learned = createLearned(config.optimizer.name, config.optimizer.options);
  const outer = createOptimizer(config.outer.optimizer.name, config.outer.optimizer.options);
  const named = config.tasks.map(({ options }) => options['data']).filter((name) => typeof name === 'string');
  const { uses, messages } = resolveDataSets(named, dataSets);
  const tasks = new Map<string, Task>();
  for (const entry of config.tasks) {
    const task = makeTask(entry, { dataSets, uses });
    const plain = task.data === undefined ? entry.name : `${entry.name} on ${task.data.dataSet}`;
    let name = plain;
    for (let copy = 2; tasks.has(name); copy += 1) name = `${plain} #${copy}`;
    tasks.set(name, task);
  }
  const data: DataRecord[] = [];
  for (const [task, { data: own }] of tasks) if (own !== undefined) data.push(await recordData(task, own));
  const replacedData = Object.fromEntries([...uses].filter(([asked, used]) => asked !== used));
  return { learned, tasks, outer, data, replacedData, messages };
}

function makeTask(
  { name, options, reparameterise: scales }: TaskConfig,
  { dataSets, uses }: { dataSets: ReadonlyMap<string, DataSet>; uses: ReadonlyMap<string, string> },
): Task {
  const { data } = options;
  const used = typeof data === 'string' ? { ...options, data: uses.get(data) ?? data } : options;
  const task = createTask(name, used, { dataSets });
  return scales === null ? task : reparameterise(task, scales);
}

async function recordData(task: string, { dataSet, resident, source }: NonNullable<Task['data']>): Promise<DataRecord> {
  const parts = [...resident.values()].map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  const [first] = resident.values();
  const record = { task, dataSet, rows: first?.shape[0] ?? 0, sha256: await sha256(bytes) };
  return source === undefined
    ? record
    : { ...record, classes: source.classes, fingerprint: await source.fingerprint() };
}

/** Splits that meta-training takes batches from. */
function splitsRead({ needs }: Optimizer, metaLoss: Split): ReadonlySet<Split> {
  return new Set(['train', metaLoss, ...(needs.includes('validLoss') ? (['innerValid'] as const) : [])]);
}

/** Traces and compiles everything that a run needs. @throws RangeError when a task's batch is larger than its data. */
export async function compileLearner(
  plan: LearnerPlan,
  { config, engine }: { readonly config: RunConfig; readonly engine: Engine },
): Promise<CompiledLearner> {
  const key = rootKey(config.seed);
  const theta = plan.learned.initTheta(fold(key, 'theta'));
  const optimizer = plan.learned.optimizer(theta);
  const trainable = new Set(theta.keys());
  for (const { data } of plan.tasks.values())
    if (data !== undefined)
      for (const split of splitsRead(optimizer, config.estimator.metaLoss)) batchesIn(data, split);
  const { estimator, trajectory } = config;
  const freshRows = freshRowsOf(config);
  const unrolls = await Promise.all(
    [...plan.tasks].map(async ([name, task]) => {
      const unroll = await createUnroll({
        engine,
        task,
        optimizer,
        windowLength: estimator.window,
        particles: estimator.groupSize,
        freshRows,
        mappedValues: trainable,
        metaLoss: estimator.metaLoss,
      });
      return { name, unroll };
    }),
  );
  const outer = await createOuterOptimizer({ engine, optimizer: plan.outer, theta, trainable, horizon: config.steps });
  const estimators = unrolls.map(
    ({ name, unroll }) =>
      [
        name,
        ESTIMATORS[estimator.name]({
          unroll,
          values: optimizer.values,
          pairs: estimator.pairs,
          sigma: estimator.sigma,
          schedule: trajectory,
        }),
      ] as const,
  );
  return {
    learner: { key: fold(key, 'meta-training'), estimators: new Map(estimators), outer, clip: config.outer.clip },
    theta,
    lrAt: (step) => learningRate(plan.outer.options, { step, horizon: config.steps }),
    dispose: () => {
      for (const { unroll } of unrolls) unroll.dispose();
      outer.dispose();
    },
  };
}

/** Capacity of a window for trajectories that begin in it. */
function freshRowsOf({ estimator, trajectory }: RunConfig): number {
  const pairsInGroup = estimator.groupSize / 2;
  return pairsInGroup * resetCapacity({ windowLength: estimator.window, schedule: trajectory });
}

/** The window program of each task, of one particle, by the task's name: what `compileLearner` compiles. */
export function traceWindows(plan: LearnerPlan, config: RunConfig): ReadonlyMap<string, Graph> {
  const optimizer = plan.learned.optimizer(plan.learned.initTheta(rootKey(0)));
  const { window: windowLength, metaLoss } = config.estimator;
  return new Map(
    [...plan.tasks].map(([name, task]) => {
      const inputs = stepInputs(task, optimizer, metaLoss);
      const state = stateTypes(task, optimizer, inputs);
      return [name, traceWindow({ task, optimizer, inputs, state, windowLength, freshRows: freshRowsOf(config) })];
    }),
  );
}

/** The learning rate that an optimizer's options give at a step: its own, or that of the optimizer that it wraps. */
function learningRate(options: unknown, at: { step: number; horizon: number }): number | null {
  if (!isRecord(options)) return null;
  const { lr, base } = options;
  if (typeof lr === 'number') return lr;
  if (isRecord(lr) && typeof lr['schedule'] === 'string') return evaluateSchedule(lr as ScheduleOptions, at);
  return learningRate(base, at);
}
