import {
  type DType,
  DTYPES,
  type HostArray,
  type ValueType,
  allocate,
  sizeOf,
  typeText,
} from '../../jit/graph/graph.ts';
import type { Group } from '../../jit/trace/structure.ts';
import { isRecord, valueText } from '../options.ts';
import { listed } from './param-specs.ts';
import { readStep } from './step-number.ts';

/** An element of a saved tensor: a number, or text for what JSON has no number for. */
export type SavedNumber = number | 'NaN' | 'Infinity' | '-Infinity' | '-0';

/** A tensor, row-major. */
export interface SavedTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly SavedNumber[];
}

/**
 * All that a run continues from besides the parameters: plain objects, lists, numbers and texts, which JSON and structured cloning keep
 * to the last bit.
 */
export interface RunState {
  /** Name of the optimizer. */
  readonly optimizer: string;
  /** Updates done. */
  readonly step: number;
  /** Full length of the training run in steps; null when none was given. */
  readonly horizon: number | null;
  /** Seed of the optimizer's own random numbers, which few have. */
  readonly seed: number | string;
  /** The optimizer's state by name, as `m/<path>`; null before the first update. */
  readonly tensors: Readonly<Record<string, SavedTensor>> | null;
}

/** Where a run stands, its tensors on the host. */
export interface SavedRun extends Omit<RunState, 'tensors'> {
  readonly tensors: ReadonlyMap<string, HostArray> | null;
}

/** A run's state as users save it. */
export function saveRunState({ tensors, ...rest }: SavedRun): RunState {
  if (tensors === null) return { ...rest, tensors };
  return { ...rest, tensors: Object.fromEntries([...tensors].map(([name, array]) => [name, saveTensor(array)])) };
}

/** A tensor as it is saved. */
function saveTensor({ dtype, shape, data }: HostArray): SavedTensor {
  return { dtype, shape: [...shape], data: Array.from(data, saveNumber) };
}

function saveNumber(value: number): SavedNumber {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return 'Infinity';
  if (value === -Infinity) return '-Infinity';
  return Object.is(value, -0) ? '-0' : value;
}

/**
 * Reads a saved state, perhaps out of JSON, against the types that the optimizer's state has for these parameters.
 * @throws TypeError or RangeError naming what is wrong.
 */
export function readRunState(
  given: unknown,
  { optimizer, types, doing }: { readonly optimizer: string; readonly types: Group<ValueType>; readonly doing: string },
): SavedRun {
  if (!isRecord(given))
    throw new TypeError(
      `Cannot ${doing}: expected state to be an object such as run.state gives but got ${valueText(given)}`,
    );
  const { horizon, seed, tensors } = given;
  if (given['optimizer'] !== optimizer)
    throw new RangeError(
      `Cannot ${doing}: expected a state of ${optimizer} but got one of ${valueText(given['optimizer'])}`,
    );
  const step = readStep(given['step'], doing);
  if (horizon !== null && (typeof horizon !== 'number' || !(horizon > 0)))
    throw new RangeError(
      `Cannot ${doing}: expected state.horizon to be a positive number or null but got ${valueText(horizon)}`,
    );
  if (typeof seed !== 'number' && typeof seed !== 'string')
    throw new TypeError(`Cannot ${doing}: expected state.seed to be a number or a text but got ${valueText(seed)}`);
  if (tensors === null && step === 0) return { optimizer, step, horizon, seed, tensors: null };
  if (!isRecord(tensors))
    throw new TypeError(
      `Cannot ${doing}: expected state.tensors to be an object of tensors by name but got ${valueText(tensors)}`,
    );

  const missing = [...types.keys()].filter((name) => !Object.hasOwn(tensors, name));
  const unexpected = Object.keys(tensors).filter((name) => !types.has(name));
  if (missing.length > 0 || unexpected.length > 0)
    throw new RangeError(
      `Cannot ${doing}: expected state.tensors to have ${listed(types.keys())} but ` +
        (missing.length > 0 ? `${listed(missing)} is missing` : `got ${listed(unexpected)}`),
    );
  const read = [...types].map(([name, type]) => [name, readTensor(tensors[name], { name, type, doing })] as const);
  return { optimizer, step, horizon, seed, tensors: new Map(read) };
}

function readTensor(
  given: unknown,
  { name, type, doing }: { readonly name: string; readonly type: ValueType; readonly doing: string },
): HostArray {
  const what = `Cannot ${doing}: expected state.tensors ${name} to be`;
  if (!isRecord(given)) throw new TypeError(`${what} a tensor with dtype, shape and data but got ${valueText(given)}`);
  const { data } = given;
  const dtype = DTYPES.find((candidate) => candidate === given['dtype']);
  const shape = isNumbers(given['shape']) ? given['shape'] : undefined;
  if (dtype === undefined || shape === undefined || typeText({ dtype, shape }) !== typeText(type))
    throw new RangeError(
      `${what} ${typeText(type)} but got ${valueText(given['dtype'])} of shape ${valueText(given['shape'])}`,
    );
  if (!Array.isArray(data) || data.length !== sizeOf(type.shape))
    throw new RangeError(
      `${what} a list of ${sizeOf(type.shape)} numbers but got ${Array.isArray(data) ? `${data.length}` : valueText(data)}`,
    );
  const array = allocate(type.dtype, data.length);
  data.forEach((item: unknown, index) => {
    const number = loadNumber(item);
    if (number === undefined) throw new TypeError(`${what} numbers but element ${index} is ${valueText(item)}`);
    array[index] = number;
  });
  return { ...type, data: array };
}

function loadNumber(item: unknown): number | undefined {
  if (typeof item === 'number') return item;
  return item === 'NaN' || item === 'Infinity' || item === '-Infinity' || item === '-0' ? Number(item) : undefined;
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number');
}
