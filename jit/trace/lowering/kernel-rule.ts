import * as tf from '@tensorflow/tfjs-core';
import type { ValueId } from '../../graph/graph.ts';
import type { Emit } from './emit.ts';

/** The inputs of a kernel: by name, or a list. */
export interface KernelInputs {
  readonly list: readonly ValueId[];
  /** An input that the kernel always has. */
  readonly of: (name: string) => ValueId;
  /** An input that it may lack. */
  readonly maybe: (name: string) => ValueId | undefined;
}

/** Attributes of a kernel as TensorFlow.js hands them over: checked by its functions, typed by its kernel_names.d.ts. */
export type KernelAttributes = Readonly<Record<string, unknown>>;

/** How a kernel is said in primitives: adds the nodes and gives the value of each output. */
export type KernelRule = (
  emit: Emit,
  inputs: KernelInputs,
  attributes: KernelAttributes,
) => ValueId | readonly ValueId[];

/** A table of rules by TensorFlow.js kernel name. */
export type KernelTable = Readonly<Record<string, KernelRule>>;

/** A rule that uses attributes. One boundary: a kernel's attributes are what its declared type in TensorFlow.js says. */
export function withAttributes(
  rule: (emit: Emit, inputs: KernelInputs, attributes: never) => ValueId | readonly ValueId[],
): KernelRule {
  return (emit, inputs, attributes) => rule(emit, inputs, attributes as never);
}

/** Axes as TensorFlow.js reads them: one, several or all; negative ones count from the end. */
export function axesOf(axis: number | readonly number[] | null | undefined, shape: readonly number[]): number[] {
  if (axis === null || axis === undefined) return shape.map((_, each) => each);
  return tf.util.parseAxisParam(typeof axis === 'number' ? axis : [...axis], [...shape]);
}

/** One axis as TensorFlow.js reads it. */
export function axisOf(axis: number, shape: readonly number[]): number {
  return axesOf(axis, shape)[0] ?? 0;
}

/** The extent of an axis that is there. */
export function extentOf(shape: readonly number[], axis: number): number {
  return shape[axis] ?? 1;
}
