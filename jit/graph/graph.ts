/**
 * The Graph: what a traced function becomes. A list of nodes in execution order, each applying one primitive to values
 * that earlier nodes, or the graph's inputs, made (single assignment). Every transform and engine works on this alone.
 */

/** Element types. `bool` is stored as one byte an element, 0 or 1. */
export const DTYPES = ['float32', 'int32', 'bool'] as const;
export type DType = (typeof DTYPES)[number];

/** Elements of a tensor in row-major order: Float32Array for float32, Int32Array for int32, Uint8Array for bool. */
export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** Shape and element type of a value. */
export interface ValueType {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** A tensor on the host: its type and its elements in row-major order. */
export interface HostArray extends ValueType {
  readonly data: TypedArray;
}

/** Index of a value in its graph's `values`. */
export type ValueId = number;

export const UNARY_FUNCTIONS = [
  'neg',
  'abs',
  'sign',
  'exp',
  'expm1',
  'log',
  'log1p',
  'sqrt',
  'rsqrt',
  'reciprocal',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'acosh',
  'atanh',
  'sigmoid',
  'softplus',
  'erf',
  'relu',
  'floor',
  'ceil',
  'round',
  'not',
  'isNan',
  'isInf',
  'isFinite',
] as const;
/** Elementwise functions of one argument. `not` takes bool; `isNan`, `isInf`, `isFinite` give bool; `round` rounds half to even. */
export type UnaryFunction = (typeof UNARY_FUNCTIONS)[number];

export const BINARY_FUNCTIONS = [
  'add',
  'sub',
  'mul',
  'div',
  'max',
  'min',
  'pow',
  'atan2',
  'mod',
  'floorDiv',
  'and',
  'or',
  'xor',
] as const;
/**
 * Elementwise functions of two arguments of one dtype, which broadcast as in numpy. `and`, `or`, `xor` take bool;
 * `max` and `min` give NaN where either argument is NaN; `mod` and `floorDiv` round towards minus infinity.
 */
export type BinaryFunction = (typeof BINARY_FUNCTIONS)[number];

export const COMPARISONS = ['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'] as const;
export type Comparison = (typeof COMPARISONS)[number];

export const REDUCTIONS = ['sum', 'mean', 'max', 'min', 'prod', 'any', 'all'] as const;
export type Reduction = (typeof REDUCTIONS)[number];

/** Of a primitive that needs nothing but its inputs. */
export type NoAttributes = Readonly<Record<string, never>>;

/** What each primitive needs to be told besides its inputs. Axes are never negative. */
export interface Attributes {
  /** No inputs. `data` has one element (a splat: every element is that one) or as many as the shape. */
  readonly constant: { readonly shape: readonly number[]; readonly dtype: DType; readonly data: TypedArray };
  readonly unary: { readonly fn: UnaryFunction };
  readonly binary: { readonly fn: BinaryFunction };
  /** Inputs of one dtype, broadcast as in numpy; gives bool. */
  readonly compare: { readonly fn: Comparison };
  /** Inputs condition (bool), a, b, broadcast as in numpy: a where the condition holds, else b. */
  readonly select: NoAttributes;
  /** Axes ascending. `any` and `all` take bool. */
  readonly reduce: { readonly fn: Reduction; readonly axes: readonly number[]; readonly keepDims: boolean };
  /** Index of the largest or smallest element along `axis` (the first of equals), int32; the axis goes away. */
  readonly argReduce: { readonly fn: 'max' | 'min'; readonly axis: number };
  /**
   * Sum of products over the contracted axes of two float32 tensors. The output's axes: the batch axes (in the order listed),
   * then the left operand's other axes, then the right operand's.
   */
  readonly contract: {
    readonly leftBatch: readonly number[];
    readonly rightBatch: readonly number[];
    readonly leftContract: readonly number[];
    readonly rightContract: readonly number[];
  };
  /**
   * Inputs x, indices (int32). The first `batchDims` axes of both are equal and walked together (batchDims <= axis); the
   * output's shape is x's with `axis` replaced by the other axes of the indices. Indices are in range (the caller's duty).
   */
  readonly gather: { readonly axis: number; readonly batchDims: number };
  /** Inputs indices (int32), updates (as gather's output): gather's transpose, a tensor of zeros with `size` at `axis` to which each update is added. */
  readonly scatterAdd: { readonly axis: number; readonly batchDims: number; readonly size: number };
  readonly cumulative: {
    readonly fn: 'sum' | 'prod';
    readonly axis: number;
    readonly exclusive: boolean;
    readonly reverse: boolean;
  };
  readonly reshape: { readonly shape: readonly number[] };
  /** Axis i of the output is axis perm[i] of the input. */
  readonly transpose: { readonly perm: readonly number[] };
  /** Strides are positive; `size` is the output's shape. */
  readonly slice: {
    readonly begin: readonly number[];
    readonly size: readonly number[];
    readonly strides: readonly number[];
  };
  readonly pad: { readonly before: readonly number[]; readonly after: readonly number[]; readonly value: number };
  /** One or more inputs. */
  readonly concat: { readonly axis: number };
  readonly reverse: { readonly axes: readonly number[] };
  /** As numpy's broadcast_to: axes align from the right. */
  readonly broadcast: { readonly shape: readonly number[] };
  /** No inputs. Counts 0, 1, 2, ... along `axis`. */
  readonly iota: { readonly shape: readonly number[]; readonly axis: number; readonly dtype: 'float32' | 'int32' };
  /** float32 to int32 truncates towards zero; to bool tests for not zero. */
  readonly cast: { readonly dtype: DType };
  /** The product of the extents of these axes of the input, a float32 scalar: a number that depends on the shape. */
  readonly size: { readonly axes: readonly number[] };
  /** The value unchanged, with derivative zero. */
  readonly stopGradient: NoAttributes;
  /**
   * `body` applied `count` times. For each of the body's inputs in order: `count` values where `mapped`, else one value shared by
   * all. Outputs: for each of the body's outputs in order, `count` values. This is how one rule runs over many tensors of a class.
   */
  readonly call: { readonly body: Graph; readonly count: number; readonly mapped: readonly boolean[] };
  /** `forward` applied to the inputs; its derivative is `backward`, which takes the inputs, then a cotangent for each output, and gives one for each input. */
  readonly customGradient: { readonly forward: Graph; readonly backward: Graph };
  /** Inputs: a bool scalar, then operands; the branch taken gets the operands. Both branches have the same input and output types. */
  readonly cond: { readonly then: Graph; readonly otherwise: Graph };
  /**
   * Inputs: `carries` values, `sequences` values with a leading axis of `length`, then captured values. The body takes the
   * carries, one slice of each sequence and the captured values; it gives the next carries, then what is stacked along a new leading axis.
   */
  readonly scan: {
    readonly body: Graph;
    readonly length: number;
    readonly carries: number;
    readonly sequences: number;
  };
}

/** The primitives. */
export type Op = keyof Attributes;

/** Primitives that have their place in every table and are not there yet: image and recurrent tasks bring them. */
export type PlannedOp = 'convolve' | 'windowReduce' | 'sort';

/** One application of a primitive. */
export type Node<O extends Op = Op> = {
  readonly [K in O]: {
    readonly op: K;
    readonly attrs: Attributes[K];
    readonly inputs: readonly ValueId[];
    readonly outputs: readonly ValueId[];
    /** Where in the author's code the node came from, when tracing kept it: `file:line`. */
    readonly place?: string;
  };
}[O];

/** A named input or output. */
export interface Port {
  readonly name: string;
  readonly value: ValueId;
}

/** Inputs, nodes in execution order, outputs. `values[id]` is the type of each value. Input names are unique, and so are output names. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly Port[];
  readonly values: readonly ValueType[];
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** A shape and dtype as text: `float32[3,4]`. */
export function typeText(type: ValueType): string {
  return `${type.dtype}[${type.shape.join(',')}]`;
}

/** Whether two types have the same dtype and shape. */
export function sameType(a: ValueType, b: ValueType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

/** Whether two shapes are equal. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** An array for `count` elements of a dtype, filled with zeros. */
export function allocate(dtype: DType, count: number): TypedArray {
  if (dtype === 'float32') return new Float32Array(count);
  return dtype === 'int32' ? new Int32Array(count) : new Uint8Array(count);
}
