import { writeFileAtomically } from '../checkpoints/files/atomic-write.ts';
import { MetricsLog, cutMetrics, lackingRecords } from '../checkpoints/files/metrics-log.ts';
import { readFileBytes } from '../checkpoints/files/read-checkpoint.ts';
import {
  createRunDirectory,
  expectNoRun,
  removeTemporaries,
  runPaths,
  writeCheckpoint,
} from '../checkpoints/files/run-directory.ts';
import { lockRun } from '../checkpoints/files/run-lock.ts';
import type { Engine } from '../jit/engines/engine.ts';
import type { DataSet } from '../tasks/data-sets/data-set.ts';
import type { RunConfig } from './config.ts';
import { type CompiledLearner, type LearnerPlan, compileLearner, planLearner } from './learner.ts';
import { initMetaState, metaStep } from './meta-step.ts';
import type { StepMetrics } from './metrics.ts';
import { type SavedRun, loadNewest, packRun } from './run-checkpoint.ts';
import { type RunFile, dataDifference, engineDifference, readRunFile, writeRunFile } from './run-file.ts';
import { NO_PROGRESS, advanceProgress, considerBest, disposeRun, uploadRun } from './run-state.ts';

/** What a trainer tells while it runs. */
export type TrainerEvent =
  | { readonly kind: 'log'; readonly text: string }
  | {
      readonly kind: 'step';
      readonly metrics: StepMetrics;
      /** Outer steps of the whole run. */
      readonly total: number;
      /** Over the last steps of this process. */
      readonly stepsPerSecond: number;
      readonly remainingMs: number;
    }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly best: boolean };

/** What a trainer gets from whoever starts it. */
export interface TrainerOptions {
  /** The run directory. */
  readonly directory: string;
  /** Data sets by name; the built-in ones needn't be among them. */
  readonly dataSets: ReadonlyMap<string, DataSet>;
  /** Makes the engine that a config asks for; the trainer disposes it. */
  readonly makeEngine: (engine: RunConfig['engine']) => Promise<Engine>;
  readonly onEvent?: (event: TrainerEvent) => void;
  /** Ends the run after the outer step in progress, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Ends it after so many outer steps of this process, with a checkpoint. */
  readonly stopAfter?: number;
}

/** How a trainer ended. */
export interface TrainerResult {
  /** Outer steps done. */
  readonly step: number;
  /** Outer steps of the whole run. */
  readonly total: number;
  /** `finished`: all outer steps are done; `stopped`: by signal or `stopAfter`, and the run can be resumed. */
  readonly ended: 'finished' | 'stopped';
  /** Moving meta-loss at the end; null where no step had one. */
  readonly metaLoss: number | null;
}

/**
 * Starts a run in a new directory, which is made once everything is compiled: what can't run leaves no directory behind.
 * @param options.overrides what was changed of the recipe, as given, for the record.
 * @throws TypeError or RangeError when the config names what there isn't; CheckpointError when the directory can't be used.
 */
export async function startRun(
  config: RunConfig,
  options: TrainerOptions & { readonly overrides?: readonly string[] },
): Promise<TrainerResult> {
  const { directory, overrides = [] } = options;
  await expectNoRun(directory);
  const plan = await planLearner(config, options);
  const engine = await options.makeEngine(config.engine);
  try {
    const { data, replacedData } = plan;
    const run = { config, overrides, replacedData, data, engine: engine.description, changes: [] };
    describe({ run, plan }, options);
    const compiled = await compileLearner(plan, { config, engine });
    try {
      await createRunDirectory(directory);
      const lock = lockRun(directory, tell(options));
      try {
        // Again, now that it is this process's: another may have been quicker.
        await expectNoRun(directory);
        await removeTemporaries(directory);
        await writeFileAtomically(runPaths(directory).config, writeRunFile(run));
        return await train({ options, run, plan, compiled, saved: undefined });
      } finally {
        lock.release();
      }
    } finally {
      compiled.dispose();
    }
  } finally {
    await engine.dispose();
  }
}

/** The run in a directory as config.json has it. @throws CheckpointError, SyntaxError, TypeError or RangeError when it can't be read. */
export async function readRun(directory: string): Promise<RunFile> {
  const { config } = runPaths(directory);
  return readRunFile(new TextDecoder().decode(await readFileBytes(config)), config);
}

/**
 * Continues the run in a directory from its newest checkpoint, to the same bytes as if it had never been stopped. Of a finished run
 * it says so and does nothing. Nothing is written before the checkpoint is read and everything is compiled.
 * @param options.steps outer steps of the whole run, to raise them.
 * @param options.allowEngineChange whether another engine, version, instruction set or device is taken, which changes last bits.
 * @throws RangeError when steps are lowered, or the engine or the data differ; CheckpointError when the directory can't be used.
 */
export async function resumeRun(
  options: TrainerOptions & { readonly steps?: number; readonly allowEngineChange?: boolean },
): Promise<TrainerResult> {
  const { directory } = options;
  const found = await readRun(directory);
  const { log } = tell(options);
  const lock = lockRun(directory, { log });
  try {
    await removeTemporaries(directory);
    const saved = await loadNewest(directory);
    const step = saved?.step ?? 0;
    const longer = raiseSteps(found, { ...options, step });
    const plan = await planLearner(longer.config, options);
    const difference = dataDifference(longer.data, plan.data);
    if (difference !== undefined)
      throw new RangeError(
        `Cannot resume ${directory}: expected the data that it was run with but ${difference}; give the same data with --data NAME=DIR`,
      );
    const engine = await options.makeEngine({ ...longer.config.engine, threads: found.engine.threads });
    try {
      const run = acceptEngine(longer, engine, { ...options, step });
      const { config } = run;
      describe({ run, plan }, options);
      if (saved !== undefined && saved.step >= config.steps) {
        log(`all ${config.steps} outer steps are done`);
        return { step, total: config.steps, ended: 'finished', metaLoss: saved.progress.smoothedMetaLoss };
      }
      log(
        saved === undefined
          ? 'there is no checkpoint yet: starting from the beginning'
          : `resuming after ${step} of ${config.steps} outer steps`,
      );
      const compiled = await compileLearner(plan, { config, engine });
      try {
        await backToCheckpoint(directory, { step, log });
        if (run !== found) await writeFileAtomically(runPaths(directory).config, writeRunFile(run));
        return await train({ options, run, plan, compiled, saved });
      } finally {
        compiled.dispose();
      }
    } finally {
      await engine.dispose();
    }
  } finally {
    lock.release();
  }
}

/** The run with its total raised, and that on record. */
function raiseSteps(
  run: RunFile,
  { directory, steps, step }: { readonly directory: string; readonly steps?: number; readonly step: number },
): RunFile {
  const { config, changes } = run;
  if (steps === undefined || steps === config.steps) return run;
  if (steps < config.steps)
    throw new RangeError(
      `Cannot resume ${directory}: expected at least the ${config.steps} outer steps that the run has but got ${steps}`,
    );
  const change = { step, what: `outer steps raised from ${config.steps} to ${steps}` };
  return { ...run, config: { ...config, steps }, changes: [...changes, change] };
}

/** The run, on this engine if it is the one that was used before or another is allowed. */
function acceptEngine(
  run: RunFile,
  engine: Engine,
  {
    directory,
    allowEngineChange = false,
    step,
  }: { readonly directory: string; readonly allowEngineChange?: boolean; readonly step: number },
): RunFile {
  const difference = engineDifference(run.engine, engine.description);
  if (difference === undefined) return run;
  if (!allowEngineChange)
    throw new RangeError(
      `Cannot resume ${directory}: expected the engine that it was run with but got another (${difference}). ` +
        'Results would differ in their last bits; --allow-engine-change continues all the same',
    );
  return {
    ...run,
    engine: engine.description,
    changes: [...run.changes, { step, what: `engine changed: ${difference}` }],
  };
}

function tell({ onEvent }: TrainerOptions): { readonly log: (text: string) => void } {
  return { log: (text) => onEvent?.({ kind: 'log', text }) };
}

/** Cuts the metrics back to a checkpoint, which alone decides where a run goes on: records that lack stay lacking, and are told of. */
async function backToCheckpoint(
  directory: string,
  { step, log }: { readonly step: number; readonly log: (text: string) => void },
): Promise<void> {
  const { metrics } = runPaths(directory);
  const lacking = lackingRecords(await cutMetrics(metrics, { step }), { step });
  if (lacking > 0)
    log(
      `${metrics} lacks the records of ${lacking} of the ${step} outer steps done; the run goes on from its checkpoint without them`,
    );
}

interface Training {
  readonly options: TrainerOptions;
  readonly run: RunFile | Omit<RunFile, 'format'>;
  readonly plan: LearnerPlan;
  readonly compiled: CompiledLearner;
  /** What to continue from; undefined to start from the beginning. */
  readonly saved: SavedRun | undefined;
}

async function train(training: Training): Promise<TrainerResult> {
  const metrics = new MetricsLog(runPaths(training.options.directory).metrics);
  try {
    return await loop(training, metrics);
  } finally {
    metrics.close();
  }
}

function describe({ run, plan }: Pick<Training, 'run' | 'plan'>, options: TrainerOptions): void {
  const { engine, changes } = run;
  const { log } = tell(options);
  const { name, version, device, threads, instructionSet } = engine;
  log(`engine ${name} ${version} on ${device}, ${threads} thread${threads === 1 ? '' : 's'}, ${instructionSet}`);
  for (const { step, what } of changes) log(`after step ${step}: ${what}`);
  plan.messages.forEach(log);
}

async function loop({ options, run, plan, compiled, saved }: Training, metrics: MetricsLog): Promise<TrainerResult> {
  const { directory, onEvent, signal, stopAfter = Infinity } = options;
  const { steps: total, checkpoints } = run.config;
  const { learner } = compiled;
  let state = saved === undefined ? await initMetaState(learner, compiled.theta) : uploadRun(learner, saved);
  let progress = saved?.progress ?? NO_PROGRESS;
  let savedStep = saved?.step;
  const first = state.step;

  const save = async (): Promise<void> => {
    metrics.sync();
    // Only checkpoints at fixed steps can be the best: where a run was stopped must make no difference.
    if (state.step % checkpoints.every === 0 || state.step === total) progress = considerBest(progress, state.step);
    const bytes = await packRun({
      learner,
      learned: plan.learned,
      state,
      progress,
      config: run.config,
      data: run.data,
    });
    const bestStep = progress.best?.step ?? null;
    await writeCheckpoint(directory, { step: state.step, bytes, keep: checkpoints.keep, bestStep });
    savedStep = state.step;
    onEvent?.({ kind: 'checkpoint', step: state.step, best: bestStep === state.step });
  };

  try {
    const times = [performance.now()];
    const stops = (): boolean => signal?.aborted === true || state.step - first >= stopAfter;
    while (state.step < total && !stops()) {
      const started = times.at(-1) ?? 0;
      const { state: next, result } = await metaStep(learner, state);
      progress = advanceProgress(progress, result.metaLoss, checkpoints);
      times.push(performance.now());
      const record: StepMetrics = {
        step: state.step,
        metaLoss: result.metaLoss,
        smoothedMetaLoss: progress.smoothedMetaLoss ?? NaN,
        gradientNorm: result.gradientNorm,
        clipFraction: result.clipFraction,
        lr: compiled.lrAt(state.step),
        tasks: result.tasks,
        ms: Math.round(10 * ((times.at(-1) ?? 0) - started)) / 10,
      };
      state = next;
      metrics.append({ ...record });
      if (times.length > RATE_STEPS) times.shift();
      const stepsPerSecond = (1000 * (times.length - 1)) / Math.max(1e-3, (times.at(-1) ?? 0) - (times[0] ?? 0));
      const remainingMs = (1000 * (total - state.step)) / stepsPerSecond;
      onEvent?.({ kind: 'step', metrics: record, total, stepsPerSecond, remainingMs });
      if (state.step % checkpoints.every === 0 || state.step === total) await save();
      // Lets signals and progress be handled where the engine runs in this thread.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (savedStep !== state.step) await save();
    const ended = state.step >= total ? 'finished' : 'stopped';
    return { step: state.step, total, ended, metaLoss: progress.smoothedMetaLoss };
  } finally {
    disposeRun(learner, state);
  }
}

/** Steps over which the rate shown is a mean. */
const RATE_STEPS = 30;
