import type { Need, LearnedOptimizer, Optimizer } from './optimizer.ts';
import type { GivenOptions, OptionSchema } from './options.ts';

/** What the registry says of every optimizer. */
interface Entry {
  readonly name: string;
  /** Authors, year, paper or repository. */
  readonly source: string;
  /** One line. */
  readonly summary: string;
  readonly options: OptionSchema;
  readonly needs: readonly Need[];
  /** States kept for each parameter tensor, in words. */
  readonly statePerParameter: string;
}

/** A hand-designed optimizer. */
export interface HandEntry extends Entry {
  readonly family: 'hand-designed';
  /** @throws TypeError or RangeError for options that it doesn't take. */
  create(given: GivenOptions): Optimizer;
}

/** A wrapper: an optimizer made from another, its base. */
export interface WrapperEntry extends Entry {
  readonly family: 'wrapper';
  /** The base when none is given. */
  readonly defaultBase: string;
  /** `given` has the wrapper's own options only. @throws TypeError or RangeError for options that it doesn't take. */
  wrap(given: GivenOptions, base: Optimizer): Optimizer;
}

/** An optimizer with meta-parameters. */
export interface LearnedEntry extends Entry {
  readonly family: 'learned';
  /** @throws TypeError or RangeError for options that it doesn't take. */
  create(given: GivenOptions): LearnedOptimizer;
}

export type OptimizerEntry = HandEntry | WrapperEntry | LearnedEntry;
