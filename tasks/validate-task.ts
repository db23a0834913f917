import { DTYPES } from '../jit/graph/graph.ts';
import { valueText } from '../lopt/options.ts';
import type { TaskContext } from './families/family.ts';
import type { Task } from './task.ts';

const NOISE_KINDS = ['normal', 'truncatedNormal', 'rademacher', 'uniform'];
const NOISE_PURPOSES = ['init', 'loss', 'batch'];

/** Where a task comes from, for errors: a module's path as the user gave it. */
export interface TaskSource {
  readonly source: string;
}

/**
 * The task of a user's module: its default export, or its export `task`, which is a task or a function that makes one from
 * `{ dataSets }` (or promises to). See docs/add-a-task.md.
 * @param exports the module, as `import()` gives it.
 * @throws TypeError when there is no such export, or it is no task.
 */
export async function taskOfModule(exports: unknown, { source, ...context }: TaskSource & TaskContext): Promise<Task> {
  const members = isObject(exports) ? exports : {};
  const exported = members['default'] ?? members['task'];
  if (exported === undefined)
    throw new TypeError(
      `Cannot use ${source} as a task: expected a default export, or an export named task, but it exports ${Object.keys(members).join(', ') || 'nothing'}; see docs/add-a-task.md`,
    );
  const made: unknown = isMaker(exported) ? await exported(context) : exported;
  return validateTask(made, { source });
}

/**
 * A value checked to be a task, member by member; what its functions do shows when they are traced.
 * @throws TypeError naming the first member that is missing or of another kind.
 */
export function validateTask(value: unknown, { source }: TaskSource): Task {
  const check = checks(source);
  const { name, specs, noise, dynamic, data, ...functions } = check.object('the task', value, 'an object');
  check.that(typeof name === 'string' && name !== '', 'name', 'a text', name);
  const params = check.map('specs', specs);
  check.that(params.length > 0, 'specs', 'a Map of at least one parameter', specs);
  for (const [path, item] of params) {
    const member = `specs.get('${path}')`;
    const spec = check.object(member, item, 'an object { path, shape, dtype }');
    check.that(spec['path'] === path, `${member}.path`, `the key it stands under`, spec['path']);
    check.shape(member, spec);
    check.that(spec['dtype'] === 'float32', `${member}.dtype`, `'float32'`, spec['dtype']);
  }
  const groups = Object.entries(
    check.object('noise', noise, 'an object of init, loss and batch, each a Map or left out'),
  );
  for (const [purpose, group] of groups) {
    check.that(NOISE_PURPOSES.includes(purpose), 'the members of noise', `among ${NOISE_PURPOSES.join(', ')}`, purpose);
    for (const [path, item] of group === undefined ? [] : check.map(`noise.${purpose}`, group)) {
      const member = `noise.${purpose}.get('${path}')`;
      const spec = check.object(member, item, 'an object { kind, shape }');
      const kind = spec['kind'];
      check.that(
        typeof kind === 'string' && NOISE_KINDS.includes(kind),
        `${member}.kind`,
        `one of ${NOISE_KINDS.join(', ')}`,
        kind,
      );
      check.shape(member, spec);
    }
  }
  for (const [path, item] of check.map('dynamic', dynamic)) {
    const member = `dynamic.get('${path}')`;
    const type = check.object(member, item, 'an object { shape, dtype }');
    check.shape(member, type);
    check.dtype(member, type);
  }
  for (const member of ['sampleDynamic', 'init', 'loss', 'normalize']) check.callable(member, functions[member]);
  if (data !== undefined) validateData(check, check.object('data', data, 'an object or left out'));
  // The one boundary: every member has just been checked.
  return value as Task;
}

function validateData(check: Checks, data: Readonly<Record<string, unknown>>): void {
  check.that(typeof data['dataSet'] === 'string', 'data.dataSet', 'a text', data['dataSet']);
  check.that(isCount(data['batchSize'], 1), 'data.batchSize', 'an integer of at least 1', data['batchSize']);
  for (const [path, item] of check.map('data.resident', data['resident'])) {
    const member = `data.resident.get('${path}')`;
    const array = check.object(member, item, 'an object { shape, dtype, data }');
    check.shape(member, array);
    check.dtype(member, array);
    const elements: unknown = array['data'];
    const count = (array['shape'] as readonly number[]).reduce((product, extent) => product * extent, 1);
    const length = ArrayBuffer.isView(elements) && 'length' in elements ? elements.length : undefined;
    check.that(length === count, `${member}.data`, `a typed array of ${count} elements`, length ?? elements);
  }
  for (const member of ['size', 'row', 'batch']) check.callable(`data.${member}`, data[member]);
  if (data['source'] === undefined) return;
  const source = check.object('data.source', data['source'], 'a data set or left out');
  check.that(isCount(source['classes'], 1), 'data.source.classes', 'an integer of at least 1', source['classes']);
  check.callable('data.source.fingerprint', source['fingerprint']);
}

type Checks = ReturnType<typeof checks>;

function checks(source: string) {
  const that = (holds: boolean, member: string, expected: string, got: unknown): void => {
    if (!holds)
      throw new TypeError(
        `Cannot use ${source} as a task: expected ${member} to be ${expected} but got ${got instanceof Map ? `a Map of ${got.size}` : valueText(got)}; see docs/add-a-task.md`,
      );
  };
  return {
    that,
    object: (member: string, got: unknown, expected: string): Readonly<Record<string, unknown>> => {
      that(isObject(got), member, expected, got);
      return got as Readonly<Record<string, unknown>>;
    },
    map: (member: string, got: unknown): readonly (readonly [string, unknown])[] => {
      that(got instanceof Map, member, 'a Map', got);
      const entries = [...(got as ReadonlyMap<unknown, unknown>)];
      for (const [key] of entries) that(typeof key === 'string', `every key of ${member}`, 'a text', key);
      return entries as (readonly [string, unknown])[];
    },
    shape: (member: string, { shape }: Readonly<Record<string, unknown>>): void =>
      that(
        Array.isArray(shape) && shape.every((extent) => isCount(extent, 0)),
        `${member}.shape`,
        'a list of extents',
        shape,
      ),
    dtype: (member: string, { dtype }: Readonly<Record<string, unknown>>): void =>
      that(
        DTYPES.some((known) => known === dtype),
        `${member}.dtype`,
        `one of ${DTYPES.join(', ')}`,
        dtype,
      ),
    callable: (member: string, got: unknown): void => that(typeof got === 'function', member, 'a function', got),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMaker(value: unknown): value is (context: TaskContext) => unknown {
  return typeof value === 'function';
}

function isCount(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least;
}
