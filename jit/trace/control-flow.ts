import * as tf from '@tensorflow/tfjs-core';
import type { Graph, ValueId, ValueType } from '../graph/graph.ts';
import { isTracing, record, recording, tensorOf, typeOf, valueOf } from './recording.ts';
import { type Structure, groupOf, unflatten } from './structure.ts';
import { type TensorStructure, type TracedBody, outputsOf, traceBody } from './trace.ts';

type Tensors = ReadonlyMap<string, tf.Tensor>;

/**
 * `then` where the bool scalar `predicate` holds, else `otherwise`; both give structures of the same tensors. Tensors of the
 * enclosing trace may be used inside; `operands` are handed to both, for functions that are shared. Run eagerly, it reads the predicate.
 * @throws ShapeError where the branches don't give the same types.
 */
export function cond<S extends TensorStructure<S>, P extends TensorStructure<P> = Record<string, never>>(
  predicate: tf.Tensor,
  then: (operands: P) => S,
  otherwise: (operands: P) => NoInfer<S>,
  // One boundary: without operands P is the empty record.
  operands: P = {} as P,
): S {
  if (!isTracing()) return predicate.dataSync()[0] === 0 ? otherwise(operands) : then(operands);
  const flat = outputsOf(operands);
  const types = typesOf(flat);
  const like: { of?: S } = {};
  const first = traceBody('then', types, {
    body: (inputs) => outputsOf((like.of = then(fill(operands, inputs)))),
  });
  const second = traceBody('otherwise', types, {
    body: (inputs) => inOrder(first.graph, outputsOf(otherwise(fill(operands, inputs)))),
  });
  const captured = [...new Set([...first.captured, ...second.captured])];
  const values = record(
    'cond',
    { then: withCaptured(first, captured, flat.size), otherwise: withCaptured(second, captured, flat.size) },
    [valueOf(predicate, 'cond'), ...[...flat.values()].map((tensor) => valueOf(tensor, 'cond')), ...captured],
  );
  return fill(
    like.of as S,
    tensorsOf(
      first.graph.outputs.map(({ name }) => name),
      values,
    ),
  );
}

/** The outputs of one branch in the order of the other's; others are left, for the type rule to refuse. */
function inOrder(like: Graph, outputs: Tensors): Tensors {
  const names = like.outputs.map(({ name }) => name);
  const missing = names.find((name) => !outputs.has(name));
  const extra = [...outputs.keys()].find((name) => !names.includes(name));
  if (missing !== undefined || extra !== undefined)
    throw new RangeError(
      `Cannot branch: expected both branches to give ${names.join(', ')} but the second gives ${[...outputs.keys()].join(', ')}`,
    );
  return new Map(names.map((name) => [name, outputs.get(name) as tf.Tensor]));
}

/** A branch with an input for everything that either branch captured. */
function withCaptured({ graph, captured: own }: TracedBody, captured: readonly ValueId[], operands: number): Graph {
  const values = [...graph.values];
  const inputs = captured.map((outer, index) => {
    const position = own.indexOf(outer);
    const known = graph.inputs[operands + position]?.value;
    const value = position >= 0 && known !== undefined ? known : values.push(recording().builder.type(outer)) - 1;
    return { name: `captured/${index}`, value };
  });
  return { ...graph, values, inputs: [...graph.inputs.slice(0, operands), ...inputs] };
}

/** What `scan` runs. */
export interface ScanOptions<C, X, Y> {
  /** One step: from the carry and one slice of each sequence to the next carry and the step's outputs. */
  readonly body: (carry: C, slice: X) => { readonly carry: C; readonly outputs: Y };
  readonly init: C;
  /** Tensors whose leading axis is the steps. */
  readonly sequences: X;
  /** Number of steps. */
  readonly length: number;
}

/** What `scan` gives. */
export interface ScanResult<C, Y> {
  readonly carry: C;
  /** The outputs of all steps, stacked along a new leading axis. */
  readonly outputs: Y;
}

/**
 * A loop of `length` steps that hand on a carry. Tensors of the enclosing trace may be used inside. Run eagerly it is a plain loop, which
 * needs at least one step where there are outputs.
 * @throws ShapeError where a step's carry isn't like the one before, or a sequence isn't as long as the loop.
 */
export function scan<C extends TensorStructure<C>, X extends TensorStructure<X>, Y extends TensorStructure<Y>>({
  body,
  init,
  sequences,
  length,
}: ScanOptions<C, X, Y>): ScanResult<C, Y> {
  if (!Number.isInteger(length) || length < 0)
    throw new RangeError(`Cannot scan: expected a number of steps, 0 or more, but got ${length}`);
  return isTracing() ? traceScan({ body, init, sequences, length }) : runScan({ body, init, sequences, length });
}

function traceScan<C extends TensorStructure<C>, X extends TensorStructure<X>, Y extends TensorStructure<Y>>({
  body,
  init,
  sequences,
  length,
}: ScanOptions<C, X, Y>): ScanResult<C, Y> {
  const [carries, slices] = [outputsOf(init), outputsOf(sequences)];
  const types = new Map([
    ...[...typesOf(carries)].map(([name, type]) => [`carry/${name}`, type] as const),
    ...[...typesOf(slices)].map(
      ([name, { shape, dtype }]) => [`slice/${name}`, { shape: shape.slice(1), dtype }] as const,
    ),
  ]);
  const like: { of?: Y } = {};
  const { graph, captured } = traceBody('scan', types, {
    body: (inputs) => {
      const result = body(fill(init, groupOf(inputs, 'carry')), fill(sequences, groupOf(inputs, 'slice')));
      like.of = result.outputs;
      const next = nextCarry([...carries.keys()], outputsOf(result.carry));
      const own = outputsOf(result.outputs);
      return new Map([...prefixed('carry', next), ...prefixed('outputs', own)]);
    },
  });
  const inputs = [...carries.values(), ...slices.values()].map((tensor) => valueOf(tensor, 'scan'));
  const values = record('scan', { body: graph, length, carries: carries.size, sequences: slices.size }, [
    ...inputs,
    ...captured,
  ]);
  const all = tensorsOf(
    graph.outputs.map(({ name }) => name),
    values,
  );
  return { carry: fill(init, groupOf(all, 'carry')), outputs: fill(like.of as Y, groupOf(all, 'outputs')) };
}

/** The next carry in the order of the first. @throws RangeError where it isn't made of the same tensors. */
function nextCarry(names: readonly string[], next: Tensors): Tensors {
  if (names.length !== next.size || names.some((name) => !next.has(name)))
    throw new RangeError(
      `Cannot scan: expected the next carry to hold ${names.join(', ')} but it holds ${[...next.keys()].join(', ')}`,
    );
  return new Map(names.map((name) => [name, next.get(name) as tf.Tensor]));
}

function runScan<C extends TensorStructure<C>, X extends TensorStructure<X>, Y extends TensorStructure<Y>>({
  body,
  init,
  sequences,
  length,
}: ScanOptions<C, X, Y>): ScanResult<C, Y> {
  const names = [...outputsOf(init).keys()];
  const stacks = new Map<string, tf.Tensor[]>();
  const like: { of?: Y } = {};
  let carry = init;
  for (let step = 0; step < length; step += 1) {
    const slices = new Map([...outputsOf(sequences)].map(([name, x]) => [name, sliceAt(x, step)]));
    const result = body(carry, fill(sequences, slices));
    carry = fill(init, nextCarry(names, outputsOf(result.carry)));
    like.of = result.outputs;
    for (const [name, x] of outputsOf(result.outputs)) stacks.set(name, [...(stacks.get(name) ?? []), x]);
  }
  if (like.of === undefined)
    throw new RangeError(`Cannot scan outside of a trace: expected at least one step but got ${length}`);
  const stacked = new Map([...stacks].map(([name, parts]) => [name, tf.stack(parts)]));
  return { carry, outputs: fill(like.of, stacked) };
}

function sliceAt(x: tf.Tensor, step: number): tf.Tensor {
  return tf.tidy(() => tf.reshape(tf.slice(x, step, 1), x.shape.slice(1)));
}

/** `body` applied `count` times, each time to what the last one gave. */
export function repeat<C extends TensorStructure<C>>(count: number, body: (carry: C) => C, init: C): C {
  if (count === 0) return init;
  return scan({ body: (carry: C) => ({ carry: body(carry), outputs: {} }), init, sequences: {}, length: count }).carry;
}

function typesOf(tensors: Tensors): Map<string, ValueType> {
  return new Map([...tensors].map(([name, tensor]) => [name, typeOf(tensor)]));
}

function prefixed(group: string, tensors: Tensors): [string, tf.Tensor][] {
  return [...tensors].map(([name, tensor]) => [`${group}/${name}`, tensor]);
}

function tensorsOf(names: readonly string[], values: readonly ValueId[]): Map<string, tf.Tensor> {
  return new Map(names.map((name, index) => [name, tensorOf(values[index] ?? 0)]));
}

/** Tensors put into the shape of a structure. One boundary: `fill` gives every member of `like`. */
function fill<S extends TensorStructure<S>>(like: S, tensors: Tensors): S {
  return unflatten(like as Structure<tf.Tensor>, tensors) as unknown as S;
}
