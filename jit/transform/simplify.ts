import { GraphBuilder } from '../graph/builder.ts';
import type { Attributes, Graph, HostArray, Node, Op, ValueId, ValueType } from '../graph/graph.ts';
import { TYPE_RULES, type TypeRule } from '../graph/type-rules.ts';
import { callGroups } from './bodies.ts';
import { ARITHMETIC_REWRITES } from './simplification/arithmetic.ts';
import { LAYOUT_REWRITES } from './simplification/layout.ts';
import { NodeKeys } from './simplification/node-key.ts';
import {
  compact,
  hasIdleOutputs,
  liveValues,
  pruneCall,
  pruneCond,
  pruneScan,
  sinkConstants,
} from './simplification/prune.ts';
import type { Rewrite, Rewriter } from './simplification/rewriter.ts';

type BodyOp = 'call' | 'customGradient' | 'cond' | 'scan';
type PlainOp = Exclude<Op, BodyOp>;

/**
 * Rewrites that change no value: each holds for every float32 to the bit, NaN (but for its payload), infinities and the sign of zero
 * included, and numbers are computed only where IEEE 754 leaves no choice.
 */
const REWRITES = { ...ARITHMETIC_REWRITES, ...LAYOUT_REWRITES } satisfies { readonly [O in PlainOp]: Rewrite<O> };

export interface SimplifyOptions {
  /** Whether `size` becomes a number or stays what depends on the shape. Default: fold. */
  readonly sizes?: 'fold' | 'keep';
}

/**
 * The same graph with less to do: what no output needs goes, what is computed twice is computed once, small constants are
 * computed, identities go; also in bodies. Ports keep their names and order; no value changes, and no derivative.
 *
 * **Source** Cocke and Schwartz, "Programming languages and their compilers", 1970 (value numbering). **Checked against** random graphs
 * as they were, bit by bit. **Differs**: also across calls, branches and loops, whose idle inputs and outputs go.
 */
export function simplify(graph: Graph, { sizes = 'fold' }: SimplifyOptions = {}): Graph {
  return simplified(graph, { foldsSizes: sizes === 'fold', keys: new NodeKeys() });
}

interface Options {
  readonly foldsSizes: boolean;
  readonly keys: NodeKeys;
}

/** Once, and again while what was found left bodies that compute something for nobody. */
function simplified(graph: Graph, options: Options): Graph {
  let simple = new Simplification(graph.name, options).run(graph);
  while (hasIdleOutputs(simple)) simple = new Simplification(graph.name, options).run(simple);
  return simple;
}

/** Graphs being rewritten into a new one. */
class Simplification implements Rewriter {
  readonly foldsSizes: boolean;
  readonly #keys: NodeKeys;
  readonly #builder: GraphBuilder;
  /** Nodes of the new graph by the values that they make. */
  readonly #makers: (Node | undefined)[] = [];
  readonly #seen = new Map<string, readonly ValueId[]>();
  #place: string | undefined;

  constructor(name: string, { foldsSizes, keys }: Options) {
    this.foldsSizes = foldsSizes;
    this.#keys = keys;
    this.#builder = new GraphBuilder(name);
  }

  run(graph: Graph): Graph {
    const inputs = graph.inputs.map(({ name, value }) => this.#builder.input(name, graph.values[value] as ValueType));
    const outputs = this.#inline(graph, inputs);
    return compact(
      this.#builder.finish(graph.outputs.map(({ name }, index) => ({ name, value: outputs[index] as ValueId }))),
    );
  }

  /** Adds what the outputs of a graph need; gives their values. */
  #inline(graph: Graph, inputs: readonly ValueId[]): readonly ValueId[] {
    const values = new Map<ValueId, ValueId>();
    graph.inputs.forEach(({ value }, index) => values.set(value, inputs[index] as ValueId));
    const find = (id: ValueId): ValueId => values.get(id) as ValueId;
    const live = liveValues(
      graph,
      graph.outputs.map(({ value }) => value),
    );
    for (const node of graph.nodes) {
      const used = node.outputs.map((id) => live.has(id));
      if (!used.includes(true)) continue;
      const own = node.inputs.map(find);
      this.#place = node.place;
      const outputs = isBodyNode(node) ? this.#addBody(node, own, used) : [this.add(node.op, node.attrs, own)];
      node.outputs.forEach((id, index) => {
        const value = outputs[index];
        if (value !== undefined) values.set(id, value);
      });
    }
    return graph.outputs.map(({ value }) => find(value));
  }

  type(id: ValueId): ValueType {
    return this.#builder.type(id);
  }

  maker(id: ValueId): Node | undefined {
    return this.#makers[id];
  }

  constant(id: ValueId): HostArray | undefined {
    const node = this.#makers[id];
    return node?.op === 'constant' ? node.attrs : undefined;
  }

  splat(id: ValueId): number | undefined {
    const constant = this.constant(id);
    return constant?.data.length === 1 ? constant.data[0] : undefined;
  }

  add<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): ValueId {
    // Boundaries: TypeScript can't conclude that the attributes of a generic op are those of the op that it turns out to be.
    const given = (op === 'constant' ? asSplat(attrs as Attributes['constant']) : attrs) as Attributes[O];
    const key = this.#keys.of(op, given, inputs);
    const known = this.#seen.get(key);
    if (known !== undefined) return known[0] as ValueId;
    const rewrite = REWRITES[op as PlainOp] as unknown as Rewrite<O>;
    const rule: TypeRule<O> = TYPE_RULES[op];
    const types = rule(
      given,
      inputs.map((id) => this.type(id)),
    );
    const value = rewrite(this, { attrs: given, inputs, type: types[0] as ValueType });
    const outputs = value === undefined ? this.#append(op, given, inputs) : [value];
    this.#seen.set(key, outputs);
    return outputs[0] as ValueId;
  }

  #append<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): readonly ValueId[] {
    const outputs = this.#builder.add(op, attrs, inputs, this.#place);
    const node = this.#builder.nodes.at(-1);
    for (const id of outputs) this.#makers[id] = node;
    return outputs;
  }

  /** As `add`, for primitives with bodies, which aren't rewritten. */
  #addOnce<O extends BodyOp>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): readonly ValueId[] {
    const key = this.#keys.of(op, attrs, inputs);
    const outputs = this.#seen.get(key) ?? this.#append(op, attrs, inputs);
    this.#seen.set(key, outputs);
    return outputs;
  }

  #simplified(body: Graph): Graph {
    return simplified(body, { foldsSizes: this.foldsSizes, keys: this.#keys });
  }

  /** The outputs of a node with bodies; none for those that aren't used. */
  #addBody(node: Node<BodyOp>, inputs: readonly ValueId[], used: readonly boolean[]): readonly (ValueId | undefined)[] {
    if (node.op === 'call') return this.#addCall(node.attrs, inputs, used);
    if (node.op === 'cond') return this.#addCond(node.attrs, inputs, used);
    if (node.op === 'scan') return this.#addScan(node.attrs, inputs, used);
    const { forward, backward } = node.attrs;
    const attrs = { forward: this.#simplified(forward), backward: this.#simplified(backward) };
    return this.#addOnce(node.op, attrs, inputs);
  }

  #addCall(
    attrs: Attributes['call'],
    inputs: readonly ValueId[],
    used: readonly boolean[],
  ): readonly (ValueId | undefined)[] {
    const shared = callGroups(attrs).map(({ start }, index) =>
      attrs.mapped[index] === true ? undefined : this.constant(inputs[start] as ValueId),
    );
    const first = pruneCall({ ...attrs, body: sinkConstants(attrs.body, shared) }, inputs, used);
    const body = this.#simplified(first.attrs.body);
    const last = pruneCall({ ...first.attrs, body }, first.inputs, trues(first.outputs));
    return placed(this.#addOnce('call', last.attrs, last.inputs), { at: first.outputs, of: used.length });
  }

  #addCond(
    attrs: Attributes['cond'],
    inputs: readonly ValueId[],
    used: readonly boolean[],
  ): readonly (ValueId | undefined)[] {
    const [predicate, ...operands] = inputs as readonly [ValueId, ...ValueId[]];
    const known = this.splat(predicate);
    if (known !== undefined) return this.#inline(known === 0 ? attrs.otherwise : attrs.then, operands);
    const constants = operands.map((id) => this.constant(id));
    const sunk = withBranches(attrs, (branch) => sinkConstants(branch, constants));
    const first = pruneCond(sunk, inputs, used);
    const branches = withBranches(first.attrs, (branch) => this.#simplified(branch));
    const last = pruneCond(branches, first.inputs, trues(first.outputs));
    return placed(this.#addOnce('cond', last.attrs, last.inputs), { at: first.outputs, of: used.length });
  }

  #addScan(
    attrs: Attributes['scan'],
    inputs: readonly ValueId[],
    used: readonly boolean[],
  ): readonly (ValueId | undefined)[] {
    const first = pruneScan(attrs, inputs, used);
    const from = first.attrs.carries + first.attrs.sequences;
    const constants = first.inputs.map((id, index) => (index < from ? undefined : this.constant(id)));
    const body = this.#simplified(sinkConstants(first.attrs.body, constants));
    const last = pruneScan({ ...first.attrs, body }, first.inputs, trues(first.outputs));
    const made = last.outputs.length === 0 ? [] : this.#addOnce('scan', last.attrs, last.inputs);
    const outputs = [...placed(made, { at: last.outputs, of: first.outputs.length })];
    for (const [index, value] of last.unchanged) outputs[index] = value;
    const all = [...placed(outputs, { at: first.outputs, of: used.length })];
    for (const [index, value] of first.unchanged) all[index] = value;
    return all;
  }
}

function isBodyNode(node: Node): node is Node<BodyOp> {
  return node.op === 'call' || node.op === 'customGradient' || node.op === 'cond' || node.op === 'scan';
}

/** A constant whose elements are all the same bits has one. */
function asSplat(attrs: Attributes['constant']): Attributes['constant'] {
  const { data } = attrs;
  const [first] = data;
  if (data.length < 2 || !data.every((element) => Object.is(element, first))) return attrs;
  return { ...attrs, data: data.slice(0, 1) };
}

const trues = (items: readonly unknown[]): boolean[] => items.map(() => true);

/** Values put at some positions among `of`; undefined at the others. */
function placed<T>(
  values: readonly T[],
  { at, of }: { readonly at: readonly number[]; readonly of: number },
): readonly (T | undefined)[] {
  const all: (T | undefined)[] = Array.from({ length: of }, () => undefined);
  at.forEach((position, index) => {
    all[position] = values[index];
  });
  return all;
}

/** Both branches changed in one way. */
function withBranches(attrs: Attributes['cond'], change: (branch: Graph) => Graph): Attributes['cond'] {
  return { then: change(attrs.then), otherwise: change(attrs.otherwise) };
}
