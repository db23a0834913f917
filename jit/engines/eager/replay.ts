import * as tf from '@tensorflow/tfjs-core';
import {
  type Attributes,
  type Graph,
  type Node,
  type ValueId,
  type ValueType,
  sameShape,
  typeText,
} from '../../graph/graph.ts';
import { outputOfNothing } from '../nothing.ts';
import { type BodyOp, EAGER_RULES, type EagerRule, type PlainOp, toTensor } from './rules.ts';

/** For each node of a graph, the values that no later node and no output needs. Made once a graph. */
const lastUses = new WeakMap<Graph, readonly (readonly ValueId[])[]>();

function deadAfter(graph: Graph): readonly (readonly ValueId[])[] {
  const known = lastUses.get(graph);
  if (known !== undefined) return known;
  const kept = new Set(graph.outputs.map((port) => port.value));
  const dead: (readonly ValueId[])[] = Array.from({ length: graph.nodes.length });
  for (let index = graph.nodes.length - 1; index >= 0; index -= 1) {
    const node = graph.nodes[index] as Node;
    const here = [...new Set([...node.inputs, ...node.outputs])].filter((id) => !kept.has(id));
    for (const id of here) kept.add(id);
    dead[index] = here;
  }
  lastUses.set(graph, dead);
  return dead;
}

/** Runs a body on tensors that stay the caller's; the tensors it gives are new. */
function runBody(graph: Graph, inputs: readonly tf.Tensor[]): tf.Tensor[] {
  const values = new Map<ValueId, tf.Tensor>();
  const borrowed = new Set<ValueId>();
  graph.inputs.forEach((port, index) => {
    values.set(port.value, inputs[index] as tf.Tensor);
    borrowed.add(port.value);
  });
  const dead = deadAfter(graph);
  graph.nodes.forEach((node, index) => {
    const outputs = runNode(
      node,
      node.inputs.map((id) => values.get(id) as tf.Tensor),
      node.outputs.map((id) => graph.values[id] as ValueType),
    );
    node.outputs.forEach((id, position) => values.set(id, outputs[position] as tf.Tensor));
    for (const id of dead[index] as readonly ValueId[]) {
      if (!borrowed.has(id)) values.get(id)?.dispose();
      values.delete(id);
    }
  });
  const given = new Set<ValueId>(borrowed);
  return graph.outputs.map(({ value }) => {
    const tensor = values.get(value) as tf.Tensor;
    if (given.has(value)) return tensor.clone();
    given.add(value);
    return tensor;
  });
}

type BodyRule<O extends BodyOp> = (
  attrs: Attributes[O],
  inputs: readonly tf.Tensor[],
  outputs: readonly ValueType[],
) => tf.Tensor[];

function runScan(
  { body, length, carries, sequences }: Attributes['scan'],
  inputs: readonly tf.Tensor[],
  outputs: readonly ValueType[],
): tf.Tensor[] {
  const captured = inputs.slice(carries + sequences);
  const stacks: tf.Tensor[][] = outputs.slice(carries).map(() => []);
  let carry = inputs.slice(0, carries).map((x) => x.clone());
  for (let step = 0; step < length; step += 1) {
    const slices = inputs.slice(carries, carries + sequences).map((x) =>
      tf.tidy(() => {
        const start = [step, ...x.shape.slice(1).map(() => 0)];
        return x.size === 0
          ? tf.tensor([], x.shape.slice(1), x.dtype)
          : tf.reshape(tf.slice(x, start, [1, ...x.shape.slice(1)]), x.shape.slice(1));
      }),
    );
    const next = runBody(body, [...carry, ...slices, ...captured]);
    for (const tensor of [...carry, ...slices]) tensor.dispose();
    carry = next.slice(0, carries);
    next.slice(carries).forEach((tensor, index) => stacks[index]?.push(tensor));
  }
  const stacked = stacks.map((parts, index) => {
    const { shape, dtype } = outputs[carries + index] as ValueType;
    const whole = tf.tidy(() => {
      if (shape.includes(0)) return tf.tensor([], [...shape], dtype);
      const numbers = dtype === 'bool' ? parts.map((part) => tf.cast(part, 'int32')) : parts;
      const all = tf.stack(numbers, 0);
      return dtype === 'bool' ? tf.notEqual(all, tf.scalar(0, 'int32')) : all;
    });
    for (const part of parts) part.dispose();
    return whole;
  });
  return [...carry, ...stacked];
}

/** How the primitives that hold bodies run: a call `count` times, a cond on the branch taken, a scan step by step. */
const BODY_RULES: { readonly [O in BodyOp]: BodyRule<O> } = {
  call: ({ body, count, mapped }, inputs) => {
    const results = Array.from({ length: count }, (_, call) => {
      let start = 0;
      const own = mapped.map((isMapped) => {
        const tensor = inputs[start + (isMapped ? call : 0)] as tf.Tensor;
        start += isMapped ? count : 1;
        return tensor;
      });
      return runBody(body, own);
    });
    return body.outputs.flatMap((_, index) => results.map((result) => result[index] as tf.Tensor));
  },
  customGradient: ({ forward }, inputs) => runBody(forward, inputs),
  cond: ({ then, otherwise }, [predicate, ...operands]) =>
    runBody((predicate as tf.Tensor).dataSync()[0] === 0 ? otherwise : then, operands),
  scan: runScan,
};

function isBodyNode(node: Node): node is Node<BodyOp> {
  return node.op in BODY_RULES;
}

function runNode(node: Node, inputs: readonly tf.Tensor[], outputs: readonly ValueType[]): tf.Tensor[] {
  if (!isBodyNode(node)) return [tf.tidy(() => runPlain(node as Node<PlainOp>, inputs, outputs[0] as ValueType))];
  // One boundary: the table's rule for node.op takes node.attrs, which TypeScript can't conclude for a union.
  const rule = BODY_RULES[node.op] as BodyRule<BodyOp>;
  return rule(node.attrs, inputs, outputs);
}

function runPlain(node: Node<PlainOp>, inputs: readonly tf.Tensor[], output: ValueType): tf.Tensor {
  const types = inputs.map((x): ValueType => ({ shape: x.shape, dtype: x.dtype as ValueType['dtype'] }));
  const nothing = outputOfNothing(node, types, output);
  if (nothing !== undefined)
    return nothing.shape.includes(0) ? tf.tensor([], [...nothing.shape], nothing.dtype) : toTensor(nothing);
  // As above.
  const rule = EAGER_RULES[node.op] as EagerRule<PlainOp>;
  const result = rule(node.attrs, inputs, output);
  return inputs.includes(result) ? result.clone() : result;
}

/**
 * Runs a graph primitive by primitive on the active TensorFlow.js backend. The inputs stay the caller's; the outputs, by name, are
 * new tensors that the caller disposes; nothing else is left behind. The predicate of a `cond` is read synchronously, which no
 * backend that computes asynchronously (WebGPU) can do.
 * @throws RangeError when an input is missing or isn't of the type that the graph was built for.
 */
export function replay(graph: Graph, inputs: ReadonlyMap<string, tf.Tensor>): Map<string, tf.Tensor> {
  const ordered = graph.inputs.map(({ name, value }) => {
    const type = graph.values[value] as ValueType;
    const tensor = inputs.get(name);
    if (tensor === undefined)
      throw new RangeError(`Cannot run ${graph.name}: expected an input named ${name} but it is missing`);
    if (!sameShape(tensor.shape, type.shape) || tensor.dtype !== type.dtype)
      throw new RangeError(
        `Cannot run ${graph.name}: expected ${typeText(type)} for the input ${name} but got ${tensor.dtype}[${tensor.shape.join(',')}]`,
      );
    return tensor;
  });
  const outputs = tf.tidy(() => runBody(graph, ordered));
  return new Map(graph.outputs.map(({ name }, index) => [name, outputs[index] as tf.Tensor]));
}
