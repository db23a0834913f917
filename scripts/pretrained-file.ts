import { join } from 'node:path';
import { decodeFlaxTree } from '../checkpoints/flax-msgpack.ts';
import { readFileBytes } from '../checkpoints/files/read-checkpoint.ts';
import type { Arrays } from '../lopt/optimizer.ts';

/** A published theta file in a directory of them, such as `celo/theta.state`. @throws CheckpointError for what can't be read. */
export async function readPretrained(directory: string, name: string): Promise<Arrays> {
  const file = join(directory, name);
  return decodeFlaxTree(await readFileBytes(file), { file });
}
