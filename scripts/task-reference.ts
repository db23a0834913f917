import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseReference, referenceText } from '../lopt/reference.ts';
import type { DataSet } from '../tasks/data-sets/data-set.ts';
import { createTask } from '../tasks/registry.ts';
import type { Task } from '../tasks/task.ts';
import { taskOfModule } from '../tasks/validate-task.ts';

/** A task as the command line names it. */
export interface NamedTask {
  /** As it was named. */
  readonly name: string;
  /** Family in the registry, or `module`. */
  readonly family: string;
  readonly task: Task;
}

/** Whether a reference is a path of a module rather than a name. */
export function isModulePath(reference: string): boolean {
  return /\.[cm]?js$/.test(reference) && !reference.includes('{');
}

/**
 * A task by reference: `image-mlp`, `image-mlp{"hidden":[64]}`, or the path of a module (docs/add-a-task.md).
 * @throws SyntaxError, TypeError or RangeError that names the reference.
 */
export async function loadTask(reference: string, dataSets: ReadonlyMap<string, DataSet>): Promise<NamedTask> {
  if (isModulePath(reference)) {
    return { name: reference, family: 'module', task: await loadTaskModule(reference, dataSets) };
  }
  const parsed = parseReference(reference);
  return {
    name: referenceText(parsed),
    family: parsed.name,
    task: createTask(parsed.name, parsed.options, { dataSets }),
  };
}

async function loadTaskModule(path: string, dataSets: ReadonlyMap<string, DataSet>): Promise<Task> {
  let exports: unknown;
  try {
    // A path is no URL: # and % mean something else there.
    exports = await import(pathToFileURL(resolve(path)).href);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RangeError(`Cannot load the task ${path}: ${reason}`, { cause });
  }
  return taskOfModule(exports, { source: path, dataSets });
}
