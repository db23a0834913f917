/**
 * The loop IR: what a Graph becomes before it is machine code. A program is a list of statements over flat buffers; a kernel is a nest
 * of loops round straight-line code in single assignment. Layout primitives are gone: they are index arithmetic. Nothing here is C, so
 * that other targets can be emitted from the same program.
 */
import type { BinaryFunction, Comparison, DType, TypedArray, UnaryFunction } from '../../../graph/graph.ts';
import type { Index } from './index-expression.ts';

/** Memory of one dtype. Known by its place in the program's `buffers`. */
export interface Buffer {
  readonly name: string;
  readonly dtype: DType;
  /** Number of elements. */
  readonly size: number;
  /** `input`: given by the caller, never written. `output`: left for the caller. `local`: nobody's outside. `constant`: `data`, one element or `size`. */
  readonly kind: 'input' | 'output' | 'local' | 'constant';
  readonly data?: TypedArray;
}

export type BufferId = number;

/** A loop. Its counter runs from 0 to `extent` - 1. Counters are numbers that a program uses once. */
export interface Loop {
  readonly counter: number;
  readonly extent: number;
}

/** Place of an operation in its kernel: the value that it makes. */
export type OperationId = number;

/** How values are combined by a reduction. */
export type Combination = 'sum' | 'prod' | 'max' | 'min' | 'any' | 'all';

/** One operation of a kernel. Operands come before it. */
export type Operation =
  | { readonly op: 'constant'; readonly dtype: DType; readonly value: number }
  /** An index as an int32. */
  | { readonly op: 'index'; readonly index: Index }
  | { readonly op: 'load'; readonly buffer: BufferId; readonly index: Index }
  | { readonly op: 'unary'; readonly fn: UnaryFunction; readonly x: OperationId }
  | { readonly op: 'binary'; readonly fn: BinaryFunction; readonly a: OperationId; readonly b: OperationId }
  | { readonly op: 'compare'; readonly fn: Comparison; readonly a: OperationId; readonly b: OperationId }
  | {
      readonly op: 'select';
      readonly condition: OperationId;
      readonly a: OperationId;
      readonly b: OperationId;
    }
  | { readonly op: 'cast'; readonly dtype: DType; readonly x: OperationId }
  /** Writes; with `adds`, adds to what is there. */
  | {
      readonly op: 'store';
      readonly buffer: BufferId;
      readonly index: Index;
      readonly value: OperationId;
      readonly adds: boolean;
    }
  /**
   * Combines `value` over the loops whose counters are in `over` and writes the result, divided by `divisor`. The index depends on the
   * other loops alone. Nothing in the kernel reads it.
   */
  | {
      readonly op: 'reduce';
      readonly fn: Combination;
      readonly value: OperationId;
      readonly over: readonly number[];
      readonly buffer: BufferId;
      readonly index: Index;
      readonly divisor: number;
    };

/**
 * A nest of loops, outermost first, round straight-line code. The code may run for any counters in any order, but for `ordered` loops,
 * which run upwards: only along these may a kernel read what it writes at another place.
 */
export interface Kernel {
  readonly kind: 'kernel';
  /** What it computes, for readers. */
  readonly name: string;
  readonly loops: readonly Loop[];
  readonly ordered: ReadonlySet<number>;
  readonly operations: readonly Operation[];
}

/** One axis of a contraction, with each operand's stride along it in elements (0: the operand doesn't have it). */
export interface ContractionAxis {
  readonly role: 'batch' | 'row' | 'column' | 'inner';
  readonly extent: number;
  readonly left: number;
  readonly right: number;
  readonly out: number;
}

/** Where an operand of a contraction begins. */
export interface Place {
  readonly buffer: BufferId;
  readonly index: Index;
}

/** `out[batch, row, column]` becomes the sum over the inner axes of `left[batch, row, inner] * right[batch, inner, column]`. */
export interface Contraction {
  readonly kind: 'contraction';
  readonly name: string;
  readonly axes: readonly ContractionAxis[];
  readonly left: Place;
  readonly right: Place;
  readonly out: Place;
}

/** A body for each value of a counter, in order. */
export interface Repeat {
  readonly kind: 'repeat';
  readonly name: string;
  readonly loop: Loop;
  readonly body: readonly Statement[];
}

/** One of two bodies. */
export interface Branch {
  readonly kind: 'branch';
  readonly name: string;
  /** A bool. */
  readonly condition: Place;
  readonly then: readonly Statement[];
  readonly otherwise: readonly Statement[];
}

export type Statement = Kernel | Contraction | Repeat | Branch;

/** A named input or output of a program. */
export interface ProgramPort {
  readonly name: string;
  readonly buffer: BufferId;
}

export interface Program {
  readonly name: string;
  readonly buffers: readonly Buffer[];
  readonly inputs: readonly ProgramPort[];
  readonly outputs: readonly ProgramPort[];
  readonly body: readonly Statement[];
}
