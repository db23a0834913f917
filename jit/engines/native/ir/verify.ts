/**
 * What a legal program is. Together with the types of program.ts this is the whole definition:
 *
 * - **Buffers** have a dtype and a size of 0 or more. Constants have data, one element or `size`; no others do. Every input buffer has
 *   exactly one input port, every output buffer exactly one output port; names of ports are unique (names of buffers needn't be).
 * - **Counters** are integers of 0 or more, each of one loop in the whole program. An index uses counters of loops round it, with their
 *   extents, and is in normal form. Computed atoms, int32 values made before, stand only in the places of loads and stores.
 * - **Places** that hold no computed atom stay inside their buffers by their ranges, unless the code never runs. Others must at run time.
 * - **Operations** use values made before them, of the dtypes that the type rules of the graph's primitives take.
 * - **Writes** go to local and output buffers. A buffer is read (`adds` reads) after a statement that wrote some of it, or in a kernel after
 *   a plain store to the identical place. A branch has written what both of its bodies have. A body of a repeat reads only what was written
 *   before the repeat or earlier in the same body. What never runs writes nothing. Every output that has elements is written. (That the
 *   very elements read were written is the interpreter's check.)
 * - **Order**: two runs of a kernel's code, at different counters, may touch the same element of a buffer that the kernel writes only
 *   where it can't matter which comes first:
 *   they agree in every loop that isn't `ordered`; or both add to it; or both are the same plain store or reduction, whose value is equal
 *   in both, as it changes only with counters in which they agree. Within one run, operations happen in their order: a load sees what stores
 *   before it stored, and what was there otherwise. (So a kernel may load what it stores at the identical place, where that differs for
 *   each setting of the loops that aren't ordered.) collisions.ts decides which counters agree.
 * - **Reductions** go over loops of their kernel, to a place that these don't move; the kernel doesn't load that buffer, and no other
 *   operation writes that place. Divisors other than 1 are for sums of float32.
 * - **Contractions** are of float32. The right operand has no stride along rows, the left none along columns, the output none along inner
 *   axes, and differs in place for each batch, row and column. Output and operands are different buffers.
 * - **Branches** look at a bool.
 */
import { type DType, DTYPES, allocate } from '../../../graph/graph.ts';
import { agreeingCounters } from './collisions.ts';
import { type Index, addIndex, counterIndex, indexRange, scaleIndex } from './index-expression.ts';
import type { Buffer, BufferId, Contraction, Kernel, Loop, Place, Program, ProgramPort, Statement } from './program.ts';
import { type Fail, rangeText, verifyIndex } from './verify-index.ts';
import { verifyKernel } from './verify-kernel.ts';
import { isRun } from './verify-order.ts';

/** What a statement stands in. */
interface Scope {
  readonly path: string;
  readonly fail: Fail;
  readonly buffers: readonly Buffer[];
  readonly extents: ReadonlyMap<number, number>;
  readonly runs: boolean;
  /** Counters of all loops so far, to find those that are used twice. */
  readonly counters: Set<number>;
  /** Buffers written before the statement, which adds its own. */
  readonly written: Set<BufferId>;
}

/**
 * Checks that a program is legal.
 * @throws RangeError naming the program, the statement by its path, the operation, and what is wrong.
 */
export function verifyProgram(program: Program): void {
  const { name, buffers, inputs, outputs, body } = program;
  const fail: Fail = (where, expected, got) => {
    throw new RangeError(`Cannot use program ${name}: ${where}: expected ${expected} but got ${got}`);
  };
  buffers.forEach((buffer, id) => verifyBuffer(buffer, `buffer ${id} (${buffer.name})`, fail));
  verifyPorts(inputs, { kind: 'input', buffers, fail });
  verifyPorts(outputs, { kind: 'output', buffers, fail });
  const given = buffers.flatMap(({ kind }, id) => (kind === 'input' || kind === 'constant' ? [id] : []));
  const written = new Set(given);
  verifyBody(body, { path: 'statement ', fail, buffers, extents: new Map(), runs: true, counters: new Set(), written });
  for (const port of outputs)
    if (!written.has(port.buffer) && (buffers[port.buffer]?.size ?? 0) > 0)
      fail(`output ${port.name}`, 'a statement that writes it', 'none');
}

function verifyBuffer({ dtype, size, kind, data }: Buffer, where: string, fail: Fail): void {
  if (!DTYPES.includes(dtype)) fail(where, DTYPES.join(' or '), dtype);
  if (!Number.isSafeInteger(size) || size < 0) fail(where, 'a size of 0 or more', String(size));
  if (kind !== 'constant') {
    if (data !== undefined) fail(where, 'data for constants alone', `data of ${kind === 'input' ? 'an' : 'a'} ${kind}`);
  } else if (data === undefined) fail(where, 'data of a constant', 'none');
  else if (data.constructor !== allocate(dtype, 0).constructor) fail(where, `data of ${dtype}`, data.constructor.name);
  else if (data.length !== 1 && data.length !== size) fail(where, `1 or ${size} elements`, String(data.length));
}

function verifyPorts(
  ports: readonly ProgramPort[],
  { kind, buffers, fail }: { kind: 'input' | 'output'; buffers: readonly Buffer[]; fail: Fail },
): void {
  const names = new Set<string>();
  const taken = new Map<BufferId, string>();
  for (const { name, buffer } of ports) {
    const where = `${kind} ${name}`;
    if (names.has(name)) fail(where, 'unique names', 'it twice');
    names.add(name);
    const own = buffers[buffer] ?? fail(where, `a buffer below ${buffers.length}`, String(buffer));
    if (own.kind !== kind) fail(where, `a buffer of kind ${kind}`, `${own.kind} ${own.name}`);
    const other = taken.get(buffer);
    if (other !== undefined) fail(where, 'a buffer of its own', `that of ${other}`);
    taken.set(buffer, name);
  }
  for (const [id, buffer] of buffers.entries())
    if (buffer.kind === kind && !taken.has(id)) fail(`buffer ${id} (${buffer.name})`, `an ${kind} port`, 'none');
}

function verifyBody(body: readonly Statement[], scope: Scope): void {
  for (const [place, statement] of body.entries()) {
    const at = `${scope.path}${place}`;
    verifyStatement(statement, { ...scope, path: `${at} (${statement.name})` }, at);
  }
}

function verifyStatement(statement: Statement, scope: Scope, at: string): void {
  switch (statement.kind) {
    case 'kernel': {
      const extents = withLoops(statement.loops, scope);
      for (const counter of statement.ordered)
        if (!statement.loops.some((loop) => loop.counter === counter))
          scope.fail(scope.path, 'ordered loops of the kernel', `i${counter}`);
      verifyKernel(statement, { ...scope, extents, isReached: scope.runs });
      if (scope.runs) for (const buffer of writtenBy(statement)) scope.written.add(buffer);
      break;
    }
    case 'contraction':
      verifyContraction(statement, scope);
      break;
    case 'repeat': {
      const extents = withLoops([statement.loop], scope);
      const runs = scope.runs && statement.loop.extent > 0;
      const written = runs ? scope.written : new Set(scope.written);
      verifyBody(statement.body, { ...scope, path: `${at}/body/`, extents, runs, written });
      break;
    }
    case 'branch': {
      verifyOperand(statement.condition, { ...scope, path: `${scope.path}, condition` }, 'bool');
      const then = new Set(scope.written);
      const otherwise = new Set(scope.written);
      verifyBody(statement.then, { ...scope, path: `${at}/then/`, written: then });
      verifyBody(statement.otherwise, { ...scope, path: `${at}/otherwise/`, written: otherwise });
      for (const buffer of then) if (otherwise.has(buffer)) scope.written.add(buffer);
      break;
    }
    default:
      scope.fail(scope.path, 'a statement of the loop IR', (statement as Statement).kind);
  }
}

/** The extents of the loops round a statement and of its own, which are checked. */
function withLoops(loops: readonly Loop[], { path, fail, counters, extents }: Scope): ReadonlyMap<number, number> {
  for (const { counter, extent } of loops) {
    if (!Number.isSafeInteger(counter) || counter < 0)
      fail(path, 'counters that are integers of 0 or more', `i${counter}`);
    if (!Number.isSafeInteger(extent) || extent < 0)
      fail(path, `an extent of 0 or more for i${counter}`, String(extent));
    if (counters.has(counter)) fail(path, 'counters that no other loop has', `i${counter}`);
    counters.add(counter);
  }
  return new Map([...extents, ...loops.map(({ counter, extent }) => [counter, extent] as const)]);
}

/** Buffers that a kernel writes if it is reached: a reduction over no elements writes too. */
function writtenBy(kernel: Kernel): readonly BufferId[] {
  return kernel.operations.flatMap((operation) => {
    if (operation.op !== 'store' && operation.op !== 'reduce') return [];
    return isRun(kernel, operation.op === 'reduce' ? operation.over : []) ? [operation.buffer] : [];
  });
}

/** A place outside kernels that is read. */
function verifyOperand(place: Place, scope: Scope, dtype: DType): void {
  const { name } = verifyPlace(place, scope, dtype);
  if (!scope.written.has(place.buffer)) scope.fail(scope.path, `${name} to be written before it is read`, 'no write');
}

function verifyPlace(
  { buffer: id, index }: Place,
  { path, fail, buffers, extents, runs }: Scope,
  dtype: DType,
): Buffer {
  const buffer = buffers[id] ?? fail(path, `a buffer below ${buffers.length}`, String(id));
  if (buffer.dtype !== dtype) fail(path, `a buffer of ${dtype}`, `${buffer.dtype} of ${buffer.name}`);
  verifyIndex(index, { where: path, fail, extents });
  if (runs) verifyRange(index, { path, fail, buffer });
  return buffer;
}

function verifyRange(index: Index, { path, fail, buffer }: { path: string; fail: Fail; buffer: Buffer }): void {
  const { min, max } = indexRange(index);
  if (min < 0 || max >= buffer.size)
    fail(path, `places from 0 to ${buffer.size - 1} of ${buffer.name}`, rangeText({ min, max }));
}

/** Roles along which an operand has no stride. */
const ABSENT = { left: 'column', right: 'row', out: 'inner' } as const;
const OPERANDS = ['left', 'right', 'out'] as const;

function verifyContraction(contraction: Contraction, scope: Scope): void {
  const { axes, left, right, out } = contraction;
  const { path, fail, buffers } = scope;
  for (const [place, axis] of axes.entries()) {
    const where = `${path}, axis ${place} (${axis.role})`;
    if (!Number.isSafeInteger(axis.extent) || axis.extent < 0)
      fail(where, 'an extent of 0 or more', String(axis.extent));
    for (const operand of OPERANDS) {
      if (!Number.isSafeInteger(axis[operand])) fail(where, `an integer stride of ${operand}`, String(axis[operand]));
      if (axis.role === ABSENT[operand] && axis[operand] !== 0)
        fail(where, `no stride of ${operand}`, String(axis[operand]));
    }
  }
  // Made-up counters of the axes, above all real ones.
  const first = Math.max(-1, ...scope.extents.keys()) + 1;
  const loops = axes.map(({ extent }, place): Loop => ({ counter: first + place, extent }));
  const along = (operand: (typeof OPERANDS)[number]): Index =>
    axes.reduce(
      (sum, axis, place) => addIndex(sum, scaleIndex(counterIndex(first + place, axis.extent), axis[operand])),
      contraction[operand].index,
    );
  const runs = scope.runs && axes.every(({ extent, role }) => extent > 0 || role === 'inner');
  const isRead = scope.runs && axes.every(({ extent }) => extent > 0);
  for (const operand of OPERANDS) {
    const own = { ...scope, path: `${path}, ${operand}`, runs: operand === 'out' ? runs : isRead };
    if (operand === 'out') verifyPlace(out, own, 'float32');
    else verifyOperand(contraction[operand], own, 'float32');
    if (own.runs) verifyRange(along(operand), { ...own, buffer: buffers[contraction[operand].buffer] as Buffer });
  }
  const target = buffers[out.buffer] as Buffer;
  if (target.kind === 'input' || target.kind === 'constant')
    fail(`${path}, out`, 'a local or output buffer to write', `${target.kind} ${target.name}`);
  if (out.buffer === left.buffer || out.buffer === right.buffer)
    fail(`${path}, out`, 'a buffer that is no operand', target.name);
  const index = along('out');
  const agreeing = agreeingCounters(index, index, { loops, isFixed: () => true });
  for (const [place, { extent, role }] of axes.entries())
    if (role !== 'inner' && extent > 1 && agreeing !== 'never' && !agreeing.has(first + place))
      fail(`${path}, out`, 'a place of its own for each batch, row and column', `one for several along axis ${place}`);
  if (runs) scope.written.add(out.buffer);
}
