import { readFile } from 'node:fs/promises';
import { type Checkpoint, decodeCheckpoint } from '../checkpoint.ts';
import { CheckpointError } from '../checkpoint-error.ts';
import { failureReason } from './file-errors.ts';
import { checkpointPath, listCheckpoints, parseRunReference } from './run-directory.ts';

/** A checkpoint of a run, and which one it is. */
export interface RunCheckpoint {
  readonly directory: string;
  readonly step: number;
  readonly path: string;
  readonly checkpoint: Checkpoint;
}

/** Bytes of a file. @throws CheckpointError naming it and the reason when it can't be read. */
export async function readFileBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return Uint8Array.from(await readFile(path));
  } catch (error) {
    throw new CheckpointError(path, `Cannot read ${path}: ${failureReason(error)}`, { cause: error });
  }
}

/**
 * Reads the checkpoint that `RUN`, `RUN@best` or `RUN@500` names. Which one is best is a fact (`bestStep`) that the newest one states.
 * @throws CheckpointError when there is no such run or checkpoint, or it is damaged.
 */
export async function readRunCheckpoint(reference: string): Promise<RunCheckpoint> {
  const { directory, which } = await parseRunReference(reference);
  const steps = await listCheckpoints(directory);
  const newest = steps.at(-1);
  if (newest === undefined)
    throw new CheckpointError(
      reference,
      `Cannot read ${reference}: the run has no checkpoint yet. Continue it with --resume ${directory}`,
    );
  const read = async (step: number): Promise<RunCheckpoint> => {
    if (!steps.includes(step))
      throw new CheckpointError(
        reference,
        `Cannot read ${reference}: there is no checkpoint of step ${step}. There are ${steps.map((other) => `${directory}@${other}`).join(', ')}`,
      );
    const path = checkpointPath(directory, step);
    const checkpoint = await decodeCheckpoint(await readFileBytes(path), { file: path });
    return { directory, step, path, checkpoint };
  };
  if (which !== 'best') return read(which === 'newest' ? newest : which);
  const last = await read(newest);
  const { bestStep } = last.checkpoint.facts;
  if (typeof bestStep !== 'number')
    throw new CheckpointError(
      reference,
      `Cannot read ${reference}: the run has no best checkpoint yet. Its newest is ${directory}`,
    );
  return bestStep === newest ? last : read(bestStep);
}
