import { CheckpointError } from '../checkpoints/checkpoint-error.ts';
import { encodeCheckpoint } from '../checkpoints/checkpoint.ts';
import { readRunCheckpoint } from '../checkpoints/files/read-checkpoint.ts';
import { checkpointPath, listCheckpoints } from '../checkpoints/files/run-directory.ts';
import type { HostArray } from '../jit/graph/graph.ts';
import type { LearnedOptimizer } from '../lopt/optimizer.ts';
import { isRecord } from '../lopt/options.ts';
import type { RunConfig } from './config.ts';
import type { DataRecord } from './learner.ts';
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
  data,
}: {
  readonly learner: Learner<State>;
  readonly learned: LearnedOptimizer;
  readonly state: MetaState<State>;
  readonly progress: Progress;
  readonly config: RunConfig;
  /** The data that the run trains on: what was seen travels with theta. */
  readonly data: readonly DataRecord[];
}): Promise<Uint8Array> {
  return encodeCheckpoint({
    kind: 'run',
    optimizer: { name: learned.name, options: learned.options },
    facts: { step: state.step, bestStep: progress.best?.step ?? null, progress, config, data },
    tensors: await downloadRun(learner, state),
  });
}

/**
 * The newest checkpoint of a run; undefined where there is none (the run then starts from the beginning).
 * @throws CheckpointError when it is damaged, saying which one is left.
 */
export async function loadNewest(directory: string): Promise<SavedRun | undefined> {
  const [step, older] = (await listCheckpoints(directory)).toReversed();
  if (step === undefined) return undefined;
  try {
    return await loadCheckpoint(directory, step);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    const path = checkpointPath(directory, step);
    throw new CheckpointError(
      path,
      `${error.message}. It is the run's newest checkpoint; ` +
        (older === undefined
          ? 'there is no older one. Restore it, or delete it to train from the beginning'
          : `restore it, or delete it to resume after step ${older}, from ${checkpointPath(directory, older)}`),
      { cause: error },
    );
  }
}

async function loadCheckpoint(directory: string, step: number): Promise<SavedRun> {
  const { checkpoint, path } = await readRunCheckpoint(`${directory}@${step}`);
  const { facts, kind, tensors } = checkpoint;
  if (kind !== 'run' || facts['step'] !== step || !isProgress(facts['progress']))
    throw new CheckpointError(path, `Cannot resume from ${path}: expected the checkpoint of a run after ${step} steps`);
  return { step, progress: facts['progress'], tensors };
}

function isProgress(value: unknown): value is Progress {
  return isRecord(value) && Object.keys(NO_PROGRESS).every((name) => name in value);
}
