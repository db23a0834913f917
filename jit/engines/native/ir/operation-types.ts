import type { DType, ValueType } from '../../../graph/graph.ts';
import { TYPE_RULES } from '../../../graph/type-rules.ts';
import type { Buffer, Kernel, Operation, OperationId } from './program.ts';

/**
 * The dtype of an operation's value, by the type rules of the graph's primitives; undefined of stores and reductions, which make none.
 * @param dtypeOf the dtype of an operand.
 * @throws ShapeError where the type rule doesn't take the operands.
 */
export function operationType(
  operation: Operation,
  { buffers, dtypeOf }: { readonly buffers: readonly Buffer[]; readonly dtypeOf: (id: OperationId) => DType },
): DType | undefined {
  const scalar = (id: OperationId): ValueType => ({ shape: [], dtype: dtypeOf(id) });
  switch (operation.op) {
    case 'constant':
      return operation.dtype;
    case 'index':
      return 'int32';
    case 'load':
      return (buffers[operation.buffer] as Buffer).dtype;
    case 'unary':
      return TYPE_RULES.unary({ fn: operation.fn }, [scalar(operation.x)])[0]?.dtype;
    case 'binary':
      return TYPE_RULES.binary({ fn: operation.fn }, [operation.a, operation.b].map(scalar))[0]?.dtype;
    case 'compare':
      return TYPE_RULES.compare({ fn: operation.fn }, [operation.a, operation.b].map(scalar))[0]?.dtype;
    case 'select':
      return TYPE_RULES.select({}, [operation.condition, operation.a, operation.b].map(scalar))[0]?.dtype;
    case 'cast':
      return TYPE_RULES.cast({ dtype: operation.dtype }, [scalar(operation.x)])[0]?.dtype;
    case 'store':
    case 'reduce':
      break;
  }
  return undefined;
}

/** The dtype of each operation's value of a legal kernel. */
export function operationTypes(kernel: Kernel, buffers: readonly Buffer[]): readonly (DType | undefined)[] {
  const types: (DType | undefined)[] = [];
  const dtypeOf = (id: OperationId): DType => types[id] as DType;
  for (const operation of kernel.operations) types.push(operationType(operation, { buffers, dtypeOf }));
  return types;
}
