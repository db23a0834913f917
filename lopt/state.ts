import { groupOf } from '../jit/trace/structure.ts';
import type { Tensors } from './optimizer.ts';

/** The states of the parameters by the states' names: what `mapTensors` takes. A state that only some parameters have lacks the others' paths. */
export function stateRecords<N extends string>(state: Tensors, names: readonly N[]): Readonly<Record<N, Tensors>> {
  const records: Partial<Record<N, Tensors>> = {};
  for (const name of names) records[name] = groupOf(state, name);
  // One boundary: every name has got its record.
  return records as Readonly<Record<N, Tensors>>;
}
