import type { DataSet } from './data-set.ts';

/** Data sets that need no files: the procedural ones, by name. */
export const BUILT_IN_DATA_SETS: ReadonlyMap<string, DataSet> = new Map();
