import { GraphBuilder } from '../graph/builder.ts';
import type { Attributes, Graph, Op, ValueId, ValueType } from '../graph/graph.ts';
import { CONTROL_FLOW_BATCHING } from './batching/control-flow.ts';
import { ELEMENTWISE_BATCHING } from './batching/elementwise.ts';
import { LAYOUT_BATCHING } from './batching/layout.ts';
import { type Batched, type BatchedBody, type Batching, type BatchingRule, spread } from './batching/rule.ts';
import { expressionsOf } from './expressions.ts';

/**
 * How each primitive gets a particle axis. What doesn't depend on a mapped input stays as it is and is computed once for all
 * particles.
 *
 * **Source** Frostig, Johnson, Leary, "Compiling machine learning programs via high-level tracing", SysML 2018 (vmap: a rule a
 * primitive over values that may carry the axis). **Checked against** the particles run one by one. **Differs**: the axis is always axis 0.
 */
const RULES = { ...ELEMENTWISE_BATCHING, ...LAYOUT_BATCHING, ...CONTROL_FLOW_BATCHING } satisfies {
  readonly [O in Op]: BatchingRule<O>;
};

export interface BatchOptions {
  /** Number of particles, 1 or more. */
  readonly particles: number;
  /** Names of the inputs that carry the particle axis. */
  readonly mapped: ReadonlySet<string>;
}

/**
 * The graph for many particles: the inputs in `mapped` and all outputs carry a leading particle axis.
 * @throws RangeError when `mapped` names no input, or there are no particles.
 */
export function batch(graph: Graph, { particles, mapped }: BatchOptions): Graph {
  const refuse = (expected: string, got: string): never => {
    throw new RangeError(`Cannot batch ${graph.name}: expected ${expected} but got ${got}`);
  };
  if (!Number.isInteger(particles) || particles < 1) refuse('a whole number of particles, 1 or more,', `${particles}`);
  const names = graph.inputs.map(({ name }) => name);
  for (const name of mapped) if (!names.includes(name)) refuse(`inputs among ${names.join(', ')}`, name);
  const inputs = names.map((name) => mapped.has(name));
  return batchBody(graph, { particles, inputs, outputs: graph.outputs.map(() => true) }).graph;
}

/** Which values of a graph carry the particle axis. */
export interface BatchBodyOptions {
  readonly particles: number;
  /** Of each input. */
  readonly inputs: readonly boolean[];
  /** Of each output. Default: those that depend on an input that does. */
  readonly outputs?: readonly boolean[] | undefined;
  /** Whether an output that isn't to carry the axis and does is summed over it: a cotangent of what particles share (zero if it is no float32). */
  readonly sums?: boolean | undefined;
}

/**
 * A body with the particle axis on some inputs and outputs; also tells which outputs have it.
 * @throws RangeError when an output is to have no particle axis and depends on an input with one, unless it is to be summed.
 */
export function batchBody(graph: Graph, { particles, inputs, outputs, sums = false }: BatchBodyOptions): BatchedBody {
  const builder = new GraphBuilder(graph.name);
  const b = expressionsOf(builder);
  const batching: Batching = { b, builder, particles, body: (body, flags) => batchBody(body, { particles, ...flags }) };
  const values = new Map<ValueId, Batched>();
  graph.inputs.forEach(({ name, value }, index) => {
    const { shape, dtype } = graph.values[value] as ValueType;
    const isMapped = inputs[index] === true;
    const id = builder.input(name, { shape: isMapped ? [particles, ...shape] : shape, dtype });
    values.set(value, { id, isMapped });
  });
  for (const node of graph.nodes) {
    const own = node.inputs.map((id) => values.get(id) as Batched);
    // One boundary: the table's rule for node.op takes node.attrs, which TypeScript can't conclude for a union.
    const rule = RULES[node.op] as BatchingRule<Op>;
    const attrs: Attributes[Op] = node.attrs;
    const made = own.some((x) => x.isMapped)
      ? rule(batching, attrs, own)
      : builder
          .add(
            node.op,
            node.attrs,
            own.map((x) => x.id),
            node.place,
          )
          .map((id): Batched => ({ id, isMapped: false }));
    node.outputs.forEach((id, index) => values.set(id, made[index] as Batched));
  }
  const results = graph.outputs.map(({ name, value }, index): Batched => {
    const x = values.get(value) as Batched;
    const wanted = outputs?.[index] ?? x.isMapped;
    if (wanted) return { id: spread(batching, x), isMapped: true };
    if (!x.isMapped) return x;
    if (!sums)
      throw new RangeError(
        `Cannot batch ${graph.name}: expected ${name} to be the same for all particles but it depends on the particle`,
      );
    const { shape, dtype } = graph.values[value] as ValueType;
    const isFloat = dtype === 'float32';
    const id = isFloat ? b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [x.id]) : b.zeros({ shape, dtype });
    return { id, isMapped: false };
  });
  return {
    graph: builder.finish(graph.outputs.map(({ name }, index) => ({ name, value: (results[index] as Batched).id }))),
    outputs: results.map(({ isMapped }) => isMapped),
  };
}
