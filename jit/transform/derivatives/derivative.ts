import type { GraphBuilder } from '../../graph/builder.ts';
import type { Attributes, Graph, Op, ValueId } from '../../graph/graph.ts';
import type { Build } from '../expressions.ts';

/** A node on the path from what is differentiated by to what is differentiated, as its derivative rule sees it. */
export interface Applied<O extends Op> {
  readonly attrs: Attributes[O];
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  /** Of each output; undefined where it is zero. Of a primitive with one output, that one's is there. */
  readonly cotangents: readonly (ValueId | undefined)[];
  /** Which inputs need a cotangent. */
  readonly wanted: readonly boolean[];
  /** Position of the node in the builder. */
  readonly position: number;
}

/** Which parts of a body's reverse pass are needed, by position. */
export interface BackwardRequest {
  /** Outputs that have a cotangent. */
  readonly cotangents: readonly number[];
  /** Inputs that need a gradient. */
  readonly wrt: readonly number[];
}

/** What derivative rules build with. */
export interface Reverse {
  readonly b: Build;
  readonly builder: GraphBuilder;
  /** The reverse pass of a body as a graph. Inputs: the body's, then the cotangents asked for. Outputs: the gradients asked for. */
  readonly backward: (body: Graph, request: BackwardRequest) => Graph;
}

/** Adds the cotangents of a node's inputs, given those of its outputs; undefined, or nothing at the end, where they are zero. */
export type Derivative<O extends Op> = (reverse: Reverse, applied: Applied<O>) => readonly (ValueId | undefined)[];

/** Of primitives whose output is a step function of their inputs, or doesn't depend on them. */
export const noDerivative = (): readonly undefined[] => [];

/** An input, an output, or a cotangent that must be there. */
export function at(values: readonly (ValueId | undefined)[], index: number): ValueId {
  return values[index] as ValueId;
}
