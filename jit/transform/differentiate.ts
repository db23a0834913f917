import { GraphBuilder } from '../graph/builder.ts';
import {
  type Attributes,
  type Graph,
  type Node,
  type Op,
  type Port,
  type ValueId,
  type ValueType,
  typeText,
} from '../graph/graph.ts';
import { contraction } from './derivatives/contraction.ts';
import { CONTROL_FLOW_DERIVATIVES } from './derivatives/control-flow.ts';
import type { BackwardRequest, Derivative, Reverse } from './derivatives/derivative.ts';
import { ELEMENTWISE_DERIVATIVES } from './derivatives/elementwise.ts';
import { LAYOUT_DERIVATIVES } from './derivatives/layout.ts';
import { markReached } from './derivatives/reach.ts';
import { REDUCTION_DERIVATIVES } from './derivatives/reductions.ts';
import { expressionsOf } from './expressions.ts';
import { freshName } from './names.ts';
import { simplify } from './simplify.ts';

/**
 * Reverse-mode differentiation of graphs: cotangents go from the outputs to the inputs, node by node backwards. Every rule adds
 * primitives, so that what comes out can be differentiated again.
 *
 * **Source** Linnainmaa 1970 (reverse accumulation); Frostig, Johnson, Leary, "Compiling machine learning programs via high-level
 * tracing", SysML 2018 (rules over primitives; loops by stacking what each step began with).
 * **Checked against** the gradients of TensorFlow.js 4.22, also at ties, and central differences in double precision.
 * **Differs** from TensorFlow.js: sqrt's derivative at 0 is 0, not infinite; floorDiv's is 0, not that of a division; max and min of two
 * operands that broadcast sum over the broadcast axes; relu and abs of NaN have a derivative, 0 and -1.
 */
const DERIVATIVES = {
  ...ELEMENTWISE_DERIVATIVES,
  ...REDUCTION_DERIVATIVES,
  ...LAYOUT_DERIVATIVES,
  ...CONTROL_FLOW_DERIVATIVES,
  contract: contraction,
} satisfies { readonly [O in Op]: Derivative<O> };

/** What to differentiate. */
export interface GradientRequest {
  /** Float32 values to differentiate. */
  readonly outputs: readonly ValueId[];
  /** The cotangent of each output, of its type. */
  readonly cotangents: readonly ValueId[];
  /** Float32 values to differentiate by. */
  readonly wrt: readonly ValueId[];
  /** Number of nodes that count as constants: those before the function. */
  readonly since: number;
}

/**
 * Appends the reverse pass of the builder's nodes from `since` on: for each value of `wrt` the sum over the outputs of the
 * cotangent times the derivative, zeros where no output depends on it. A `scan` on the way is replaced by one with more outputs.
 * @throws TypeError when something to differentiate, or to differentiate by, is no float32 value.
 */
export function appendGradient(
  builder: GraphBuilder,
  { outputs, cotangents, wrt, since }: GradientRequest,
): readonly ValueId[] {
  const b = expressionsOf(builder);
  for (const id of [...outputs, ...wrt])
    if (b.type(id).dtype !== 'float32')
      throw new TypeError(
        `Cannot differentiate ${builder.name}: expected float32 values but got ${typeText(b.type(id))}`,
      );
  const until = builder.nodes.length;
  const reached = new Set<ValueId>(wrt);
  const isFloat = (id: ValueId): boolean => b.type(id).dtype === 'float32';
  for (let position = since; position < until; position += 1)
    markReached(builder.nodes[position] as Node, { reached, isFloat });
  const sums = new Map<ValueId, ValueId>();
  const accumulate = (id: ValueId, cotangent: ValueId | undefined): void => {
    if (cotangent === undefined || !reached.has(id)) return;
    const before = sums.get(id);
    sums.set(id, before === undefined ? cotangent : b.add(before, cotangent));
  };
  outputs.forEach((id, index) => accumulate(id, cotangents[index]));
  const reverse: Reverse = { b, builder, backward };
  for (let position = until - 1; position >= since; position -= 1) {
    const node = builder.nodes[position] as Node;
    const own = node.outputs.map((id) => sums.get(id));
    if (own.every((cotangent) => cotangent === undefined)) continue;
    const wanted = node.inputs.map((id) => reached.has(id));
    // One boundary: the table's rule for node.op takes node.attrs, which TypeScript can't conclude for a union.
    const derivative = DERIVATIVES[node.op] as Derivative<Op>;
    const attrs: Attributes[Op] = node.attrs;
    const { inputs, outputs: made } = node;
    const gradients = derivative(reverse, { attrs, inputs, outputs: made, cotangents: own, wanted, position });
    inputs.forEach((id, index) => accumulate(id, gradients[index]));
  }
  return wrt.map((id) => sums.get(id) ?? b.zeros(b.type(id)));
}

/** The reverse pass of a body as a graph: the body's inputs and cotangents in, gradients out. Sizes stay symbolic. */
function backward(body: Graph, { cotangents, wrt }: BackwardRequest): Graph {
  const { builder, inputs, outputs } = copyOf(body);
  const names = new Set(body.inputs.map(({ name }) => name));
  const made = cotangents.map((index) => outputs[index] as ValueId);
  const seeds = cotangents.map((index, position) =>
    builder.input(freshName(`cotangent/${body.outputs[index]?.name}`, names), builder.type(made[position] as ValueId)),
  );
  const by = wrt.map((index) => inputs[index] as ValueId);
  const gradients = appendGradient(builder, { outputs: made, cotangents: seeds, wrt: by, since: 0 });
  const graph = builder.finish(
    wrt.map((index, position) => ({
      name: `gradient/${body.inputs[index]?.name}`,
      value: gradients[position] as ValueId,
    })),
  );
  return simplify({ ...graph, name: `${body.name} backwards` }, { sizes: 'keep' });
}

/** A builder that holds a graph. */
function copyOf(graph: Graph): {
  readonly builder: GraphBuilder;
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
} {
  const builder = new GraphBuilder(graph.name);
  const inputs = graph.inputs.map(({ name, value }) => builder.input(name, graph.values[value] as ValueType));
  return { builder, inputs, outputs: builder.inline(graph, inputs) };
}

/** What a graph is differentiated by. */
export interface GradientGraphOptions {
  /** Name of the output to differentiate, a float32 scalar. */
  readonly output: string;
  /** Names of the inputs to differentiate by. */
  readonly wrt: readonly string[];
}

/**
 * A graph of the same inputs that gives `value`, the output differentiated, then its derivatives, `gradient/<input>` like each input.
 * @throws RangeError when the graph has no such output or input, or the output is no float32 scalar.
 */
export function gradientGraph(graph: Graph, { output, wrt }: GradientGraphOptions): Graph {
  const refuse = (expected: string, got: string): never => {
    throw new RangeError(`Cannot differentiate ${graph.name}: expected ${expected} but got ${got}`);
  };
  const find = (ports: readonly Port[], kind: string, name: string): number => {
    const index = ports.findIndex((port) => port.name === name);
    return index >= 0 ? index : refuse(`an ${kind} among ${ports.map((port) => port.name).join(', ')}`, name);
  };
  const { builder, inputs, outputs } = copyOf(graph);
  const value = outputs[find(graph.outputs, 'output', output)] as ValueId;
  const type = builder.type(value);
  if (type.shape.length > 0 || type.dtype !== 'float32') refuse(`a float32 scalar as ${output}`, typeText(type));
  const by = wrt.map((name) => inputs[find(graph.inputs, 'input', name)] as ValueId);
  const gradients = appendGradient(builder, { outputs: [value], cotangents: [builder.splat(1)], wrt: by, since: 0 });
  return builder.finish([
    { name: 'value', value },
    ...wrt.map((name, index) => ({ name: `gradient/${name}`, value: gradients[index] as ValueId })),
  ]);
}
