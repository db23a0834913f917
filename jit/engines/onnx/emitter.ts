import { type TypedArray, type ValueType, allocate, sameShape, sizeOf } from '../../graph/graph.ts';
import { type ModelAttribute, type ModelDType, type ModelNode, type ModelTensor, elementType } from './proto.ts';

/**
 * A value of a graph while it is emitted. Its tensor may be smaller than the value's type says, wherever that broadcasts to
 * it: elementwise operators broadcast by themselves, so a broadcast costs a node only where something else reads it.
 */
export interface Emitted {
  readonly name: string;
  /** Shape of the tensor in the model. */
  readonly shape: readonly number[];
  readonly type: ValueType;
}

type Attributes = Readonly<Record<string, ModelAttribute>>;

/** Collects the nodes and constants of a model that is being emitted. Names are short and unique in the whole model. */
export class Emitter {
  readonly constants = new Map<string, ModelTensor>();
  readonly #constantNames = new Map<string, string>();
  readonly #taken: ReadonlySet<string>;
  #nodes: ModelNode[] = [];
  #count = 0;

  constructor(portNames: Iterable<string>) {
    this.#taken = new Set(portNames);
  }

  /** A name that nothing else has. */
  fresh(): string {
    for (;;) {
      const name = `v${this.#count}`;
      this.#count += 1;
      if (!this.#taken.has(name)) return name;
    }
  }

  /** Adds an operator with one output; gives the output's name. */
  op(opType: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.ops(opType, { inputs, attributes, outputCount: 1 })[0] as string;
  }

  /** Adds an operator; gives its outputs' names. */
  ops(
    opType: string,
    { inputs, attributes, outputCount }: { inputs: readonly string[]; attributes: Attributes; outputCount: number },
  ): readonly string[] {
    const outputs = Array.from({ length: outputCount }, () => this.fresh());
    this.#nodes.push({ opType, inputs, outputs, attributes });
    return outputs;
  }

  /** Runs `emit`, whose nodes are kept apart, for a branch or a loop (or the model itself). */
  scope<T>(emit: () => T): { readonly nodes: readonly ModelNode[]; readonly result: T } {
    const outer = this.#nodes;
    this.#nodes = [];
    const result = emit();
    const nodes = this.#nodes;
    this.#nodes = outer;
    return { nodes, result };
  }

  /** The name of a constant tensor: one initializer of the model for all constants of the same bytes. */
  constant(tensor: ModelTensor): string {
    const { buffer, byteOffset, byteLength } = tensor.data;
    // Large constants are seldom equal: only small ones are looked up by content.
    const content = byteLength > 1024 ? undefined : new Uint8Array(buffer, byteOffset, byteLength).join();
    const key = `${tensor.dtype}[${tensor.shape.join()}]:${content}`;
    const known = content === undefined ? undefined : this.#constantNames.get(key);
    if (known !== undefined) return known;
    const name = this.fresh();
    this.constants.set(name, tensor);
    if (content !== undefined) this.#constantNames.set(key, name);
    return name;
  }

  /** A scalar constant. */
  scalar(value: number, dtype: ModelDType = 'float32'): string {
    const data = dtype === 'int64' ? BigInt64Array.of(BigInt(value)) : allocate(dtype, 1);
    if (!(data instanceof BigInt64Array)) data[0] = value;
    return this.constant({ shape: [], dtype, data });
  }

  /** A constant list of integers: a shape, axes, starts. */
  integers(values: readonly number[]): string {
    return this.constant({ shape: [values.length], dtype: 'int64', data: BigInt64Array.from(values, BigInt) });
  }

  /** A constant as a value. A splat stays one element. */
  value(type: ValueType, data: TypedArray): Emitted {
    const isSplat = data.length === 1;
    const shape = isSplat ? [] : type.shape;
    return { name: this.constant({ shape, dtype: type.dtype, data }), shape, type };
  }

  /** The value's tensor in the value's own shape: broadcast where it isn't yet. */
  full({ name, shape, type }: Emitted): string {
    if (sameShape(shape, type.shape)) return name;
    // A tensor of as many elements is the same up to axes of extent one.
    if (sizeOf(shape) === sizeOf(type.shape)) return this.reshape(name, type.shape);
    return this.op('Expand', [name, this.integers(type.shape)]);
  }

  reshape(name: string, shape: readonly number[]): string {
    return this.op('Reshape', [name, this.integers(shape)], shape.includes(0) ? { allowzero: 1 } : {});
  }

  /** The transposed tensor; itself where the axes stay in order. */
  transpose(name: string, perm: readonly number[]): string {
    return perm.every((axis, index) => axis === index) ? name : this.op('Transpose', [name], { perm });
  }

  cast(name: string, dtype: ModelDType): string {
    return this.op('Cast', [name], { to: elementType(dtype) });
  }
}
