/** Replays golden trajectories and says how far ours are from them, in parts of what each golden tolerates. */
import type { Engine } from '../../jit/engines/engine.ts';
import type { Arrays, Optimizer, ParamSpec, ParamSpecs } from '../optimizer.ts';
import type { GivenOptions } from '../options.ts';
import { createLearned, createOptimizer, OPTIMIZERS } from '../registry.ts';
import { deviationOf, type Deviation } from './deviation.ts';
import { startEagerly, startOnEngine, type Start } from './runs.ts';
import { NotReplayable, type Trajectory } from './trajectory.ts';

/** Forms of other implementations that we follow, each with those of its options that have another name here. */
const FOLLOWED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'adam--eps-root': {},
  'rmsprop--centered': {},
  'nadamw--optax': {},
  'gradient-clipping--value': {},
  'gradient-clipping--global-norm': {},
  'gradient-clipping--block-rms': {},
};

/** How a trajectory is replayed. */
export interface ReplayOptions {
  /** Where it runs. Default: eagerly, on the active TensorFlow.js backend. */
  readonly engine?: Engine;
  /** Reads a published theta file (`celo/theta.state`) as flat paths joined by ' | '. */
  readonly pretrained?: (file: string) => Promise<Arrays>;
}

/** How a replay went. */
export interface Conformance {
  /** Name in the registry. */
  readonly optimizer: string;
  readonly variant?: string;
  readonly steps: number;
  /** The worst deviation of each tensor over all steps; in tolerance up to 1. */
  readonly tensors: ReadonlyMap<string, Deviation>;
  /** The worst of all. */
  readonly worst: number;
  readonly conforms: boolean;
}

/**
 * Replays a trajectory, step by step, with our optimizer of that name and its options.
 * @throws NotReplayable for an optimizer, option, variant or need that isn't there; RangeError for a theta that doesn't fit.
 */
export async function replayTrajectory(
  trajectory: Trajectory,
  { engine, pretrained }: ReplayOptions = {},
): Promise<Conformance> {
  const optimizer = await optimizerOf(trajectory, pretrained);
  const specs = specsOf(trajectory);
  const start: Start = { optimizer, specs, params: trajectory.params, horizon: trajectory.horizon };
  const run = engine === undefined ? startEagerly(start) : await startOnEngine(engine, start);
  const tensors = new Map<string, Deviation>();
  try {
    for (const [step, grads] of trajectory.grads.entries()) {
      const got = await run.step({ grads, loss: trajectory.losses[step] ?? Number.NaN });
      const compare = (wanted: Arrays | undefined, arrays: Arrays | undefined): void => {
        for (const [path, reference] of wanted ?? []) {
          const deviation = deviationOf(arrays?.get(path), {
            reference,
            start: trajectory.params.get(path),
            tolerance: trajectory.tolerance,
          });
          const before = tensors.get(path);
          if (before === undefined || !(deviation <= before.parts)) tensors.set(path, { parts: deviation, step });
        }
      };
      compare(trajectory.paramsAfterStep[step], got.params);
      compare(trajectory.weightsAfterStep?.[step], got.weights);
    }
  } finally {
    run.dispose();
  }
  const worst = Math.max(...[...tensors.values()].map(({ parts }) => parts));
  const { variant, grads } = trajectory;
  return {
    optimizer: trajectory.optimizer,
    ...(variant === undefined ? {} : { variant }),
    steps: grads.length,
    tensors,
    worst,
    conforms: worst <= 1,
  };
}

async function optimizerOf(
  { optimizer: name, variant, options, theta, thetaFile }: Trajectory,
  pretrained: ReplayOptions['pretrained'],
): Promise<Optimizer> {
  const entry = OPTIMIZERS.find((known) => known.name === name);
  if (entry === undefined) {
    const names = OPTIMIZERS.map((known) => known.name).join(', ');
    throw new NotReplayable('unknown optimizer', `Cannot replay a golden: expected one of ${names} but got ${name}`);
  }
  const renamed = renamedOptions(name, variant, options);
  if (entry.family !== 'learned') return asKnown(() => createOptimizer(name, renamed));
  const learned = asKnown(() => createLearned(name, renamed));
  return learned.optimizer(learned.importTheta(theta ?? (await loadTheta(name, thetaFile, pretrained))));
}

function renamedOptions(name: string, variant: string | undefined, options: GivenOptions): GivenOptions {
  if (variant === undefined) return options;
  const renames = FOLLOWED[`${name}--${variant}`];
  if (renames === undefined)
    throw new NotReplayable(
      'variant not followed',
      `Cannot replay a golden: expected one of the variants ${Object.keys(FOLLOWED).join(', ')} but got ${name}--${variant}`,
    );
  return Object.fromEntries(Object.entries(options).map(([option, value]) => [renames[option] ?? option, value]));
}

/** Says of an option that the optimizer refuses that the golden can't be replayed. */
function asKnown<T>(create: () => T): T {
  try {
    return create();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new NotReplayable('unknown option', cause.message, { cause });
  }
}

async function loadTheta(
  name: string,
  file: string | undefined,
  pretrained: ReplayOptions['pretrained'],
): Promise<Arrays> {
  if (file === undefined)
    throw new NotReplayable(
      'no trajectory',
      `Cannot replay a golden: expected a theta or theta_file for ${name} but got neither`,
    );
  if (pretrained === undefined)
    throw new NotReplayable(
      'unmet need',
      `Cannot replay a golden: expected the directory of pretrained files that holds ${file} (--pretrained DIR) but got none`,
    );
  return pretrained(file);
}

function specsOf({ params, lrMult }: Trajectory): ParamSpecs {
  return new Map(
    [...params].map(([path, { shape }]): [string, ParamSpec] => {
      const multiplier = lrMult.get(path);
      const spec: ParamSpec = { path, shape, dtype: 'float32' };
      return [path, multiplier === undefined ? spec : { ...spec, lrMult: multiplier }];
    }),
  );
}
