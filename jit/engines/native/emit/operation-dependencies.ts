import { dependencies } from '../ir/index-expression.ts';
import type { Kernel, OperationId } from '../ir/program.ts';
import { operandsOf } from '../optimize/rewrite.ts';

/** For each operation the loops that it depends on, by counter. */
export function operationDependencies({ operations }: Kernel): readonly ReadonlySet<number>[] {
  const all: Set<number>[] = [];
  for (const operation of operations) {
    const own = new Set<number>();
    const add = (id: OperationId): void => {
      for (const counter of all[id] ?? []) own.add(counter);
    };
    operandsOf(operation).forEach(add);
    if ('index' in operation) {
      const { counters, operations: computed } = dependencies(operation.index);
      for (const counter of counters) own.add(counter);
      computed.forEach(add);
    }
    all.push(own);
  }
  return all;
}
