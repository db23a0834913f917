import type { Key } from '../../jit/random/key.ts';
import type { GivenOptions, OptionSchema } from '../../lopt/options.ts';
import type { DataSet } from '../data-sets/data-set.ts';
import type { Task } from '../task.ts';

/** What a family needs to make a task. */
export interface TaskContext {
  /** Data sets by name. The built-in procedural ones needn't be among them. */
  readonly dataSets: ReadonlyMap<string, DataSet>;
}

/** A family of tasks: what its options are, how to draw some, how to make a task from them. One setting is one compiled program. */
export interface TaskFamily {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Where the family comes from: authors, year, paper or repository. */
  readonly source: string;
  readonly options: OptionSchema;
  /** Options drawn at random over the range that the family is meant for: a pure function of the key. */
  sampleShape(key: Key): GivenOptions;
  /** @throws TypeError or RangeError for options that the family doesn't take, and for a data set that isn't there. */
  task(given: GivenOptions, context: TaskContext): Task;
}
