/** Golden trajectories: parameters after each of a few steps, as a published implementation computed them. Parsed JSON in, typed arrays out. */
import { sizeOf, type HostArray } from '../../jit/graph/graph.ts';
import type { Arrays } from '../optimizer.ts';
import { isRecord, type GivenOptions } from '../options.ts';

/** Why a golden can't be replayed here, though it may be a fine golden. */
export type NotReplayableReason =
  | 'no trajectory'
  | 'unknown optimizer'
  | 'unknown option'
  | 'variant not followed'
  | 'unmet need';

/** A golden that can't be replayed. */
export class NotReplayable extends RangeError {
  override readonly name = 'NotReplayable';
  readonly reason: NotReplayableReason;

  constructor(reason: NotReplayableReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** How far a tensor may be off: absolute * max(1, max|p|) + relative * max|p - p0|, but for a fraction of its elements. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
  /** Fraction of the elements that may be off by any amount. Default 0. */
  readonly outlierFraction: number;
}

/** A golden trajectory. */
export interface Trajectory {
  readonly optimizer: string;
  /** Another implementation's form of the optimizer. */
  readonly variant?: string;
  readonly options: GivenOptions;
  readonly tolerance: Tolerance;
  /** Number of steps that the optimizer is told the trajectory has. */
  readonly horizon: number;
  readonly params: Arrays;
  /** One record a step. */
  readonly grads: readonly Arrays[];
  readonly losses: readonly number[];
  readonly paramsAfterStep: readonly Arrays[];
  /** The optimizer's `weights` after each step, where they differ from its params. */
  readonly weightsAfterStep?: readonly Arrays[];
  /** Theta under the published names. */
  readonly theta?: Arrays;
  /** File that holds theta, among the pretrained ones. */
  readonly thetaFile?: string;
  /** muP multiplier of the learning rate, a tensor. */
  readonly lrMult: ReadonlyMap<string, number>;
}

/** The file of inputs that a golden names, relative to its own folder; undefined where it stands alone. */
export function inputsFile(golden: unknown): string | undefined {
  return isRecord(golden) && typeof golden['inputs'] === 'string' ? golden['inputs'] : undefined;
}

/**
 * Reads a golden trajectory. `inputs` is the parsed file that `inputsFile` names.
 * @throws NotReplayable for what is no trajectory.
 */
export function parseTrajectory(golden: unknown, { inputs }: { readonly inputs?: unknown } = {}): Trajectory {
  const file = record(golden, 'a golden trajectory');
  const from = inputsFile(golden) === undefined ? file : record(inputs, `the inputs file ${inputsFile(golden) ?? ''}`);
  const order = list(file['tensor_order'] ?? from['tensor_order'], 'tensor_order').map((path) =>
    text(path, 'tensor_order'),
  );
  const arrays = (value: unknown, name: string): Arrays => {
    const tensors = record(value, name);
    return new Map(order.map((path) => [path, array(tensors[path], `${name} ${path}`)]));
  };
  const steps = (value: unknown, name: string): readonly Arrays[] =>
    list(value, name).map((step, index) => arrays(step, `${name} ${index}`));
  const gradients = file['gradients'];
  if (typeof gradients === 'string' && !gradients.startsWith('grads of '))
    throw new NotReplayable('unmet need', `Cannot replay a golden: expected its gradients listed but got ${gradients}`);
  const weights = file['eval_params_after_step'] ?? file['averaged_params_after_step'];
  const tolerance = record(file['tolerance'], 'tolerance');
  return {
    optimizer: text(file['optimizer'], 'optimizer'),
    ...(file['variant'] === undefined ? {} : { variant: text(file['variant'], 'variant') }),
    options: record(file['options'], 'options'),
    tolerance: {
      absolute: number(tolerance['absolute'], 'tolerance absolute'),
      relative: number(tolerance['relative'], 'tolerance relative'),
      outlierFraction: number(tolerance['outlierFraction'] ?? 0, 'tolerance outlierFraction'),
    },
    horizon: number(file['num_steps'], 'num_steps'),
    params: arrays(from['params0'], 'params0'),
    grads: steps(from['grads'], 'grads'),
    losses: list(from['losses'], 'losses').map((loss) => number(loss, 'losses')),
    paramsAfterStep: steps(file['params_after_step'], 'params_after_step'),
    ...(weights === undefined ? {} : { weightsAfterStep: steps(weights, 'weights after step') }),
    ...(file['theta'] === undefined ? {} : { theta: thetaOf(record(file['theta'], 'theta')) }),
    ...(file['theta_file'] === undefined ? {} : { thetaFile: text(file['theta_file'], 'theta_file') }),
    lrMult: new Map(
      Object.entries(record(file['mup_lr_mult'] ?? {}, 'mup_lr_mult')).map(([path, multiplier]) => [
        path,
        number(multiplier, 'mup_lr_mult'),
      ]),
    ),
  };
}

function thetaOf(leaves: Readonly<Record<string, unknown>>): Arrays {
  return new Map(Object.entries(leaves).map(([path, leaf]) => [path, array(leaf, `theta ${path}`)]));
}

function array(value: unknown, name: string): HostArray {
  const { shape, data } = record(value, name);
  const extents = list(shape, `${name} shape`).map((extent) => number(extent, `${name} shape`));
  const elements = list(data, `${name} data`).map((element) => number(element, `${name} data`));
  if (elements.length !== sizeOf(extents)) fail(`${name} with ${sizeOf(extents)} elements`, String(elements.length));
  return { shape: extents, dtype: 'float32', data: Float32Array.from(elements) };
}

function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : fail(`${name} as an object`, kindOf(value));
}

function list(value: unknown, name: string): readonly unknown[] {
  return Array.isArray(value) ? value : fail(`${name} as a list`, kindOf(value));
}

function number(value: unknown, name: string): number {
  return typeof value === 'number' ? value : fail(`${name} as a number`, kindOf(value));
}

function text(value: unknown, name: string): string {
  return typeof value === 'string' ? value : fail(`${name} as a text`, kindOf(value));
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function fail(expected: string, got: string): never {
  throw new NotReplayable('no trajectory', `Cannot read a golden trajectory: expected ${expected} but got ${got}`);
}
