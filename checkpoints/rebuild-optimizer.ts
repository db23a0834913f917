import type { Arrays, Optimizer } from '../lopt/optimizer.ts';
import { type CreateContext, createLearned, createOptimizer, findOptimizer } from '../lopt/registry.ts';
import type { OptimizerIdentity } from './checkpoint.ts';

/**
 * The optimizer of a name, its options and a theta (empty for hand-designed ones). Theta of a learned optimizer inside wrappers is
 * under `base/`, once for each wrapper.
 * @throws TypeError or RangeError for a name, options or theta that don't fit.
 */
export function rebuildOptimizer(
  { name, options }: OptimizerIdentity,
  theta: Arrays,
  context: CreateContext = {},
): Optimizer {
  const resolve: CreateContext['resolve'] = (reference) => {
    const known = context.resolve?.(reference);
    if (known !== undefined) return known;
    if (theta.size === 0 || findOptimizer(reference.name, context).family !== 'learned') return undefined;
    return createLearned(reference.name, reference.options).optimizer(withoutBases(theta));
  };
  return createOptimizer(name, options, { ...context, resolve });
}

function withoutBases(theta: Arrays): Arrays {
  if (![...theta.keys()].every((path) => path.startsWith('base/'))) return theta;
  return withoutBases(new Map([...theta].map(([path, leaf]) => [path.slice('base/'.length), leaf])));
}
