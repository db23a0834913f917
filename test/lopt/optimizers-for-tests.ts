/** Each entry of the registry as an optimizer, for suites that take all of them. */
import { rootKey } from '../../jit/random/key.ts';
import type { Optimizer } from '../../lopt/optimizer.ts';
import type { GivenOptions } from '../../lopt/options.ts';
import { createLearned, createOptimizer } from '../../lopt/registry.ts';
import type { OptimizerEntry } from '../../lopt/registry-entry.ts';

/** An optimizer of the entry, with a random theta where it needs one. Another `setting` is of the same structure with other values. */
export function make(
  { name, family }: OptimizerEntry,
  { setting = 0, options = {} }: { readonly setting?: 0 | 1; readonly options?: GivenOptions } = {},
): Optimizer {
  const rate = setting === 0 ? 0.05 : 0.01;
  if (family !== 'learned') return createOptimizer(name, { lr: rate, ...options });
  const learned = createLearned(name, { stepMult: rate, ...options });
  return learned.optimizer(learned.initTheta(rootKey(setting)));
}
