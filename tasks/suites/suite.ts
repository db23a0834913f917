import { isRecord, valueText } from '../../lopt/options.ts';
import { TASK_FAMILIES } from '../registry.ts';

/** One task of a suite. */
export interface SuiteTask {
  /** How tables name it. */
  readonly title: string;
  readonly family: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What takes the place of a data set that isn't given, by name: before the general stand-ins. */
  readonly standIns: ReadonlyMap<string, string>;
}

/** Tasks on which optimizers are compared, and for how many inner steps. */
export interface Suite {
  readonly name: string;
  readonly description: string;
  readonly horizons: readonly number[];
  readonly tasks: readonly SuiteTask[];
}

/**
 * Checks a suite from JSON.
 * @param file what it is called in errors.
 * @throws TypeError or RangeError naming the first member that is missing, unknown or of another kind.
 */
export function readSuite(json: unknown, { file }: { readonly file: string }): Suite {
  const wrong = (place: string, expected: string, got: unknown): never => {
    throw new TypeError(`Cannot use suite ${file}: expected ${place} to be ${expected} but got ${valueText(got)}`);
  };
  const record = (value: unknown, place: string, members: readonly string[]): Readonly<Record<string, unknown>> => {
    if (!isRecord(value)) return wrong(place, 'an object', value);
    const unknown = Object.keys(value).find((key) => members.length > 0 && !members.includes(key));
    if (unknown !== undefined)
      throw new RangeError(
        `Cannot use suite ${file}: expected the members of ${place} among ${members.join(', ')} but got ${unknown}`,
      );
    return value;
  };
  const text = (value: unknown, place: string): string =>
    typeof value === 'string' && value !== '' ? value : wrong(place, 'a text', value);
  const suite = record(json, 'the suite', ['name', 'description', 'horizons', 'tasks']);
  const { horizons, tasks } = suite;
  if (!Array.isArray(horizons) || horizons.length === 0 || !horizons.every(isStepCount))
    return wrong('horizons', 'a list of step counts', horizons);
  if (!Array.isArray(tasks) || tasks.length === 0) return wrong('tasks', 'a list of at least one', tasks);
  return {
    name: text(suite['name'], 'name'),
    description: text(suite['description'] ?? '-', 'description'),
    horizons,
    tasks: tasks.map((value: unknown, index): SuiteTask => {
      const place = `tasks[${index}]`;
      const task = record(value, place, ['title', 'family', 'options', 'standIns']);
      const family = text(task['family'], `${place}.family`);
      if (!TASK_FAMILIES.has(family))
        throw new RangeError(
          `Cannot use suite ${file}: expected ${place}.family to be one of ${[...TASK_FAMILIES.keys()].join(', ')} but got ${family}`,
        );
      const standIns = Object.entries(record(task['standIns'] ?? {}, `${place}.standIns`, []));
      return {
        title: text(task['title'] ?? family, `${place}.title`),
        family,
        options: record(task['options'] ?? {}, `${place}.options`, []),
        standIns: new Map(standIns.map(([name, by]) => [name, text(by, `${place}.standIns.${name}`)])),
      };
    }),
  };
}

function isStepCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}
