/**
 * Numeric options: each enters the program as a value, so that one program serves every setting. What follows from an option alone
 * (1 - beta, ln beta) is folded on the host in double precision and is a value of its own, since float32 would lose what matters:
 * 1 - 0.999 is off by 1.3e-5, 1 - beta^k by up to 1e-3. An option may be given as a schedule; it is then folded inside the program.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { HostArray } from '../jit/graph/graph.ts';
import type { Need, ValueRole } from './optimizer.ts';
import {
  inRange,
  isRecord,
  listOption,
  numberOption,
  rangeText,
  refusal,
  type NumberRange,
  type Option,
  type OptionSchema,
  type OptionsOf,
  type OptionText,
} from './options.ts';
import { followsHorizon, readSchedule, scheduleNumbers, traceSchedule, type ScheduleOptions } from './schedules.ts';

/** What can be folded from an option: by name, on the host in double precision and in a program. */
const FOLDS = {
  /** 1 - x. */
  complement: { host: (x: number) => 1 - x, traced: (x: Tensor) => tf.sub(1, x) },
  /** ln x; of 0 the log of the smallest double, so that x^k = exp(k ln x) is 0 in float32 and nothing is infinite. */
  log: {
    host: (x: number) => Math.log(Math.max(x, Number.MIN_VALUE)),
    traced: (x: Tensor) => tf.log(tf.maximum(x, 1e-37)),
  },
} as const;

/** What can be folded from an option. */
export type Fold = keyof typeof FOLDS;

/** A number, or a schedule of step and horizon. */
export type Numeric = number | ScheduleOptions;

/** A numeric option, with what is folded from it. */
export interface NumericOption<F extends Fold = never> extends Option<Numeric> {
  readonly role: 'numeric';
  readonly folds: readonly F[];
}

/** A number whose term a rule leaves out altogether where it is 0: it is then no value of the program (costs nothing, can't be changed). */
export interface NumericTermOption extends Option<Numeric> {
  readonly role: 'numeric';
  readonly folds: readonly never[];
  readonly offAtZero: true;
}

/** A list of numbers that enters the program as one vector. */
export interface NumericListOption extends Option<readonly number[]> {
  readonly role: 'numeric';
  readonly folds: readonly never[];
}

/** A number that is a value of the program, or a schedule. */
export function numeric<F extends Fold = never>(
  option: OptionText<number> & NumberRange & { readonly folds?: readonly F[] },
): NumericOption<F> {
  const { default: value, meaning, source, folds = [] } = option;
  const expected = `a number${rangeText(option)}, or a schedule`;
  return {
    role: 'numeric',
    default: value,
    meaning,
    expected,
    folds,
    ...(source === undefined ? {} : { source }),
    read(given, place) {
      if (isRecord(given)) return readSchedule(given, option, place);
      if (typeof given !== 'number') throw new TypeError(refusal(place, expected, given));
      if (!Number.isFinite(given) || !inRange(given, option)) throw new RangeError(refusal(place, expected, given));
      return given;
    },
  };
}

/** A number, or a schedule, whose term is left out of the program where it is 0. */
export function numericTerm(option: OptionText<number> & NumberRange): NumericTermOption {
  return { ...numeric(option), offAtZero: true };
}

/** Numbers that enter the program as one vector; how many there are is structural. */
export function numericList(
  option: OptionText<readonly number[]> & NumberRange & { readonly length?: number },
): NumericListOption {
  const element = numberOption({ ...option, default: 0 });
  const list = listOption({ ...option, element, minLength: 1 });
  return { ...list, role: 'numeric', folds: [] };
}

/** The tensors of a schema's numeric options. A list is one vector; folded numbers stand beside their option; a term that is off is undefined. */
export type NumericTensors<S extends OptionSchema> = {
  readonly [K in keyof S as S[K] extends { readonly folds: unknown } ? K : never]: S[K] extends NumericTermOption
    ? { readonly value: Tensor | undefined }
    : S[K] extends NumericOption<infer F>
      ? { readonly [P in 'value' | F]: Tensor }
      : { readonly value: Tensor };
};

/** Values of a program and what each of them is. */
export interface Values {
  readonly arrays: ReadonlyMap<string, HostArray>;
  readonly roles: ReadonlyMap<string, ValueRole>;
}

/** The values of all numeric options: `lr`, `beta1` with `beta1/log`, `lr/initial` of a schedule. */
export function numericValues<S extends OptionSchema>(schema: S, options: OptionsOf<S>): Values {
  const arrays = new Map<string, HostArray>();
  const roles = new Map<string, ValueRole>();
  const add = (name: string, role: ValueRole, array: HostArray): void => {
    arrays.set(name, array);
    roles.set(name, role);
  };
  for (const [name, option] of Object.entries(schema)) {
    const given = options[name];
    if (!isNumeric(option) || isOff(option, given)) continue;
    if (Array.isArray(given)) {
      const data = Float32Array.from(given as readonly number[]);
      add(name, 'free', { shape: [data.length], dtype: 'float32', data });
    } else if (typeof given === 'number') {
      add(name, option.folds.length === 0 ? 'free' : 'fixed', scalarArray(given));
      for (const fold of option.folds) add(`${name}/${fold}`, 'fixed', scalarArray(FOLDS[fold].host(given)));
    } else {
      for (const [part, number] of scheduleNumbers(asSchedule(given)))
        add(`${name}/${part}`, 'free', scalarArray(number));
    }
  }
  return { arrays, roles };
}

/** What numeric options need of the caller: the horizon, where a schedule is as long as that. */
export function numericNeeds<S extends OptionSchema>(schema: S, options: OptionsOf<S>): readonly Need[] {
  const follows = Object.entries(schema).some(([name, option]) => {
    const given: unknown = options[name];
    return isNumeric(option) && isRecord(given) && followsHorizon(asSchedule(given));
  });
  return follows ? ['horizon'] : [];
}

/** Traced: the numeric options at a step, from a program's values. */
export function readNumerics<S extends OptionSchema>(
  schema: S,
  options: OptionsOf<S>,
  at: { readonly values: ReadonlyMap<string, Tensor>; readonly step: Tensor; readonly horizon: Tensor },
): NumericTensors<S> {
  const { values, step, horizon } = at;
  const take = (name: string): Tensor => {
    const tensor = values.get(name);
    if (tensor === undefined)
      throw new RangeError(
        `Cannot update: expected values ${[...values.keys()].join(', ')} to have ${name} but it is missing`,
      );
    return tensor;
  };
  const tensors = (name: string, option: NumericOption<Fold>, given: unknown): Record<string, Tensor | undefined> => {
    if (isOff(option, given)) return { value: undefined };
    if (!isRecord(given)) {
      const folded = option.folds.map((fold) => [fold, take(`${name}/${fold}`)] as const);
      return { value: take(name), ...Object.fromEntries(folded) };
    }
    const schedule = asSchedule(given);
    const parts = [...scheduleNumbers(schedule).keys()].map((part) => [part, take(`${name}/${part}`)] as const);
    const value = traceSchedule(schedule.schedule, { numbers: Object.fromEntries(parts), step, horizon });
    const folded = option.folds.map((fold) => [fold, FOLDS[fold].traced(value)] as const);
    return { value, ...Object.fromEntries(folded) };
  };
  const read = Object.entries(schema).flatMap(([name, option]) =>
    isNumeric(option) ? [[name, tensors(name, option, options[name])] as const] : [],
  );
  // One boundary: every numeric option of the schema has just been read under its own name.
  return Object.fromEntries(read) as NumericTensors<S>;
}

/** A float32 scalar on the host. */
export function scalarArray(value: number): HostArray {
  return { shape: [], dtype: 'float32', data: Float32Array.of(value) };
}

function isNumeric(option: Option<unknown>): option is NumericOption<Fold> {
  return option.role === 'numeric' && 'folds' in option;
}

function isOff(option: Option<unknown>, given: unknown): boolean {
  return 'offAtZero' in option && given === 0;
}

/** One boundary: an option that a schema has read and that is an object is a schedule. */
function asSchedule(given: unknown): ScheduleOptions {
  return given as ScheduleOptions;
}
