/** The golden files of test/goldens, parsed. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { inputsFile, parseTrajectory, type Trajectory } from '../../lopt/conform/trajectory.ts';

/** Trajectories, by path under test/goldens. */
export const TRAJECTORIES = [
  'hand/sgd',
  'hand/momentum',
  'hand/nesterov',
  'hand/rmsprop',
  'hand/rmsprop--centered',
  'hand/adam',
  'hand/adam--eps-root',
  'hand/adamw',
  'hand/nadamw--optax',
  'hand/gradient-clipping--value',
  'hand/gradient-clipping--global-norm',
  'hand/gradient-clipping--block-rms',
  'adafac_mlp_h4',
  'adafac_mlp_h32',
  'strong_adafac_h8',
  'strong_adafac_h32',
  'celo2',
  'celo2_base',
  'strong_celo2',
  'strong_celo2_base',
] as const;

/** A golden file's JSON. */
export function readGolden(name: string): unknown {
  const bytes = readFileSync(new URL(`../goldens/${name}.json.gz`, import.meta.url));
  return JSON.parse(gunzipSync(bytes).toString('utf8'));
}

/** A golden trajectory, with the inputs that it names. */
export function readTrajectory(name: string): Trajectory {
  const golden = readGolden(name);
  const inputs = inputsFile(golden);
  if (inputs === undefined) return parseTrajectory(golden);
  return parseTrajectory(golden, { inputs: readGolden(`hand/${inputs.replace(/\.json$/, '')}`) });
}
