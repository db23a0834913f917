import {
  type Option,
  type OptionRow,
  type OptionSchema,
  type OptionsOf,
  choiceOption,
  integerOption,
  isRecord,
  listOption,
  numberOption,
  optional,
  optionRows,
  readOptions,
  refusal,
  textOption,
} from '../lopt/options.ts';
import { META_LOSS_SPLITS } from './program.ts';

const DOING = 'use config';

/** Horizons and step counts enter programs as float32, which holds every whole number up to this one. */
const MOST_STEPS = 2 ** 24;

/** What a window draws is planned as a whole before it runs: this many steps take hundreds of megabytes. */
const MOST_WINDOW_STEPS = 100_000;

const MOST_PARTICLES = 2 ** 16;

/** An option that is an object with options of its own. */
interface GroupOption<S extends OptionSchema> extends Option<OptionsOf<S>> {
  readonly members: S;
}

function group<S extends OptionSchema>(meaning: string, members: S): GroupOption<S> {
  return {
    role: 'structural',
    default: readOptions(members, {}, { doing: DOING }),
    expected: 'an object',
    meaning,
    members,
    read: (value, { doing, path }) => readOptions(members, value, { doing, within: path }),
  };
}

/** Any JSON object: whoever it is for checks it. */
function record(
  meaning: string,
  value: Readonly<Record<string, unknown>> = {},
): Option<Readonly<Record<string, unknown>>> {
  return {
    role: 'structural',
    default: value,
    expected: 'an object of options by name',
    meaning,
    read(given, place) {
      if (!isRecord(given)) throw new TypeError(refusal(place, this.expected, given));
      return given;
    },
  };
}

const seed: Option<number | string> = {
  role: 'structural',
  default: 0,
  expected: 'a finite number or a text',
  meaning: 'seed of every random number',
  read(given, place) {
    if (typeof given === 'string' || (typeof given === 'number' && Number.isFinite(given))) return given;
    throw new TypeError(refusal(place, this.expected, given));
  },
};

const named = (what: string, name: string, options: Readonly<Record<string, unknown>> = {}) =>
  group(what, {
    name: textOption({ default: name, meaning: `name of the ${what}` }),
    options: record('its options', options),
  });

export const ESTIMATOR_NAMES = ['truncated-pes', 'truncated-es'] as const;

const TASK = group('one inner problem', {
  name: textOption({ default: 'image-mlp', meaning: 'task family' }),
  options: record('its options'),
  reparameterise: optional(
    group('reparameterisation augmentation: scales drawn anew for each trajectory', {
      level: choiceOption({
        choices: ['global', 'tensor', 'parameter'],
        default: 'global',
        meaning: 'what shares a scale',
      }),
      min: numberOption({ default: 1e-3, above: 0, meaning: 'smallest scale' }),
      max: numberOption({ default: 1e3, above: 0, meaning: 'largest scale' }),
    }),
  ),
});

/** The options of a run, from which validation, `--set` and the docs derive. */
export const CONFIG_SCHEMA = {
  name: textOption({ default: 'custom', meaning: 'name of the recipe' }),
  description: textOption({ default: '', meaning: 'what the recipe is for' }),
  optimizer: named('learned optimizer', 'adafac-mlp'),
  tasks: listOption({
    default: [],
    element: TASK,
    minLength: 1,
    meaning: 'inner problems; their meta-gradients are averaged',
  }),
  estimator: group('how the meta-gradient is estimated', {
    name: choiceOption({ choices: ESTIMATOR_NAMES, default: 'truncated-pes', meaning: 'estimator' }),
    pairs: integerOption({ default: 8, min: 1, max: MOST_PARTICLES / 2, meaning: 'antithetic pairs, per task' }),
    groupSize: integerOption({
      default: 8,
      min: 2,
      max: MOST_PARTICLES,
      meaning: 'particles that run as one batch',
    }),
    window: integerOption({ default: 50, min: 1, max: MOST_WINDOW_STEPS, meaning: 'inner steps between outer steps' }),
    sigma: numberOption({ default: 0.01, above: 0, meaning: 'standard deviation of the perturbations of theta' }),
    metaLoss: choiceOption({
      choices: META_LOSS_SPLITS,
      default: 'train',
      meaning: 'examples whose loss is the meta-loss: those trained on, or others',
    }),
  }),
  trajectory: group('lengths of inner training, log-uniform', {
    min: integerOption({ default: 100, min: 1, max: MOST_STEPS, meaning: 'shortest trajectory, in inner steps' }),
    max: integerOption({ default: 2000, min: 1, max: MOST_STEPS, meaning: 'longest trajectory, in inner steps' }),
    stagger: integerOption({
      default: 0,
      min: 0,
      max: MOST_STEPS,
      meaning: 'spread of the first resets, in inner steps',
    }),
  }),
  outer: group('how theta is trained', {
    optimizer: named('hand-designed optimizer of theta', 'adamw', { lr: 3e-4, weightDecay: 1e-4 }),
    clip: optional(
      group('clipping of the meta-gradient', {
        kind: choiceOption({ choices: ['globalNorm', 'value'], default: 'globalNorm', meaning: 'what is limited' }),
        threshold: numberOption({ default: 1, above: 0, meaning: 'the limit' }),
      }),
    ),
  }),
  steps: integerOption({ default: 1000, min: 0, max: MOST_STEPS, meaning: 'outer steps' }),
  seed,
  checkpoints: group('what is kept', {
    every: integerOption({ default: 100, min: 1, max: MOST_STEPS, meaning: 'outer steps between checkpoints' }),
    keep: integerOption({ default: 3, min: 1, max: MOST_STEPS, meaning: 'newest checkpoints kept' }),
    smoothing: numberOption({
      default: 0.95,
      min: 0,
      below: 1,
      meaning: 'weight of the past in the moving meta-loss by which the best is chosen',
    }),
  }),
  engine: group('what runs the programs', {
    name: choiceOption({ choices: ['onnx', 'eager', 'native'], default: 'onnx', meaning: 'engine' }),
    device: textOption({ default: 'cpu', meaning: 'device of the engine' }),
    threads: optional(integerOption({ default: 1, min: 1, max: 1024, meaning: 'threads; null for all there are' })),
  }),
} satisfies OptionSchema;

/** Everything that a meta-training run is made from. A recipe is one; config.json keeps it, overrides and defaults applied. */
export type RunConfig = OptionsOf<typeof CONFIG_SCHEMA>;

/** One task of a run: a family's task, perhaps augmented. */
export type TaskConfig = RunConfig['tasks'][number];

/** A config as rows, with dotted names, for help and docs. */
export function configRows(schema: OptionSchema = CONFIG_SCHEMA): readonly OptionRow[] {
  return optionRows(schema).flatMap((row) => {
    const option = schema[row.name];
    if (option === undefined || !('members' in option)) return [row];
    const inner = configRows(option.members as OptionSchema);
    return inner.map((own) => Object.assign({}, own, { name: `${row.name}.${own.name}` }));
  });
}

/**
 * A config from JSON, defaults filled in. Names of optimizers, tasks and their options are checked where they are made.
 * @throws TypeError when something is of the wrong kind; RangeError when a key is unknown or missing or a value out of range.
 */
export function checkConfig(value: unknown): RunConfig {
  const config = readOptions(CONFIG_SCHEMA, value, { doing: DOING });
  const { tasks, trajectory, estimator } = config;
  if (tasks.length === 0)
    throw new RangeError(`Cannot use config: expected option tasks to be a list of at least one task but got none`);
  if (trajectory.min > trajectory.max)
    throw new RangeError(
      `Cannot use config: expected option trajectory.max to be at least trajectory.min, ${trajectory.min}, but got ${trajectory.max}`,
    );
  if (estimator.groupSize % 2 !== 0 || (2 * estimator.pairs) % estimator.groupSize !== 0)
    throw new RangeError(
      `Cannot use config: expected option estimator.groupSize to be even and to divide the ${2 * estimator.pairs} particles of ${estimator.pairs} pairs but got ${estimator.groupSize}`,
    );
  for (const [index, { reparameterise }] of tasks.entries())
    if (reparameterise !== null && reparameterise.min > reparameterise.max)
      throw new RangeError(
        `Cannot use config: expected option tasks[${index}].reparameterise.max to be at least ${reparameterise.min} but got ${reparameterise.max}`,
      );
  return config;
}

/**
 * A config with one item replaced, as `--set estimator.sigma=0.02` or `--set tasks.0.options.batch=32` asks. A text that is JSON
 * counts as that where the option takes it, else as the text itself.
 * @throws TypeError or RangeError when there is no such option or the text doesn't fit it; SyntaxError when there is no '='.
 */
export function overrideConfig(config: unknown, assignment: string): unknown {
  const split = assignment.indexOf('=');
  if (split < 1)
    throw new SyntaxError(
      `Cannot override config: expected name=value, as in estimator.sigma=0.02, but got ${assignment}`,
    );
  const path = assignment.slice(0, split).split('.');
  const text = assignment.slice(split + 1);
  const json = readJson(text);
  const candidates = json === undefined ? [text] : [json, text];
  const errors: unknown[] = [];
  for (const candidate of candidates) {
    try {
      const replaced = setAt(config, path, candidate);
      readOptions(CONFIG_SCHEMA, replaced, { doing: DOING });
      return replaced;
    } catch (error) {
      errors.push(error);
    }
  }
  throw errors[0];
}

function setAt(value: unknown, path: readonly string[], item: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return item;
  if (Array.isArray(value)) {
    const index = Number(key);
    if (!Number.isInteger(index) || index < 0 || index >= value.length)
      throw new RangeError(`Cannot override config: expected an index from 0 to ${value.length - 1} but got ${key}`);
    return value.map((old: unknown, at) => (at === index ? setAt(old, rest, item) : old));
  }
  const members = isRecord(value) ? value : {};
  return { ...members, [key]: setAt(members[key], rest, item) };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
