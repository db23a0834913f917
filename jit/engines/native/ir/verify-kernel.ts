import { type DType, DTYPES } from '../../../graph/graph.ts';
import { ShapeError } from '../../../graph/shape-error.ts';
import { TYPE_RULES } from '../../../graph/type-rules.ts';
import { type Index, dependencies, indexKey, indexRange } from './index-expression.ts';
import { operationType } from './operation-types.ts';
import type { Buffer, BufferId, Kernel, Operation, OperationId } from './program.ts';
import { type Fail, rangeText, verifyIndex, verifyInside } from './verify-index.ts';
import { isRun, verifyOrder } from './verify-order.ts';

/** What a kernel stands in. */
export interface KernelScope {
  readonly path: string;
  readonly fail: Fail;
  readonly buffers: readonly Buffer[];
  /** Extents of the loops round the operations, the kernel's own included, by counter. */
  readonly extents: ReadonlyMap<number, number>;
  /** Whether the kernel is ever reached. */
  readonly isReached: boolean;
  /** Buffers written before the kernel, inputs and constants included. */
  readonly written: ReadonlySet<BufferId>;
}

/** A load or store of a kernel, in words. */
function operationText(operation: Operation, buffers: readonly Buffer[]): string {
  const name = 'buffer' in operation ? (buffers[operation.buffer]?.name ?? `buffer ${operation.buffer}`) : '';
  if (operation.op === 'load') return `load of ${name}`;
  if (operation.op === 'store') return operation.adds ? `add to ${name}` : `store to ${name}`;
  if (operation.op === 'reduce') return `${operation.fn} to ${name}`;
  return 'fn' in operation ? operation.fn : operation.op;
}

/** Checks the operations of a kernel, and that its loops may run in any order, as documented in verify.ts. */
export function verifyKernel(kernel: Kernel, scope: KernelScope): void {
  const types: (DType | undefined)[] = [];
  for (const [id, operation] of kernel.operations.entries())
    types.push(verifyOperation(operation, { ...scope, kernel, types, where: whereOf(kernel, scope, id) }));
  const { isReached, fail, buffers } = scope;
  if (isReached)
    verifyOrder(kernel, {
      nameOf: (buffer) => (buffers[buffer] as Buffer).name,
      fail: (id, expected, got) => fail(whereOf(kernel, scope, id), expected, got),
    });
}

function whereOf(kernel: Kernel, { path, buffers }: KernelScope, id: OperationId): string {
  return `${path}, operation %${id} (${operationText(kernel.operations[id] as Operation, buffers)})`;
}

interface OperationScope extends KernelScope {
  readonly kernel: Kernel;
  readonly where: string;
  /** The dtype of each earlier operation's value; undefined of those that make none. */
  readonly types: readonly (DType | undefined)[];
}

/** Checks an operation and gives the dtype of its value; undefined where it makes none. */
function verifyOperation(operation: Operation, scope: OperationScope): DType | undefined {
  const { where, fail, types, buffers } = scope;
  const dtypeOf = (id: OperationId): DType => types[id] ?? fail(where, 'values made before', `%${id}`);
  switch (operation.op) {
    case 'constant':
      verifyNumber(operation, scope);
      break;
    case 'index': {
      verifyIndex(operation.index, { where, fail, extents: scope.extents });
      const { min, max } = indexRange(operation.index);
      if (min < -(2 ** 31) || max >= 2 ** 31) fail(where, 'an int32', rangeText({ min, max }));
      break;
    }
    case 'load':
      verifyPlace(operation, scope);
      verifyWritten(operation, scope);
      break;
    case 'cast':
      if (!DTYPES.includes(operation.dtype)) fail(where, DTYPES.join(' or '), operation.dtype);
      break;
    case 'store': {
      const { dtype } = verifyTarget(operation, scope, dtypeOf(operation.value));
      if (operation.adds && dtype === 'bool') fail(where, 'numbers to add', dtype);
      if (operation.adds) verifyWritten(operation, scope);
      break;
    }
    case 'reduce':
      verifyReduce(operation, scope, dtypeOf(operation.value));
      break;
    case 'unary':
    case 'binary':
    case 'compare':
    case 'select':
      break;
    default:
      fail(where, 'an operation of the loop IR', (operation as Operation).op);
  }
  return ruled(scope, () => operationType(operation, { buffers, dtypeOf }));
}

/** What a type rule gives; what it throws is told with the place. */
function ruled<T>({ where, fail }: OperationScope, rule: () => T): T {
  try {
    return rule();
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    return fail(where, 'what its type rule takes', error.message);
  }
}

function verifyNumber({ dtype, value }: { dtype: DType; value: number }, { where, fail }: OperationScope): void {
  if (!DTYPES.includes(dtype)) fail(where, DTYPES.join(' or '), dtype);
  const isOfType = { float32: true, int32: value === (value | 0), bool: value === 0 || value === 1 }[dtype];
  if (!isOfType) fail(where, `a number of ${dtype}`, String(value));
}

/** The buffer that is read or written; its place is inside. */
function verifyPlace(
  { buffer: id, index, over = [] }: { buffer: BufferId; index: Index; over?: readonly number[] },
  scope: OperationScope,
): Buffer {
  const { where, fail, buffers, types, isReached, kernel } = scope;
  const buffer = buffers[id] ?? fail(where, `a buffer below ${buffers.length}`, String(id));
  const own = { ...scope, isComputed: (operation: OperationId) => types[operation] === 'int32' };
  verifyIndex(index, own);
  if (isReached && isRun(kernel, over)) verifyInside(index, { ...own, size: buffer.size, of: buffer.name });
  return buffer;
}

/** The buffer that a value of a dtype is written to. */
function verifyTarget(
  operation: { buffer: BufferId; index: Index; over?: readonly number[] },
  scope: OperationScope,
  dtype: DType,
): Buffer {
  const buffer = verifyPlace(operation, scope);
  if (buffer.kind === 'input' || buffer.kind === 'constant')
    scope.fail(scope.where, 'a local or output buffer to write', `${buffer.kind} ${buffer.name}`);
  if (buffer.dtype !== dtype) scope.fail(scope.where, `${buffer.dtype} for ${buffer.name}`, dtype);
  return buffer;
}

/** A buffer is read after a statement that writes it, or after a plain store to the very place. */
function verifyWritten(
  { buffer, index }: { buffer: BufferId; index: Index },
  { written, kernel, types, where, fail, buffers }: OperationScope,
): void {
  if (written.has(buffer)) return;
  const key = indexKey(index);
  const isStored = kernel.operations
    .slice(0, types.length)
    .some((one) => one.op === 'store' && !one.adds && one.buffer === buffer && indexKey(one.index) === key);
  if (!isStored) fail(where, `${buffers[buffer]?.name} to be written before it is read`, 'no write');
}

function verifyReduce(operation: Extract<Operation, { op: 'reduce' }>, scope: OperationScope, dtype: DType): void {
  const { where, fail, kernel } = scope;
  const { fn, over, index, divisor } = operation;
  const { counters, operations } = dependencies(index);
  for (const id of operations) fail(where, 'an index by counters alone', `%${id}`);
  verifyTarget(operation, scope, dtype);
  ruled(scope, () => TYPE_RULES.reduce({ fn, axes: [], keepDims: false }, [{ shape: [], dtype }]));
  if (divisor !== 1 && !(fn === 'sum' && dtype === 'float32' && Number.isFinite(divisor)))
    fail(where, 'a divisor of 1, or a finite one of a float32 sum', String(divisor));
  over.forEach((counter, place) => {
    if (!kernel.loops.some((loop) => loop.counter === counter))
      fail(where, 'counters of the kernel’s own loops to reduce over', `i${counter}`);
    if (over.indexOf(counter) !== place) fail(where, 'distinct counters to reduce over', `i${counter} twice`);
    if (counters.has(counter)) fail(where, `a place that i${counter}, reduced over, doesn’t move`, indexKey(index));
  });
}
