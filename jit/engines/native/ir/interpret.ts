import { type DType, type TypedArray, allocate } from '../../../graph/graph.ts';
import { type Index, evaluateIndex } from './index-expression.ts';
import { operationTypes } from './operation-types.ts';
import type {
  Buffer,
  BufferId,
  Contraction,
  Kernel,
  Loop,
  Operation,
  OperationId,
  Place,
  Program,
  Statement,
} from './program.ts';
import {
  BINARY_SCALARS,
  COMBINATIONS,
  COMPARISON_SCALARS,
  UNARY_SCALARS,
  castScalar,
  rounded,
} from './scalar-functions.ts';
import { verifyProgram } from './verify.ts';

/**
 * Runs a program, slowly and plainly: what it means, and what compiled code is compared with. Kernels run their loops in row-major
 * order. Each operation is rounded to its dtype; functions, reductions and contractions of float32 are computed in double precision and
 * rounded once.
 * @param inputs an array of its buffer's size and dtype for each input; they aren't written.
 * @returns an array for each output.
 * @throws RangeError where the program isn't legal, a place is outside its buffer, or an element is read, or left in an output, that
 * nothing wrote; RangeError or TypeError on an input that is missing, of another size or kind.
 */
export function interpret(program: Program, inputs: ReadonlyMap<string, TypedArray>): Map<string, TypedArray> {
  verifyProgram(program);
  const machine = new Machine(program, inputs);
  machine.run(program.body);
  return new Map(program.outputs.map(({ name, buffer }) => [name, machine.output(name, buffer)]));
}

/** Memory of a running program. */
class Machine {
  readonly #program: Program;
  readonly #memory: readonly TypedArray[];
  /** Which elements have been written, for local and output buffers. */
  readonly #written: readonly (Uint8Array | undefined)[];
  /** Counters of the loops that are running. */
  readonly #counters: number[] = [];
  /** Values of the kernel that is running. */
  #values: number[] = [];
  #place = '';

  constructor(program: Program, inputs: ReadonlyMap<string, TypedArray>) {
    this.#program = program;
    const given = new Map(program.inputs.map(({ name, buffer }) => [buffer, this.#input(name, buffer, inputs)]));
    this.#memory = program.buffers.map(
      (buffer, id) => given.get(id) ?? buffer.data ?? allocate(buffer.dtype, buffer.size),
    );
    this.#written = program.buffers.map(({ kind, size }) =>
      kind === 'local' || kind === 'output' ? new Uint8Array(size) : undefined,
    );
  }

  #input(name: string, buffer: BufferId, inputs: ReadonlyMap<string, TypedArray>): TypedArray {
    const { dtype, size } = this.#buffer(buffer);
    const data = inputs.get(name);
    const text = `Cannot interpret ${this.#program.name}: expected ${dtype}[${size}] as input ${name} but got`;
    if (data === undefined) throw new RangeError(`${text} none`);
    if (data.constructor !== allocate(dtype, 0).constructor) throw new TypeError(`${text} ${data.constructor.name}`);
    if (data.length !== size) throw new RangeError(`${text} ${data.length} elements`);
    return data;
  }

  output(name: string, buffer: BufferId): TypedArray {
    const missing = this.#written[buffer]?.indexOf(0) ?? -1;
    if (missing >= 0)
      throw new RangeError(
        `Cannot interpret ${this.#program.name}: expected every element of output ${name} to be written but got none at ${missing}`,
      );
    return this.#memory[buffer] as TypedArray;
  }

  run(body: readonly Statement[]): void {
    for (const statement of body) {
      this.#place = statement.name;
      switch (statement.kind) {
        case 'kernel':
          this.#kernel(statement);
          break;
        case 'contraction':
          this.#contraction(statement);
          break;
        case 'repeat':
          this.#nest([statement.loop], () => this.run(statement.body));
          break;
        case 'branch':
          this.run(this.#load(statement.condition) === 1 ? statement.then : statement.otherwise);
          break;
      }
    }
  }

  #buffer(id: BufferId): Buffer {
    return this.#program.buffers[id] as Buffer;
  }

  /** Runs code for every setting of loops, the last one fastest. */
  #nest(loops: readonly Loop[], code: () => void): void {
    const [loop, ...inner] = loops;
    if (loop === undefined) {
      code();
      return;
    }
    for (let count = 0; count < loop.extent; count += 1) {
      this.#counters[loop.counter] = count;
      this.#nest(inner, code);
    }
  }

  #index(index: Index): number {
    return evaluateIndex(index, (atom) =>
      atom.kind === 'counter' ? (this.#counters[atom.counter] as number) : (this.#values[atom.operation] as number),
    );
  }

  #fail(expected: string, got: string): never {
    throw new RangeError(`Cannot interpret ${this.#program.name}: ${this.#place}: expected ${expected} but got ${got}`);
  }

  /** The number of an element, which is inside its buffer. */
  #locate({ buffer, index }: Place): number {
    const { name, size } = this.#buffer(buffer);
    const at = this.#index(index);
    if (at < 0 || at >= size) this.#fail(`a place from 0 to ${size - 1} of ${name}`, String(at));
    return at;
  }

  #load(place: Place): number {
    return this.#read(place.buffer, this.#locate(place));
  }

  #read(buffer: BufferId, at: number): number {
    if (this.#written[buffer]?.[at] === 0)
      this.#fail(`element ${at} of ${this.#buffer(buffer).name} to be written before it is read`, 'no write');
    const memory = this.#memory[buffer] as TypedArray;
    return memory[memory.length === 1 ? 0 : at] as number;
  }

  #write(buffer: BufferId, at: number, value: number): number {
    const element = rounded(this.#buffer(buffer).dtype, value);
    (this.#memory[buffer] as TypedArray)[at] = element;
    (this.#written[buffer] as Uint8Array)[at] = 1;
    return element;
  }

  #kernel(kernel: Kernel): void {
    this.#values = [];
    const types = operationTypes(kernel, this.#program.buffers);
    const steps = kernel.operations.map((operation, id) =>
      operation.op === 'reduce'
        ? this.#reduction(kernel, operation)
        : { run: this.#step(operation, types[id] ?? 'bool') },
    );
    this.#nest(kernel.loops, () => {
      for (const [id, { run }] of steps.entries()) this.#values[id] = run();
    });
    for (const step of steps) if ('finish' in step) step.finish();
  }

  /** What an operation does in each run of the code, and gives; a store gives what it stores. */
  #step(operation: Exclude<Operation, { op: 'reduce' }>, type: DType): () => number {
    const value = (id: OperationId): number => this.#values[id] as number;
    switch (operation.op) {
      case 'constant': {
        const number = rounded(type, operation.value);
        return () => number;
      }
      case 'index':
        return () => this.#index(operation.index);
      case 'load':
        return () => this.#load(operation);
      case 'unary': {
        const apply = UNARY_SCALARS[operation.fn];
        return () => rounded(type, apply(value(operation.x)));
      }
      case 'binary': {
        const apply = BINARY_SCALARS[type][operation.fn];
        return () => rounded(type, apply(value(operation.a), value(operation.b)));
      }
      case 'compare': {
        const apply = COMPARISON_SCALARS[operation.fn];
        return () => Number(apply(value(operation.a), value(operation.b)));
      }
      case 'select':
        return () => value(value(operation.condition) === 1 ? operation.a : operation.b);
      case 'cast':
        return () => castScalar(type, value(operation.x));
      case 'store':
        break;
    }
    const { buffer, adds } = operation;
    return () => {
      const at = this.#locate(operation);
      const before = adds ? this.#read(buffer, at) : 0;
      return this.#write(buffer, at, adds ? before + value(operation.value) : value(operation.value));
    };
  }

  #reduction(
    kernel: Kernel,
    { fn, value, over, buffer, index, divisor }: Extract<Operation, { op: 'reduce' }>,
  ): { readonly run: () => number; readonly finish: () => void } {
    const { dtype } = this.#buffer(buffer);
    const { fn: combination, identity } = COMBINATIONS[fn];
    const combine = BINARY_SCALARS[dtype][combination];
    const others = kernel.loops.filter(({ counter }) => !over.includes(counter));
    // One result for each setting of the other loops.
    const slot = (): number =>
      others.reduce((flat, { counter, extent }) => flat * extent + (this.#counters[counter] as number), 0);
    const results = new Float64Array(others.reduce((count, { extent }) => count * extent, 1)).fill(identity(dtype));
    return {
      run: () => {
        const at = slot();
        const sum = combine(results[at] as number, this.#values[value] as number);
        results[at] = dtype === 'float32' ? sum : rounded(dtype, sum);
        return Number.NaN;
      },
      finish: () => {
        this.#nest(others, () => {
          this.#write(buffer, this.#locate({ buffer, index }), (results[slot()] as number) / divisor);
        });
      },
    };
  }

  #contraction({ axes, left, right, out }: Contraction): void {
    const inner = axes.filter(({ role }) => role === 'inner');
    const outer = axes.filter(({ role }) => role !== 'inner');
    const [leftStart, rightStart, outStart] = [left, right, out].map(({ index }) => this.#index(index)) as [
      number,
      number,
      number,
    ];
    walk(outer, ([leftAt, rightAt, outAt]) => {
      let sum = 0;
      walk(inner, ([leftMove, rightMove]) => {
        const a = this.#read(left.buffer, leftStart + leftAt + leftMove);
        const b = this.#read(right.buffer, rightStart + rightAt + rightMove);
        sum += a * b;
      });
      this.#write(out.buffer, outStart + outAt, sum);
    });
  }
}

/** Visits every setting of axes in row-major order with the moves of the three operands. */
function walk(
  axes: Contraction['axes'],
  visit: (moves: readonly [number, number, number]) => void,
  [left, right, out]: readonly [number, number, number] = [0, 0, 0],
): void {
  const [axis, ...inner] = axes;
  if (axis === undefined) {
    visit([left, right, out]);
    return;
  }
  for (let count = 0; count < axis.extent; count += 1)
    walk(inner, visit, [left + count * axis.left, right + count * axis.right, out + count * axis.out]);
}
