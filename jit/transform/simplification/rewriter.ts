import type { Attributes, HostArray, Node, Op, ValueId, ValueType } from '../../graph/graph.ts';

/** The graph being made, as rewrite rules see it: nodes so far, and a way to add more, which are rewritten in their turn. */
export interface Rewriter {
  type(id: ValueId): ValueType;
  /** The node that makes a value; undefined for an input. */
  maker(id: ValueId): Node | undefined;
  /** The elements of a constant (one, if it is a splat); undefined for any other value. */
  constant(id: ValueId): HostArray | undefined;
  /** The one number that all elements of a constant are; undefined for any other value. */
  splat(id: ValueId): number | undefined;
  add<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): ValueId;
  /** Whether `size` becomes a number. */
  readonly foldsSizes: boolean;
}

/** What a primitive of one output is rewritten: its attributes, inputs and the type of its output. */
export interface Rewritten<O extends Op> {
  readonly attrs: Attributes[O];
  readonly inputs: readonly ValueId[];
  readonly type: ValueType;
}

/** A value equal to what the primitive would give; undefined where none is known. */
export type Rewrite<O extends Op> = (r: Rewriter, node: Rewritten<O>) => ValueId | undefined;

/** The node that makes a value, if it applies this primitive. */
export function madeBy<O extends Op>(r: Rewriter, op: O, id: ValueId | undefined): Node<O> | undefined {
  const node = id === undefined ? undefined : r.maker(id);
  // One boundary: the op tells which member of the union a node is, which TypeScript can't conclude for a generic one.
  return node?.op === op ? (node as Node<O>) : undefined;
}

/** An input that must be there. */
export function at(inputs: readonly ValueId[], index: number): ValueId {
  return inputs[index] as ValueId;
}
