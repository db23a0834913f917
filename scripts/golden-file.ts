import { access, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inputsFile, NotReplayable, parseTrajectory, type Trajectory } from '../lopt/conform/trajectory.ts';
import { unpack } from '../tasks/data-sets/gzip.ts';

/**
 * A golden trajectory from a file, gzip or not (told by content), with the file of inputs that it may name.
 * @throws NotReplayable for what is no trajectory; Error for what can't be read.
 */
export async function readGolden(file: string): Promise<Trajectory> {
  const golden = await readJson(file);
  const inputs = inputsFile(golden);
  if (inputs === undefined) return parseTrajectory(golden);
  const beside = join(dirname(file), inputs);
  return parseTrajectory(golden, { inputs: await readJson((await exists(beside)) ? beside : `${beside}.gz`) });
}

async function readJson(file: string): Promise<unknown> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new Error(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await unpack(bytes, { file })));
  } catch (error) {
    throw new NotReplayable(
      'no trajectory',
      `Cannot read ${file}: expected JSON but ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
