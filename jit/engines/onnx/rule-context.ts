import type { ValueType } from '../../graph/graph.ts';
import type { Emitted, Emitter } from './emitter.ts';

/** What a rule has: where to emit, its operands and the type of what it gives. */
export interface Context {
  readonly e: Emitter;
  readonly inputs: readonly Emitted[];
  readonly output: ValueType;
}

/** An operand. */
export const at = (inputs: readonly Emitted[], index: number): Emitted => inputs[index] as Emitted;

/** A value whose tensor has the value's own shape. */
export function whole(name: string, type: ValueType): Emitted {
  return { name, shape: type.shape, type };
}
