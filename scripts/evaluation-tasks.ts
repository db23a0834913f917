import type { GivenOptions } from '../lopt/options.ts';
import type { EvaluationTask } from '../meta/evaluate.ts';
import type { DataSet } from '../tasks/data-sets/data-set.ts';
import { resolveDataSets } from '../tasks/data-sets/resolve.ts';
import { loadSuite, SHIPPED_SUITES } from '../tasks/files/load-suite.ts';
import { createTask, TASK_FAMILIES } from '../tasks/registry.ts';
import type { Suite } from '../tasks/suites/suite.ts';
import { nearest } from './cli/nearest.ts';
import { UsageError } from './cli/option.ts';
import { isModulePath, loadTask } from './task-reference.ts';

/** Tasks to evaluate on, and what they are called together. */
export interface EvaluationTasks {
  readonly suite: string;
  readonly tasks: readonly EvaluationTask[];
  /** What the log should say: data sets that are replaced. */
  readonly messages: readonly string[];
}

export interface EvaluationTasksOptions {
  readonly dataSets: ReadonlyMap<string, DataSet>;
  /** Horizon of every task, instead of a suite's own. */
  readonly steps?: number;
}

/** Horizon of tasks that no suite gives one. */
const DEFAULT_STEPS = 1000;

/**
 * Tasks by reference: names or files of suites, task modules, and `name` or `name{json}` of tasks.
 * @throws UsageError for a name that is none of these; what suites and tasks throw.
 */
export async function loadEvaluationTasks(
  references: readonly string[],
  options: EvaluationTasksOptions,
): Promise<EvaluationTasks> {
  const loaded = await Promise.all(references.map((reference) => loadReference(reference, options)));
  return {
    suite: loaded.map(({ suite }) => suite).join(', '),
    tasks: loaded.flatMap(({ tasks }) => tasks),
    messages: [...new Set(loaded.flatMap(({ messages }) => messages))],
  };
}

async function loadReference(reference: string, { dataSets, steps }: EvaluationTasksOptions): Promise<EvaluationTasks> {
  if (isSuite(reference))
    return suiteTasks(await loadSuite(reference), { dataSets, ...(steps !== undefined && { steps }) });
  const family = reference.split('{')[0]?.trim() ?? '';
  if (!isModulePath(reference) && !TASK_FAMILIES.has(family)) {
    const known = [...SHIPPED_SUITES, ...TASK_FAMILIES.keys()];
    const meant = nearest(family, known);
    throw new UsageError(
      `Cannot read --tasks ${reference}: expected a suite (${SHIPPED_SUITES.join(', ')}, or a .json file), a task module (.js), or a task of ${[...TASK_FAMILIES.keys()].join(', ')}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`,
    );
  }
  const { name, family: kind, task } = await loadTask(reference, dataSets);
  return {
    suite: name,
    tasks: [{ task, name, family: kind, replaces: null, horizon: steps ?? DEFAULT_STEPS }],
    messages: [],
  };
}

function isSuite(reference: string): boolean {
  return SHIPPED_SUITES.some((name) => name === reference) || (reference.endsWith('.json') && !reference.includes('{'));
}

/** Every task of a suite at every horizon. */
function suiteTasks({ name, tasks, horizons }: Suite, { dataSets, steps }: EvaluationTasksOptions): EvaluationTasks {
  const made = tasks.map(({ title, family, options, standIns }) => {
    const { data } = options;
    const { uses, messages } = resolveDataSets(typeof data === 'string' ? [data] : [], dataSets, standIns);
    const used = typeof data === 'string' ? uses.get(data) : undefined;
    const resolved: GivenOptions = used === undefined ? options : { ...options, data: used };
    const replaces = typeof data === 'string' && used !== data ? data : null;
    return { title, family, replaces, messages, task: createTask(family, resolved, { dataSets }) };
  });
  return {
    suite: name,
    tasks: (steps === undefined ? horizons : [steps]).flatMap((horizon) =>
      made.map(({ title, family, replaces, task }) => ({ task, name: title, family, replaces, horizon })),
    ),
    messages: made.flatMap(({ messages }) => messages),
  };
}
