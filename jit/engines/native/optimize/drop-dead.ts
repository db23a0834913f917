import { dependencies, indexKey, substitute } from '../ir/index-expression.ts';
import type { Buffer, BufferId, Kernel, Operation, OperationId, Statement } from '../ir/program.ts';
import { accessesOf } from './access.ts';
import { mapBlocks, operandsOf, withOperands } from './rewrite.ts';

/** Leaves out what nobody reads: stores into local buffers, what is computed for them alone, statements that then do nothing. */
export function dropDead(body: readonly Statement[], buffers: readonly Buffer[]): readonly Statement[] {
  let block = body;
  for (;;) {
    const read = new Set<BufferId>();
    for (const statement of block) for (const buffer of accessesOf(statement).reads.keys()) read.add(buffer);
    const isDead = (buffer: BufferId): boolean => buffers[buffer]?.kind === 'local' && !read.has(buffer);
    const next = mapBlocks(block, (inner) => inner.flatMap((statement) => kept(statement, isDead)));
    if (sizeOfBlock(next) === sizeOfBlock(block)) return next;
    block = next;
  }
}

function sizeOfBlock(block: readonly Statement[]): number {
  return block.reduce((sum, statement) => {
    if (statement.kind === 'kernel') return sum + 1 + statement.operations.length;
    if (statement.kind === 'repeat') return sum + 1 + sizeOfBlock(statement.body);
    if (statement.kind === 'branch') return sum + 1 + sizeOfBlock(statement.then) + sizeOfBlock(statement.otherwise);
    return sum + 1;
  }, 0);
}

function kept(statement: Statement, isDead: (buffer: BufferId) => boolean): readonly Statement[] {
  switch (statement.kind) {
    case 'kernel': {
      const kernel = withoutDead(statement, isDead);
      return kernel.operations.length === 0 ? [] : [kernel];
    }
    case 'contraction':
      return isDead(statement.out.buffer) ? [] : [statement];
    case 'repeat':
      return statement.body.length === 0 ? [] : [statement];
    case 'branch':
      break;
  }
  return statement.then.length === 0 && statement.otherwise.length === 0 ? [] : [statement];
}

/** The operations that leave something behind: not a store of what is there already. */
function effects({ operations }: Kernel, isDead: (buffer: BufferId) => boolean): readonly OperationId[] {
  const holds = new Map<string, OperationId>();
  const stored = new Set<BufferId>();
  return operations.flatMap((operation, id) => {
    if (operation.op === 'reduce') return isDead(operation.buffer) ? [] : [id];
    if (operation.op !== 'store' || isDead(operation.buffer)) return [];
    const place = `${operation.buffer} ${indexKey(operation.index)}`;
    const value = operations[operation.value];
    const isBack =
      value?.op === 'load' && !stored.has(value.buffer) && `${value.buffer} ${indexKey(value.index)}` === place;
    const isThere = !operation.adds && (isBack || holds.get(place) === operation.value);
    stored.add(operation.buffer);
    if (!operation.adds) holds.set(place, operation.value);
    return isThere ? [] : [id];
  });
}

function withoutDead(kernel: Kernel, isDead: (buffer: BufferId) => boolean): Kernel {
  const { operations } = kernel;
  const live = new Set<OperationId>();
  const visit = (id: OperationId): void => {
    if (live.has(id)) return;
    live.add(id);
    const operation = operations[id] as Operation;
    operandsOf(operation).forEach(visit);
    if ('index' in operation) dependencies(operation.index).operations.forEach(visit);
  };
  effects(kernel, isDead).forEach(visit);
  if (live.size === operations.length) return kernel;
  const ids = new Map<OperationId, OperationId>();
  const next: Operation[] = [];
  operations.forEach((operation, id) => {
    if (!live.has(id)) return;
    const moved = withOperands(operation, (old) => ids.get(old) as OperationId);
    ids.set(id, next.length);
    next.push(
      'index' in moved
        ? {
            ...moved,
            index: substitute(moved.index, (atom) =>
              atom.kind === 'computed'
                ? {
                    offset: 0,
                    terms: [{ atom: { kind: 'computed', operation: ids.get(atom.operation) as number }, factor: 1 }],
                  }
                : undefined,
            ),
          }
        : moved,
    );
  });
  return { ...kernel, operations: next };
}
