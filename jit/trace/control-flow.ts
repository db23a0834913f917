import * as tf from '@tensorflow/tfjs-core';
import type { Graph, ValueId, ValueType } from '../graph/graph.ts';
import { isTracing, record, toTensor, toValue } from './session.ts';
import { type Structure, flatten, unflatten } from './structure.ts';
import { traceBody } from './trace.ts';

const typeOf = (x: tf.Tensor): ValueType => ({ shape: x.shape, dtype: x.dtype as 'float32' });

/** `then()` where the bool scalar holds, else `otherwise()`; both give the same structure. Values of the enclosing trace may be used inside. */
export function cond<S extends Structure<tf.Tensor>>(predicate: tf.Tensor, then: () => S, otherwise: () => S): S {
  if (!isTracing()) return predicate.dataSync()[0] === 0 ? otherwise() : then();
  let like: S | undefined;
  const one = traceBody('then', new Map(), true, () => (like = then()));
  const two = traceBody('otherwise', new Map(), true, otherwise);
  const captured = [...new Set([...one.captured, ...two.captured])];
  const widen = ({ graph, captured: own }: { graph: Graph; captured: readonly ValueId[] }): Graph =>
    withInputs(graph, own, captured);
  const outputs = record('cond', { then: widen(one), otherwise: widen(two) }, [
    toValue(predicate, 'cond'),
    ...captured,
  ]);
  const tensors = new Map(one.graph.outputs.map(({ name }, index) => [name, toTensor(outputs[index] as ValueId)]));
  return unflatten(like as S, tensors) as unknown as S;
}

/** The same graph with inputs for all of `captured`, some of which it doesn't use. */
function withInputs(graph: Graph, own: readonly ValueId[], captured: readonly ValueId[]): Graph {
  const values = [...graph.values];
  const types = new Map(own.map((outer, index) => [outer, graph.inputs[index]?.value as ValueId]));
  const inputs = captured.map((outer, index) => {
    const known = types.get(outer);
    return { name: `captured/${index}`, value: known ?? values.push(outerType(outer)) - 1 };
  });
  return { ...graph, inputs, values };
}

function outerType(value: ValueId): ValueType {
  return typeOf(toTensor(value));
}

/** Runs `body` once for each of `length` steps: from the carry and one slice of each sequence to the next carry and outputs, which are stacked. */
export function scan<C extends Structure<tf.Tensor>, X extends Structure<tf.Tensor>, Y extends Structure<tf.Tensor>>({
  body,
  init,
  sequences,
  length,
}: {
  readonly body: (carry: C, slice: X) => { readonly carry: C; readonly outputs: Y };
  readonly init: C;
  readonly sequences: X;
  readonly length: number;
}): { readonly carry: C; readonly outputs: Y } {
  const carries = flatten(init as Structure<tf.Tensor>);
  const slices = flatten(sequences as Structure<tf.Tensor>);
  if (!isTracing()) return runScan({ body, init, sequences, length });
  const types = new Map([
    ...[...carries].map(([name, x]): [string, ValueType] => [`carry/${name}`, typeOf(x)]),
    ...[...slices].map(([name, x]): [string, ValueType] => [
      `slice/${name}`,
      { shape: x.shape.slice(1), dtype: x.dtype as 'float32' },
    ]),
  ]);
  let like: Y | undefined;
  const { graph, captured } = traceBody('scan body', types, true, (inputs) => {
    const strip = (prefix: string): Map<string, tf.Tensor> =>
      new Map(
        [...inputs].filter(([name]) => name.startsWith(prefix)).map(([name, x]) => [name.slice(prefix.length), x]),
      );
    const result = body(
      unflatten(init, strip('carry/')) as unknown as C,
      unflatten(sequences, strip('slice/')) as unknown as X,
    );
    like = result.outputs;
    const next = flatten(result.carry as Structure<tf.Tensor>);
    return {
      carry: new Map([...carries.keys()].map((name) => [name, next.get(name) as tf.Tensor])),
      outputs: flatten(result.outputs as Structure<tf.Tensor>),
    };
  });
  const inputs = [...[...carries.values(), ...slices.values()].map((x) => toValue(x, 'scan')), ...captured];
  const results = record('scan', { body: graph, length, carries: carries.size, sequences: slices.size }, inputs).map(
    toTensor,
  );
  const next = new Map([...carries.keys()].map((name, index) => [name, results[index] as tf.Tensor]));
  const names = [...flatten(like as Structure<tf.Tensor>).keys()];
  const outputs = new Map(names.map((name, index) => [name, results[carries.size + index] as tf.Tensor]));
  return { carry: unflatten(init, next) as unknown as C, outputs: unflatten(like as Y, outputs) as unknown as Y };
}

function runScan<C extends Structure<tf.Tensor>, X extends Structure<tf.Tensor>, Y extends Structure<tf.Tensor>>({
  body,
  init,
  sequences,
  length,
}: {
  body: (carry: C, slice: X) => { carry: C; outputs: Y };
  init: C;
  sequences: X;
  length: number;
}): { carry: C; outputs: Y } {
  let carry = init;
  const all: Map<string, tf.Tensor>[] = [];
  let like: Y | undefined;
  for (let step = 0; step < length; step += 1) {
    const slice = new Map(
      [...flatten(sequences as Structure<tf.Tensor>)].map(([name, x]) => [
        name,
        tf.reshape(tf.slice(x, step, 1), x.shape.slice(1)),
      ]),
    );
    const result = body(carry, unflatten(sequences, slice) as unknown as X);
    carry = result.carry;
    like = result.outputs;
    all.push(flatten(result.outputs as Structure<tf.Tensor>));
  }
  if (like === undefined) throw new RangeError('Cannot scan eagerly: expected a length of at least 1 but got 0');
  const stacked = new Map(
    [...(all[0] as Map<string, tf.Tensor>).keys()].map((name) => [
      name,
      tf.stack(all.map((one) => one.get(name) as tf.Tensor)),
    ]),
  );
  return { carry, outputs: unflatten(like, stacked) as unknown as Y };
}

/** Applies `body` `count` times to a structure. */
export function repeat<C extends Structure<tf.Tensor>>(count: number, body: (carry: C) => C, init: C): C {
  if (count === 0) return init;
  return scan({ body: (carry: C) => ({ carry: body(carry), outputs: {} }), init, sequences: {}, length: count }).carry;
}
