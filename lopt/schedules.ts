/**
 * Schedules: numbers that follow from the step and the horizon. One rule serves the traced program and the host (logs): it is
 * written over an arithmetic that is either tensors or numbers.
 *
 * **Source** optax 0.2.8 (`constant_schedule`, `linear_schedule`, `warmup_cosine_decay_schedule`).
 * **Checked against** curves of the three (test/goldens/hand/inputs/schedules.json.gz).
 * **Differs** `initial` and `end` of warmup-cosine are fractions of the peak, and so is linear's `end` of its start; the total may be
 * left out and is then the horizon that the optimizer is told; a warm-up of 0 steps starts at the peak.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  choiceOption,
  isRecord,
  numberOption,
  optional,
  readOptions,
  refusal,
  type NumberRange,
  type Option,
  type OptionPlace,
  type OptionSchema,
} from './options.ts';

/** A schedule as options give it: its name, and its numbers by name. All numbers are values of the program. */
export interface ScheduleOptions {
  readonly schedule: string;
  readonly [number: string]: number | string | null;
}

/** What schedules compute with. */
interface Arithmetic<T> {
  constant(value: number): T;
  add(a: T, b: T): T;
  subtract(a: T, b: T): T;
  multiply(a: T, b: T): T;
  divide(a: T, b: T): T;
  maximum(a: T, b: T): T;
  minimum(a: T, b: T): T;
  cosine(a: T): T;
  /** `less` where x < y, else `otherwise`. */
  ifLess(x: T, y: T, branches: { readonly less: T; readonly otherwise: T }): T;
}

/** A schedule's numbers by name, and where it stands. */
interface ScheduleInput<T> {
  /** The numbers of the schedule's options; those left out are absent. */
  readonly numbers: Readonly<Record<string, T>>;
  /** Number of updates done before this one. */
  readonly step: T;
  /** Full length of the trajectory in steps. */
  readonly horizon: T;
}

interface Schedule {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  /** Options that are in the range of the scheduled number (a start, a peak). */
  readonly scheduled: readonly string[];
  readonly options: (range: NumberRange) => OptionSchema;
  rule<T>(math: Arithmetic<T>, input: ScheduleInput<T>): T;
}

const total = optional(
  numberOption({
    default: 1,
    above: 0,
    role: 'numeric',
    meaning: 'length of the whole schedule in steps; null: the horizon',
  }),
);

const CONSTANT: Schedule = {
  name: 'constant',
  summary: 'value',
  source: 'optax constant_schedule',
  scheduled: ['value'],
  options: (range) => ({ value: numberOption({ ...range, default: 1, role: 'numeric', meaning: 'the number' }) }),
  rule: (_, { numbers }) => pick(numbers, 'value'),
};

const LINEAR: Schedule = {
  name: 'linear',
  summary: 'initial * (1 + (end - 1) * min(t / total, 1))',
  source: 'optax linear_schedule',
  scheduled: ['initial'],
  options: (range) => ({
    initial: numberOption({ ...range, default: 1, role: 'numeric', meaning: 'value at step 0' }),
    end: numberOption({ default: 0, min: 0, role: 'numeric', meaning: 'value at `total` and after, over `initial`' }),
    total,
  }),
  rule(math, { numbers, step, horizon }) {
    const one = math.constant(1);
    const part = math.minimum(math.divide(step, numbers['total'] ?? horizon), one);
    const fraction = math.add(one, math.multiply(math.subtract(pick(numbers, 'end'), one), part));
    return math.multiply(pick(numbers, 'initial'), fraction);
  },
};

const WARMUP_COSINE: Schedule = {
  name: 'warmup-cosine',
  summary: 'from initial * peak to peak in `warmup` steps, then half a cosine to end * peak at `total`',
  source: 'optax warmup_cosine_decay_schedule; Loshchilov & Hutter 2016, arXiv 1608.03983',
  scheduled: ['peak'],
  options: (range) => ({
    peak: numberOption({ ...range, default: 1, role: 'numeric', meaning: 'value after the warm-up' }),
    initial: numberOption({ default: 0, min: 0, role: 'numeric', meaning: 'value at step 0, over `peak`' }),
    warmup: numberOption({ default: 0, min: 0, role: 'numeric', meaning: 'steps of warm-up, part of `total`' }),
    end: numberOption({ default: 0, min: 0, role: 'numeric', meaning: 'value at `total` and after, over `peak`' }),
    total,
  }),
  rule(math, { numbers, step, horizon }) {
    const one = math.constant(1);
    const initial = pick(numbers, 'initial');
    const warmup = pick(numbers, 'warmup');
    const end = pick(numbers, 'end');
    // A warm-up of 0 steps never takes the first branch; the maximum only keeps it from being 0 / 0.
    const rise = math.divide(step, math.maximum(warmup, one));
    const rising = math.add(initial, math.multiply(math.subtract(one, initial), rise));
    // The cosine spans what is left after the warm-up: total - warmup, not total.
    const rest = math.maximum(math.subtract(numbers['total'] ?? horizon, warmup), one);
    const part = math.minimum(math.divide(math.maximum(math.subtract(step, warmup), math.constant(0)), rest), one);
    const cosine = math.cosine(math.multiply(math.constant(Math.PI), part));
    const half = math.multiply(math.constant(0.5), math.add(one, cosine));
    const falling = math.add(end, math.multiply(math.subtract(one, end), half));
    return math.multiply(pick(numbers, 'peak'), math.ifLess(step, warmup, { less: rising, otherwise: falling }));
  },
};

/** Every schedule. */
export const SCHEDULES: readonly Schedule[] = [CONSTANT, LINEAR, WARMUP_COSINE];

const NAMES = SCHEDULES.map(({ name }) => name);

const scheduleName: Option<string> = choiceOption({ choices: NAMES, default: 'constant', meaning: 'which schedule' });

/**
 * Reads a schedule from options such as `{schedule: 'warmup-cosine', peak: 0.001, warmup: 100}`. `range` is that of the number
 * that is scheduled; defaults are filled in.
 * @throws TypeError or RangeError that says what there is.
 */
export function readSchedule(value: unknown, range: NumberRange, { doing, path }: OptionPlace): ScheduleOptions {
  if (!isRecord(value) || !('schedule' in value))
    throw new TypeError(
      refusal({ doing, path }, `a number or a schedule such as {"schedule":"linear","initial":1,"end":0}`, value),
    );
  const { schedule: name, ...given } = value;
  const schedule = findSchedule(scheduleName.read(name, { doing, path: `${path}.schedule` }));
  const numbers = readOptions(schedule.options(range), given, { doing, within: path });
  // One boundary: a schedule's options are numbers, or null where left out.
  return { schedule: schedule.name, ...(numbers as Record<string, number | null>) };
}

/** The numbers of a schedule that are given: what enters the program as values. */
export function scheduleNumbers(options: ScheduleOptions): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(options).flatMap(([name, number]) => (typeof number === 'number' ? [[name, number] as const] : [])),
  );
}

/** Whether a schedule is as long as the horizon, having no length of its own. */
export function followsHorizon(options: ScheduleOptions): boolean {
  return options['total'] === null;
}

/** Traced: the scheduled number as a float32 scalar. `step` is an int32 scalar, `horizon` and `numbers` float32 scalars. */
export function traceSchedule(
  name: string,
  { numbers, step, horizon }: { numbers: Readonly<Record<string, Tensor>>; step: Tensor; horizon: Tensor },
): Tensor {
  return findSchedule(name).rule(TENSORS, { numbers, step: tf.cast(step, 'float32'), horizon });
}

/** On the host, in double precision: the scheduled number at a step. */
export function evaluateSchedule(
  options: ScheduleOptions,
  { step, horizon }: { step: number; horizon: number },
): number {
  const numbers = Object.fromEntries(scheduleNumbers(options));
  return findSchedule(options.schedule).rule(NUMBERS, { numbers, step, horizon });
}

function findSchedule(name: string): Schedule {
  const schedule = SCHEDULES.find((candidate) => candidate.name === name);
  if (schedule === undefined)
    throw new RangeError(`Cannot use a schedule: expected one of ${NAMES.join(', ')} but got ${name}`);
  return schedule;
}

function pick<T>(numbers: Readonly<Record<string, T>>, name: string): T {
  const number = numbers[name];
  if (number === undefined) throw new RangeError(`Cannot use a schedule: expected a number ${name} but it is missing`);
  return number;
}

const NUMBERS: Arithmetic<number> = {
  constant: (value) => value,
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  maximum: Math.max,
  minimum: Math.min,
  cosine: Math.cos,
  ifLess: (x, y, { less, otherwise }) => (x < y ? less : otherwise),
};

const TENSORS: Arithmetic<Tensor> = {
  constant: (value) => tf.scalar(value),
  add: (a, b) => tf.add(a, b),
  subtract: (a, b) => tf.sub(a, b),
  multiply: (a, b) => tf.mul(a, b),
  divide: (a, b) => tf.div(a, b),
  maximum: (a, b) => tf.maximum(a, b),
  minimum: (a, b) => tf.minimum(a, b),
  cosine: (a) => tf.cos(a),
  ifLess: (x, y, { less, otherwise }) => tf.where(tf.less(x, y), less, otherwise),
};
