import type { BufferId, Kernel, Operation, OperationId, Place, Statement } from '../ir/program.ts';

/** An operation whose operands are renumbered. */
export function withOperands(operation: Operation, renumber: (id: OperationId) => OperationId): Operation {
  switch (operation.op) {
    case 'unary':
    case 'cast':
      return { ...operation, x: renumber(operation.x) };
    case 'binary':
    case 'compare':
      return { ...operation, a: renumber(operation.a), b: renumber(operation.b) };
    case 'select':
      return {
        ...operation,
        condition: renumber(operation.condition),
        a: renumber(operation.a),
        b: renumber(operation.b),
      };
    case 'store':
    case 'reduce':
      return { ...operation, value: renumber(operation.value) };
    case 'constant':
    case 'index':
    case 'load':
      break;
  }
  return operation;
}

/** What an operation takes, by operand and, where it computes an index, through that. */
export function operandsOf(operation: Operation): readonly OperationId[] {
  switch (operation.op) {
    case 'unary':
    case 'cast':
      return [operation.x];
    case 'binary':
    case 'compare':
      return [operation.a, operation.b];
    case 'select':
      return [operation.condition, operation.a, operation.b];
    case 'store':
    case 'reduce':
      return [operation.value];
    case 'constant':
    case 'index':
    case 'load':
      break;
  }
  return [];
}

/** The statements with each inner list of statements changed, from the inside out. */
export function mapBlocks(
  block: readonly Statement[],
  change: (block: readonly Statement[]) => readonly Statement[],
): readonly Statement[] {
  return change(
    block.map((statement): Statement => {
      if (statement.kind === 'repeat') return { ...statement, body: mapBlocks(statement.body, change) };
      if (statement.kind !== 'branch') return statement;
      const { then, otherwise } = statement;
      return { ...statement, then: mapBlocks(then, change), otherwise: mapBlocks(otherwise, change) };
    }),
  );
}

/** The statement with other buffers in place of some. */
export function withBuffers(statement: Statement, rename: (buffer: BufferId) => BufferId): Statement {
  const place = ({ buffer, index }: Place): Place => ({ buffer: rename(buffer), index });
  switch (statement.kind) {
    case 'kernel':
      return {
        ...statement,
        operations: statement.operations.map((operation) =>
          'buffer' in operation ? { ...operation, buffer: rename(operation.buffer) } : operation,
        ),
      };
    case 'contraction':
      return { ...statement, left: place(statement.left), right: place(statement.right), out: place(statement.out) };
    case 'repeat':
      return { ...statement, body: statement.body.map((inner) => withBuffers(inner, rename)) };
    case 'branch':
      break;
  }
  return {
    ...statement,
    condition: place(statement.condition),
    then: statement.then.map((inner) => withBuffers(inner, rename)),
    otherwise: statement.otherwise.map((inner) => withBuffers(inner, rename)),
  };
}

/** Number of points of a kernel. */
export function pointsOf({ loops }: Pick<Kernel, 'loops'>): number {
  return loops.reduce((product, { extent }) => product * extent, 1);
}
