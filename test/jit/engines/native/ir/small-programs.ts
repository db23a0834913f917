import {
  type Index,
  ZERO,
  addIndex,
  computedIndex,
  constantIndex,
  counterIndex,
  scaleIndex,
} from '../../../../../jit/engines/native/ir/index-expression.ts';
import type {
  Buffer,
  Kernel,
  Loop,
  Operation,
  Program,
  Statement,
} from '../../../../../jit/engines/native/ir/program.ts';

/** Small legal programs, one for each thing that the loop IR can say. */

export const loop = (counter: number, extent: number): Loop => ({ counter, extent });
export const at = (counter: number, extent: number): Index => counterIndex(counter, extent);
export const plus = (...indices: readonly Index[]): Index => indices.reduce(addIndex, ZERO);
export const times = (by: number, index: Index): Index => scaleIndex(index, by);
export const number = (value: number): Index => constantIndex(value);

export function buffer(kind: Buffer['kind'], name: string, size: number, dtype: Buffer['dtype'] = 'float32'): Buffer {
  return { kind, name, size, dtype };
}

export function kernel(
  name: string,
  loops: readonly Loop[],
  operations: readonly Operation[],
  ordered: readonly number[] = [],
): Kernel {
  return { kind: 'kernel', name, loops, ordered: new Set(ordered), operations };
}

export const load = (id: number, index: Index): Operation => ({ op: 'load', buffer: id, index });
export const store = (id: number, index: Index, value: number, adds = false): Operation => ({
  op: 'store',
  buffer: id,
  index,
  value,
  adds,
});
export const constant = (value: number, dtype: Buffer['dtype'] = 'float32'): Operation => ({
  op: 'constant',
  dtype,
  value,
});
export const binary = (fn: Extract<Operation, { op: 'binary' }>['fn'], a: number, b: number): Operation => ({
  op: 'binary',
  fn,
  a,
  b,
});

/** A program with a port for each input and output buffer, of its name. */
export function program(name: string, buffers: readonly Buffer[], body: readonly Statement[]): Program {
  const ports = (kind: Buffer['kind']) =>
    buffers.flatMap((each, id) => (each.kind === kind ? [{ name: each.name, buffer: id }] : []));
  return { name, buffers, inputs: ports('input'), outputs: ports('output'), body };
}

/** out[4] = exp(x[4]) + 0.5. */
export function elementwise(): Program {
  const i = at(0, 4);
  return program(
    'elementwise',
    [buffer('input', 'x', 4), buffer('output', 'y', 4)],
    [
      kernel(
        'exp',
        [loop(0, 4)],
        [load(0, i), { op: 'unary', fn: 'exp', x: 0 }, constant(0.5), binary('add', 1, 2), store(1, i, 3)],
      ),
    ],
  );
}

/** means[2] of the rows of x[2,3], and their largest elements. */
export function rows(): Program {
  const [i, j] = [at(0, 2), at(1, 3)];
  const x: Operation = load(0, plus(times(3, i), j));
  const over = [1];
  return program(
    'rows',
    [buffer('input', 'x', 6), buffer('output', 'means', 2), buffer('output', 'tops', 2)],
    [
      kernel(
        'mean and max of rows',
        [loop(0, 2), loop(1, 3)],
        [
          x,
          { op: 'reduce', fn: 'sum', value: 0, over, buffer: 1, index: i, divisor: 3 },
          { op: 'reduce', fn: 'max', value: 0, over, buffer: 2, index: i, divisor: 1 },
        ],
      ),
    ],
  );
}

/** out[2,4] = a[2,3] b[3,4], b transposed in memory. */
export function matmul(): Program {
  return program(
    'matmul',
    [buffer('input', 'a', 6), buffer('input', 'b', 12), buffer('output', 'out', 8)],
    [
      {
        kind: 'contraction',
        name: 'a b',
        axes: [
          { role: 'row', extent: 2, left: 3, right: 0, out: 4 },
          { role: 'column', extent: 4, left: 0, right: 3, out: 1 },
          { role: 'inner', extent: 3, left: 1, right: 1, out: 0 },
        ],
        left: { buffer: 0, index: ZERO },
        right: { buffer: 1, index: ZERO },
        out: { buffer: 2, index: ZERO },
      },
    ],
  );
}

/** sums[3]: each x[5] added at its place. */
export function scatter(): Program {
  return program(
    'scatter',
    [buffer('input', 'x', 5), buffer('input', 'places', 5, 'int32'), buffer('output', 'sums', 3)],
    [
      kernel('zeros', [loop(0, 3)], [constant(0), store(2, at(0, 3), 0)]),
      kernel('add', [loop(1, 5)], [load(1, at(1, 5)), load(0, at(1, 5)), store(2, computedIndex(0), 1, true)]),
    ],
  );
}

/** sums[4,2]: the running sums of x[4,2] down its columns. */
export function cumulative(): Program {
  const [i, j] = [at(0, 3), at(1, 2)];
  const row = plus(times(2, i), j);
  const next = plus(row, number(2));
  return program(
    'cumulative',
    [buffer('input', 'x', 8), buffer('output', 'sums', 8)],
    [
      kernel('first row', [loop(2, 2)], [load(0, at(2, 2)), store(1, at(2, 2), 0)]),
      kernel(
        'other rows',
        [loop(0, 3), loop(1, 2)],
        [load(1, row), load(0, next), binary('add', 0, 1), store(1, next, 2)],
        [0],
      ),
    ],
  );
}

/** powers[4] = 1, x, x^2, x^3, by a carry. */
export function powers(): Program {
  const t = at(0, 4);
  return program(
    'powers',
    [buffer('input', 'x', 1), buffer('local', 'carry', 1), buffer('output', 'powers', 4)],
    [
      kernel('start', [], [constant(1), store(1, ZERO, 0)]),
      {
        kind: 'repeat',
        name: 'steps',
        loop: loop(0, 4),
        body: [
          kernel('keep', [], [load(1, ZERO), store(2, t, 0)]),
          kernel('next', [], [load(1, ZERO), load(0, ZERO), binary('mul', 0, 1), store(1, ZERO, 2)]),
        ],
      },
    ],
  );
}

/** y = x where `isKept`, else -x. */
export function branch(): Program {
  return program(
    'branch',
    [buffer('input', 'isKept', 1, 'bool'), buffer('input', 'x', 2), buffer('output', 'y', 2)],
    [
      {
        kind: 'branch',
        name: 'sign',
        condition: { buffer: 0, index: ZERO },
        then: [kernel('same', [loop(0, 2)], [load(1, at(0, 2)), store(2, at(0, 2), 0)])],
        otherwise: [
          kernel(
            'negative',
            [loop(1, 2)],
            [load(1, at(1, 2)), { op: 'unary', fn: 'neg', x: 0 }, store(2, at(1, 2), 1)],
          ),
        ],
      },
    ],
  );
}

export const PROGRAMS: readonly Program[] = [
  elementwise(),
  rows(),
  matmul(),
  scatter(),
  cumulative(),
  powers(),
  branch(),
];
