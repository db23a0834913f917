import { CheckpointError } from '../checkpoints/checkpoint-error.ts';
import { encodeCheckpoint } from '../checkpoints/checkpoint.ts';
import { readMetrics, recordedSteps } from '../checkpoints/files/metrics-log.ts';
import { readRunCheckpoint } from '../checkpoints/files/read-checkpoint.ts';
import { listCheckpoints, runPaths } from '../checkpoints/files/run-directory.ts';
import type { HostArray } from '../jit/graph/graph.ts';
import type { LearnedOptimizer } from '../lopt/optimizer.ts';
import { isRecord } from '../lopt/options.ts';
import type { RunConfig } from './config.ts';
import type { Learner, MetaState } from './meta-step.ts';
import { NO_PROGRESS, type Progress, downloadRun } from './run-state.ts';

/** A run as a checkpoint keeps it. */
export interface SavedRun {
  /** Outer steps done. */
  readonly step: number;
  readonly progress: Progress;
  readonly tensors: ReadonlyMap<string, HostArray>;
}

/** Bytes of a run's checkpoint. The same state gives the same bytes. */
export async function packRun<State>({
  learner,
  learned,
  state,
  progress,
  config,
}: {
  readonly learner: Learner<State>;
  readonly learned: LearnedOptimizer;
  readonly state: MetaState<State>;
  readonly progress: Progress;
  readonly config: RunConfig;
}): Promise<Uint8Array> {
  return encodeCheckpoint({
    kind: 'run',
    optimizer: { name: learned.name, options: learned.options },
    facts: { step: state.step, bestStep: progress.best?.step ?? null, progress, config },
    tensors: await downloadRun(learner, state),
  });
}

/**
 * The newest checkpoint of a run whose every step has its record in metrics.ndjson; undefined where there is none (the run then starts
 * from the beginning).
 * @throws CheckpointError when it is damaged.
 */
export async function loadNewest(directory: string): Promise<SavedRun | undefined> {
  const recorded = recordedSteps(await readMetrics(runPaths(directory).metrics));
  const step = (await listCheckpoints(directory)).findLast((step) => step <= recorded);
  if (step === undefined) return undefined;
  const { checkpoint, path } = await readRunCheckpoint(`${directory}@${step}`);
  const { facts, kind, tensors } = checkpoint;
  if (kind !== 'run' || facts['step'] !== step || !isProgress(facts['progress']))
    throw new CheckpointError(path, `Cannot resume from ${path}: expected the checkpoint of a run after ${step} steps`);
  return { step, progress: facts['progress'], tensors };
}

function isProgress(value: unknown): value is Progress {
  return isRecord(value) && Object.keys(NO_PROGRESS).every((name) => name in value);
}
