import type { EngineDescription } from '../jit/engines/engine.ts';
import { isRecord, valueText } from '../lopt/options.ts';
import { type RunConfig, checkConfig } from './config.ts';
import type { DataRecord } from './learner.ts';

/** What config.json holds. No absolute path is in it: a run directory can be moved. */
export interface RunFile {
  readonly format: typeof FORMAT;
  readonly config: RunConfig;
  /** What was changed of the recipe, as given: `estimator.sigma=0.02`. */
  readonly overrides: readonly string[];
  /** Data sets that the recipe names and that weren't given, and what stands in for them. */
  readonly replacedData: Readonly<Record<string, string>>;
  /** What each task learns from. */
  readonly data: readonly DataRecord[];
  /** What the run's numbers were computed with. */
  readonly engine: EngineDescription;
  /** What was changed when the run was resumed. */
  readonly changes: readonly RunChange[];
}

/** A change of a run, made when it was resumed after `step` outer steps. */
export interface RunChange {
  readonly step: number;
  readonly what: string;
}

const FORMAT = 'lopt run 1';

/** A run file as JSON text. */
export function writeRunFile(run: Omit<RunFile, 'format'>): string {
  return `${JSON.stringify({ format: FORMAT, ...run }, undefined, 2)}\n`;
}

/**
 * A run file from JSON text.
 * @throws SyntaxError when it is no JSON of this format; TypeError or RangeError when a member of it is missing or isn't valid.
 */
export function readRunFile(text: string, file: string): RunFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(
      `Cannot read ${file}: expected JSON but ${error instanceof Error ? error.message : 'got none'}`,
    );
  }
  if (!isRecord(value) || value['format'] !== FORMAT)
    throw new SyntaxError(
      `Cannot read ${file}: expected the config of a run, format ${FORMAT}, but got format ${isRecord(value) ? String(value['format']) : 'none'}`,
    );
  const read = <T>(path: string, reader: Reader<T>): T => reader(value[path], { file, path });
  return {
    format: FORMAT,
    config: checkConfig(value['config']),
    overrides: read('overrides', listOf(asText)),
    replacedData: read('replacedData', asTexts),
    data: read(
      'data',
      listOf((item, place) => ({
        task: member(item, 'task', asText, place),
        dataSet: member(item, 'dataSet', asText, place),
        rows: member(item, 'rows', asCount, place),
        sha256: member(item, 'sha256', asText, place),
        ...optional(item, 'classes', asCount, place),
        ...optional(item, 'fingerprint', asText, place),
      })),
    ),
    engine: read('engine', (engine, place) => ({
      name: member(engine, 'name', asEngineName, place),
      device: member(engine, 'device', asText, place),
      threads: member(engine, 'threads', asCount, place),
      version: member(engine, 'version', asText, place),
      instructionSet: member(engine, 'instructionSet', asText, place),
    })),
    changes: read(
      'changes',
      listOf((change, place) => ({
        step: member(change, 'step', asCount, place),
        what: member(change, 'what', asText, place),
      })),
    ),
  };
}

/** Where a value stands in a run file. */
interface Place {
  readonly file: string;
  readonly path: string;
}

type Reader<T> = (value: unknown, place: Place) => T;

function refuse({ file, path }: Place, expected: string, value: unknown): never {
  throw new TypeError(
    `Cannot read ${file}: expected ${path} to be ${expected} but ${value === undefined ? 'it is missing' : `got ${valueText(value)}`}. Restore the file`,
  );
}

const asText: Reader<string> = (value, place) => (typeof value === 'string' ? value : refuse(place, 'a text', value));

const asCount: Reader<number> = (value, place) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse(place, 'a whole number >= 0', value);

const asEngineName: Reader<EngineDescription['name']> = (value, place) =>
  value === 'eager' || value === 'onnx' || value === 'native' ? value : refuse(place, 'eager, onnx or native', value);

const asTexts: Reader<Readonly<Record<string, string>>> = (value, place) =>
  isRecord(value)
    ? Object.fromEntries(Object.keys(value).map((name) => [name, member(value, name, asText, place)]))
    : refuse(place, 'an object', value);

function listOf<T>(element: Reader<T>): Reader<readonly T[]> {
  return (value, { file, path }) =>
    Array.isArray(value)
      ? value.map((item: unknown, index) => element(item, { file, path: `${path}[${index}]` }))
      : refuse({ file, path }, 'a list', value);
}

function member<T>(value: unknown, name: string, reader: Reader<T>, { file, path }: Place): T {
  if (!isRecord(value)) return refuse({ file, path }, 'an object', value);
  return reader(value[name], { file, path: `${path}.${name}` });
}

/** A member that may be missing: the record of it, or none. */
function optional<K extends string, T>(value: unknown, name: K, reader: Reader<T>, place: Place): { [N in K]?: T } {
  if (!isRecord(value) || value[name] === undefined) return {};
  // One boundary: a computed key widens to string.
  return { [name]: member(value, name, reader, place) } as { [N in K]?: T };
}

/**
 * How an engine differs from the one that a run was made with, in words; undefined where results are the same to the bit. The engine
 * is made with the run's thread count.
 */
export function engineDifference(recorded: EngineDescription, present: EngineDescription): string | undefined {
  const fields = ['name', 'device', 'version', 'instructionSet', 'threads'] as const;
  const differing = fields.filter((field) => recorded[field] !== present[field]);
  if (differing.length === 0) return undefined;
  return differing.map((field) => `${field} ${recorded[field]} then, ${present[field]} now`).join('; ');
}

/** How the data of a run differs from what it was made with, in words; undefined where it is the same. */
export function dataDifference(recorded: readonly DataRecord[], present: readonly DataRecord[]): string | undefined {
  const index = recorded.findIndex(({ sha256 }, at) => present[at]?.sha256 !== sha256);
  const [then, now] = [recorded[index], present[index]];
  if (then === undefined) return undefined;
  const words = (data: DataRecord): string =>
    `${data.dataSet} (${data.rows} examples, sha256 ${data.sha256.slice(0, 8)})`;
  return `task ${index + 1} had ${words(then)} then and has ${now === undefined ? 'none' : words(now)} now`;
}
