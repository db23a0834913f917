import { type Index, indexKey } from '../ir/index-expression.ts';
import type { Kernel, Loop, Operation, OperationId } from '../ir/program.ts';

/** Collects the operations of one kernel; what was computed before is not computed again. */
export class KernelBuilder {
  readonly name: string;
  readonly operations: Operation[] = [];
  readonly #seen = new Map<string, OperationId>();

  constructor(name: string) {
    this.name = name;
  }

  add(operation: Operation): OperationId {
    const isEffect = operation.op === 'store' || operation.op === 'reduce';
    const key = operationKey(operation);
    const known = isEffect ? undefined : this.#seen.get(key);
    if (known !== undefined) return known;
    const id = this.operations.push(operation) - 1;
    if (!isEffect) this.#seen.set(key, id);
    return id;
  }

  operation(id: OperationId): Operation {
    return this.operations[id] as Operation;
  }

  finish(loops: readonly Loop[], ordered: ReadonlySet<number> = new Set()): Kernel {
    return { kind: 'kernel', name: this.name, loops, ordered, operations: this.operations };
  }
}

/** Text that two operations share only when they compute the same. */
export function operationKey(operation: Operation): string {
  const parts = Object.entries(operation).map(([name, value]) =>
    name === 'index' ? indexKey(value as Index) : Object.is(value, -0) ? '-0' : String(value),
  );
  return parts.join(' ');
}
