import type { DType } from '../../../graph/graph.ts';
import { type Index, dependencies, strideOf } from '../ir/index-expression.ts';
import type { Buffer, BufferId, Kernel, Loop, Operation, OperationId } from '../ir/program.ts';
import {
  MEMORY_PREFIX,
  SCALAR_PREFIX,
  SCALAR_TYPE,
  VECTOR_PREFIX,
  VECTOR_TYPE,
  counterName,
  indexText,
  literal,
} from './c-text.ts';
import { planLoops } from './loop-plan.ts';
import { operationTypes } from '../ir/operation-types.ts';
import { COMBINATIONS } from '../ir/scalar-functions.ts';
import { operationDependencies } from './operation-dependencies.ts';

type Reduce = Extract<Operation, { op: 'reduce' }>;

export interface EmitKernelOptions {
  readonly buffers: readonly Buffer[];
  /** The address of a buffer's first element, as an expression. */
  readonly address: (buffer: BufferId) => string;
}

/** The C code of a kernel, as lines. */
export function emitKernel(kernel: Kernel, options: EmitKernelOptions): readonly string[] {
  return new KernelEmitter(kernel, options).emit();
}

/** Whether code is for whole vectors, for the last, incomplete one of a row, or for one point at a time. */
type Width = { readonly kind: 'full' } | { readonly kind: 'part'; readonly lanes: string };
const FULL: Width = { kind: 'full' };

class KernelEmitter {
  readonly #kernel: Kernel;
  readonly #loops: readonly Loop[];
  readonly #vector: Loop | undefined;
  readonly #options: EmitKernelOptions;
  readonly #types: readonly (DType | undefined)[];
  readonly #depends: readonly ReadonlySet<number>[];
  readonly #lines: string[] = [];
  #indent = 1;

  constructor(given: Kernel, options: EmitKernelOptions) {
    const { kernel, loops, vector } = planLoops(given);
    this.#kernel = kernel;
    this.#loops = loops;
    this.#vector = vector;
    this.#options = options;
    this.#types = operationTypes(kernel, options.buffers);
    this.#depends = operationDependencies(kernel);
  }

  emit(): readonly string[] {
    for (const reduce of this.#reductions()) if (this.#isInMemory(reduce)) this.#fillTarget(reduce);
    this.#level(0, FULL);
    for (const reduce of this.#reductions()) if (this.#isInMemory(reduce)) this.#divideTarget(reduce);
    return this.#lines;
  }

  #line(text: string): void {
    this.#lines.push(`${'  '.repeat(this.#indent)}${text}`);
  }

  #block(head: string, body: () => void): void {
    this.#line(head === '' ? '{' : `${head} {`);
    this.#indent += 1;
    body();
    this.#indent -= 1;
    this.#line('}');
  }

  #reductions(): readonly Reduce[] {
    return this.#kernel.operations.filter((operation) => operation.op === 'reduce');
  }

  /** Number of loops round an operation: all that it depends on, and those between. */
  #levelOf(id: OperationId): number {
    const operation = this.#kernel.operations[id] as Operation;
    if (operation.op === 'store' || operation.op === 'reduce') return this.#loops.length;
    const depends = this.#depends[id] as ReadonlySet<number>;
    return this.#loops.findLastIndex(({ counter }) => depends.has(counter)) + 1;
  }

  #isVector(id: OperationId): boolean {
    return this.#vector !== undefined && (this.#depends[id] as ReadonlySet<number>).has(this.#vector.counter);
  }

  /** Loops that a reduction doesn't combine over. */
  #keptLoops({ over }: Reduce): readonly Loop[] {
    return this.#loops.filter(({ counter }) => !over.includes(counter));
  }

  /** Number of loops outside of a reduction's accumulator, where it has one: all loops inside combine. */
  #accumulatorLevel({ over }: Reduce): number {
    return this.#loops.findLastIndex(({ counter }) => !over.includes(counter)) + 1;
  }

  /** Whether what the innermost loops give is combined in a register first. */
  #isInRegister(reduce: Reduce): boolean {
    return this.#accumulatorLevel(reduce) < this.#loops.length || reduce.over.length === 0;
  }

  /** Whether results come together in memory: loops that combine lie outside of some that don't. */
  #isInMemory(reduce: Reduce): boolean {
    const level = this.#accumulatorLevel(reduce);
    return this.#loops.some(({ counter }, position) => position < level && reduce.over.includes(counter));
  }

  /** The code inside `level` loops. */
  #level(level: number, width: Width): void {
    const accumulators = this.#accumulatorsAt(level);
    if (level === this.#loops.length) {
      this.#operations(level, width);
      return;
    }
    for (const { name, type, reduce, isVector } of accumulators)
      this.#line(
        `${type} ${name} = ${splat(COMBINATIONS[reduce.fn].identity(this.#valueType(reduce)), this.#valueType(reduce), isVector)};`,
      );
    this.#operations(level, width);
    this.#loop(this.#loops[level] as Loop, level);
    for (const accumulator of accumulators) this.#finish(accumulator);
  }

  #accumulatorsAt(level: number): readonly { name: string; type: string; reduce: Reduce; isVector: boolean }[] {
    return this.#kernel.operations.flatMap((reduce, id) => {
      if (reduce.op !== 'reduce' || reduce.over.length === 0 || this.#accumulatorLevel(reduce) !== level) return [];
      if (!this.#isInRegister(reduce)) return [];
      const isVector = this.#vector !== undefined && reduce.over.includes(this.#vector.counter);
      const dtype = this.#valueType(reduce);
      return [{ name: `r${id}`, type: (isVector ? VECTOR_TYPE : SCALAR_TYPE)[dtype], reduce, isVector }];
    });
  }

  #valueType(reduce: Reduce): DType {
    return this.#types[reduce.value] as DType;
  }

  #finish({ name, reduce, isVector }: { name: string; reduce: Reduce; isVector: boolean }): void {
    const dtype = this.#valueType(reduce);
    let result = name;
    if (isVector)
      result = dtype === 'bool' ? `-vm_${reduce.fn}(${name})` : `${VECTOR_PREFIX[dtype]}_reduce_${reduce.fn}(${name})`;
    if (this.#isInMemory(reduce)) {
      const old = this.#load(reduce.buffer, reduce.index, { isVector: false, width: FULL });
      result = `${SCALAR_PREFIX[dtype]}_${COMBINATIONS[reduce.fn].fn}(${old}, ${result})`;
    } else if (reduce.divisor !== 1) result = `${result} / ${literal(reduce.divisor, dtype)}`;
    this.#line(this.#scalarStore(reduce.buffer, reduce.index, result));
  }

  #loop({ counter, extent }: Loop, level: number): void {
    const name = counterName(counter);
    if (this.#vector?.counter !== counter) {
      this.#block(`for (long ${name} = 0; ${name} < ${extent}; ${name}++)`, () => this.#level(level + 1, FULL));
      return;
    }
    // The same code for whole vectors and for what is left of the row; which of them there are depends on the target.
    this.#lines.push(`#if ${extent} >= LANES`);
    this.#block(`for (long ${name} = 0; ${name} <= ${extent} - LANES; ${name} += LANES)`, () =>
      this.#level(level + 1, FULL),
    );
    this.#lines.push('#endif', `#if ${extent} % LANES != 0`);
    this.#block('', () => {
      this.#line(`const long ${name} = ${extent} / LANES * LANES;`);
      this.#level(level + 1, { kind: 'part', lanes: `${extent} % LANES` });
    });
    this.#lines.push('#endif');
  }

  #operations(level: number, width: Width): void {
    for (const [id, operation] of this.#kernel.operations.entries()) {
      if (this.#levelOf(id) !== level) continue;
      if (operation.op === 'store') this.#line(this.#store(operation, width));
      else if (operation.op === 'reduce') this.#reduce(operation, id, width);
      else if (operation.op !== 'constant') {
        const dtype = this.#types[id] as DType;
        const isVector = this.#isVector(id);
        this.#line(
          `const ${(isVector ? VECTOR_TYPE : SCALAR_TYPE)[dtype]} v${id} = ${this.#expression(operation, { isVector, width })};`,
        );
      }
    }
  }

  /** A value as a vector, or as a number. */
  #use(id: OperationId, isVector: boolean): string {
    const operation = this.#kernel.operations[id] as Operation;
    const dtype = this.#types[id] as DType;
    const text = operation.op === 'constant' ? literal(operation.value, dtype) : `v${id}`;
    return isVector && !this.#isVector(id) ? `${dtype === 'float32' ? 'vf' : 'vi'}_splat(${text})` : text;
  }

  #expression(
    operation: Exclude<Operation, { op: 'constant' | 'store' | 'reduce' }>,
    { isVector, width }: { readonly isVector: boolean; readonly width: Width },
  ): string {
    const prefix = isVector ? VECTOR_PREFIX : SCALAR_PREFIX;
    const use = (id: OperationId) => this.#use(id, isVector);
    const typeOf = (id: OperationId) => this.#types[id] as DType;
    switch (operation.op) {
      case 'index':
        return isVector ? this.#vectorIndex(operation.index) : `(int32_t)(${this.#index(operation.index)})`;
      case 'load':
        return this.#load(operation.buffer, operation.index, { isVector, width });
      case 'unary':
        return `${prefix[typeOf(operation.x)]}_${operation.fn}(${use(operation.x)})`;
      case 'binary':
      case 'compare':
        return `${prefix[typeOf(operation.a)]}_${operation.fn}(${use(operation.a)}, ${use(operation.b)})`;
      case 'select':
        return `${prefix[typeOf(operation.a)]}_select(${use(operation.condition)}, ${use(operation.a)}, ${use(operation.b)})`;
      case 'cast':
        break;
    }
    const [from, to] = [typeOf(operation.x), operation.dtype];
    return from === to ? use(operation.x) : `${prefix[to]}_of_${prefix[from]}(${use(operation.x)})`;
  }

  #index(index: Index): string {
    return indexText(index, (id) => this.#use(id, false));
  }

  /** An index for each lane. */
  #vectorIndex(index: Index): string {
    const parts = index.terms.map(({ atom, factor }) => {
      let text: string;
      if (atom.kind === 'counter')
        text =
          atom.counter === this.#vector?.counter
            ? `(vi_splat((int32_t)${counterName(atom.counter)}) + vi_iota())`
            : `vi_splat((int32_t)${counterName(atom.counter)})`;
      else if (atom.kind === 'computed') text = this.#use(atom.operation, true);
      else text = `((${this.#vectorIndex(atom.of)}) ${atom.kind === 'quotient' ? '/' : '%'} ${atom.by})`;
      return factor === 1 ? text : `${factor} * ${text}`;
    });
    return [...parts, `vi_splat(${index.offset})`].join(' + ');
  }

  /** How the lanes' places follow one another: by a stride, or by an index each. */
  #lanes(index: Index): { readonly stride: number } | 'indexed' {
    const counter = this.#vector?.counter ?? -1;
    const computed = [...dependencies(index).operations].some((id) => this.#isVector(id));
    const stride = strideOf(index, counter);
    return computed || stride === undefined ? 'indexed' : { stride };
  }

  #load(
    buffer: BufferId,
    index: Index,
    { isVector, width }: { readonly isVector: boolean; readonly width: Width },
  ): string {
    const { dtype } = this.#options.buffers[buffer] as Buffer;
    const base = this.#options.address(buffer);
    if (!isVector)
      return dtype === 'bool' ? `sb_load(${base} + ${this.#index(index)})` : `${base}[${this.#index(index)}]`;
    const prefix = `${MEMORY_PREFIX[dtype]}_load`;
    const [suffix, count] = width.kind === 'part' ? ['_part', `, ${width.lanes}`] : ['', ''];
    const lanes = this.#lanes(index);
    if (lanes === 'indexed') return `${prefix}_indexed${suffix}(${base}, ${this.#vectorIndex(index)}${count})`;
    const at = `${base} + ${this.#index(index)}`;
    if (lanes.stride === 1) return `${prefix}${suffix}(${at}${count})`;
    return `${prefix}_strided${suffix}(${at}, ${lanes.stride}${count})`;
  }

  #scalarStore(buffer: BufferId, index: Index, value: string): string {
    const { dtype } = this.#options.buffers[buffer] as Buffer;
    const base = this.#options.address(buffer);
    return dtype === 'bool'
      ? `sb_store(${base} + ${this.#index(index)}, ${value});`
      : `${base}[${this.#index(index)}] = ${value};`;
  }

  #store({ buffer, index, value, adds }: Extract<Operation, { op: 'store' }>, width: Width): string {
    const { dtype } = this.#options.buffers[buffer] as Buffer;
    const isVector = this.#vector !== undefined;
    if (!isVector || adds) {
      const old = `${this.#options.address(buffer)}[${this.#index(index)}]`;
      const given = this.#use(value, false);
      return this.#scalarStore(buffer, index, adds ? `${SCALAR_PREFIX[dtype]}_add(${old}, ${given})` : given);
    }
    return this.#vectorStore(buffer, index, this.#use(value, true), width);
  }

  #vectorStore(buffer: BufferId, index: Index, value: string, width: Width): string {
    const { dtype } = this.#options.buffers[buffer] as Buffer;
    const base = this.#options.address(buffer);
    const prefix = `${MEMORY_PREFIX[dtype]}_store`;
    const [suffix, count] = width.kind === 'part' ? ['_part', `, ${width.lanes}`] : ['', ''];
    const lanes = this.#lanes(index);
    if (lanes === 'indexed')
      return `${prefix}_indexed${suffix}(${base}, ${this.#vectorIndex(index)}, ${value}${count});`;
    const at = `${base} + ${this.#index(index)}`;
    if (lanes.stride === 1) return `${prefix}${suffix}(${at}, ${value}${count});`;
    return `${prefix}_strided${suffix}(${at}, ${lanes.stride}, ${value}${count});`;
  }

  #reduce(reduce: Reduce, id: OperationId, width: Width): void {
    const { fn, over, buffer, index, value, divisor } = reduce;
    const dtype = this.#valueType(reduce);
    const combines = this.#vector !== undefined && over.includes(this.#vector.counter);
    const isVector = this.#vector !== undefined;
    if (over.length === 0) {
      const suffix = divisor === 1 ? '' : ` / ${literal(divisor, dtype)}`;
      if (isVector) this.#line(this.#vectorStore(buffer, index, `${this.#use(value, true)}${suffix}`, width));
      else this.#line(this.#scalarStore(buffer, index, `${this.#use(value, false)}${suffix}`));
      return;
    }
    // Lanes beyond the row's end must not count.
    const masked = (text: string): string =>
      width.kind === 'part'
        ? `${VECTOR_PREFIX[dtype]}_select((vi)(vi_iota() < ${width.lanes}), ${text}, ${splat(COMBINATIONS[fn].identity(dtype), dtype, true)})`
        : text;
    const join = (prefix: string, a: string, b: string): string => `${prefix}_${COMBINATIONS[fn].fn}(${a}, ${b})`;
    if (this.#isInRegister(reduce)) {
      const name = `r${id}`;
      const own = combines ? masked(this.#use(value, true)) : this.#use(value, false);
      this.#line(`${name} = ${join((combines ? VECTOR_PREFIX : SCALAR_PREFIX)[dtype], name, own)};`);
      return;
    }
    if (isVector && !combines) {
      const old = this.#load(buffer, index, { isVector: true, width });
      this.#line(this.#vectorStore(buffer, index, join(VECTOR_PREFIX[dtype], old, this.#use(value, true)), width));
      return;
    }
    let own = this.#use(value, isVector);
    if (isVector)
      own = dtype === 'bool' ? `-vm_${fn}(${masked(own)})` : `${VECTOR_PREFIX[dtype]}_reduce_${fn}(${masked(own)})`;
    const old = this.#load(buffer, index, { isVector: false, width: FULL });
    this.#line(this.#scalarStore(buffer, index, join(SCALAR_PREFIX[dtype], old, own)));
  }

  /** Loops over the places of a reduction's results. */
  #overTarget(reduce: Reduce, body: () => void): void {
    const loops = this.#keptLoops(reduce);
    const nest = (at: number): void => {
      const loop = loops[at];
      if (loop === undefined) {
        body();
        return;
      }
      const name = counterName(loop.counter);
      this.#block(`for (long ${name} = 0; ${name} < ${loop.extent}; ${name}++)`, () => nest(at + 1));
    };
    nest(0);
  }

  #fillTarget(reduce: Reduce): void {
    const start = literal(COMBINATIONS[reduce.fn].identity(this.#valueType(reduce)), this.#valueType(reduce));
    this.#overTarget(reduce, () => this.#line(this.#scalarStore(reduce.buffer, reduce.index, start)));
  }

  #divideTarget(reduce: Reduce): void {
    if (reduce.divisor === 1) return;
    const place = `${this.#options.address(reduce.buffer)}[${this.#index(reduce.index)}]`;
    this.#overTarget(reduce, () => this.#line(`${place} /= ${literal(reduce.divisor, this.#valueType(reduce))};`));
  }
}

function splat(value: number, dtype: DType, isVector: boolean): string {
  const text = literal(value, dtype);
  return isVector ? `${dtype === 'float32' ? 'vf' : 'vi'}_splat(${text})` : text;
}
