import { rootKey } from '../../jit/random/key.ts';
import type { Optimizer } from '../../lopt/optimizer.ts';
import type { GivenOptions } from '../../lopt/options.ts';
import { createLearned, createOptimizer, findOptimizer } from '../../lopt/registry.ts';

/** An optimizer to be timed: a learned one gets a random theta, which nothing but a benchmark would want. */
export function drawnOptimizer(name: string, options: GivenOptions): Optimizer {
  if (findOptimizer(name).family !== 'learned') return createOptimizer(name, options);
  const learned = createLearned(name, options);
  return learned.optimizer(learned.initTheta(rootKey('bench')));
}
