import { type Graph, type Node, type ValueId, type ValueType, allocate, sizeOf } from '../../graph/graph.ts';
import { outputOfNothing } from '../nothing.ts';
import type { Emitted, Emitter } from './emitter.ts';
import { type ModelGraph, type ModelNode, type ModelPort, portOf } from './proto.ts';
import { type BodyOp, ONNX_RULES, type OnnxRule, type PlainOp } from './rules.ts';

/** Where nodes go, and whether loops and branches may be operators. */
export interface Scope {
  readonly e: Emitter;
  readonly controlFlow: boolean;
}

/** Whether a type has no elements. */
export const isEmpty = (type: ValueType): boolean => sizeOf(type.shape) === 0;

/** The nodes whose outputs, or what follows from them, the graph gives. */
function needed(graph: Graph): readonly Node[] {
  const wanted = new Set(graph.outputs.map((port) => port.value));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((id) => wanted.has(id))) continue;
    for (const id of node.inputs) wanted.add(id);
    nodes.push(node);
  }
  return nodes.reverse();
}

/** Names of the inputs on which at least one output depends. The others are in an emitted model for nothing. */
export function usedInputs(graph: Graph): Set<string> {
  const wanted = new Set(graph.outputs.map((port) => port.value));
  for (const node of needed(graph)) for (const id of node.inputs) wanted.add(id);
  return new Set(graph.inputs.filter((port) => wanted.has(port.value)).map((port) => port.name));
}

type Values = Map<ValueId, Emitted>;

function emitNode(scope: Scope, { graph, node, values }: { graph: Graph; node: Node; values: Values }): void {
  const inputs = node.inputs.map((id) => values.get(id) as Emitted);
  const types = node.outputs.map((id) => graph.values[id] as ValueType);
  const outputs = isBodyNode(node)
    ? emitBodyNode(scope, { node, inputs, types })
    : [emitPlain(scope, { node, inputs, type: types[0] as ValueType })];
  node.outputs.forEach((id, index) => values.set(id, outputs[index] as Emitted));
}

function emitPlain(
  { e }: Scope,
  { node, inputs, type }: { node: Node<PlainOp>; inputs: readonly Emitted[]; type: ValueType },
): Emitted {
  const nothing = outputOfNothing(
    node,
    inputs.map((input) => input.type),
    type,
  );
  if (nothing !== undefined) return isEmpty(type) ? emptyValue(e, type) : e.value(type, nothing.data);
  // One boundary: the table's rule for node.op takes node.attrs, which TypeScript can't conclude for a union.
  const rule = ONNX_RULES[node.op] as OnnxRule<PlainOp>;
  const value = rule(node.attrs, { e, inputs, output: type });
  return { ...value, type };
}

/** A value without elements: a constant, wherever it comes from. */
function emptyValue(e: Emitter, type: ValueType): Emitted {
  const { shape, dtype } = type;
  return { name: e.constant({ shape, dtype, data: allocate(dtype, 0) }), shape, type };
}

/** Emits all that a graph needs, its inputs standing for these values; gives the values of its outputs. */
export function emitGraph(scope: Scope, graph: Graph, inputs: readonly Emitted[]): Emitted[] {
  const values: Values = new Map(graph.inputs.map((port, index) => [port.value, inputs[index] as Emitted]));
  for (const node of needed(graph)) emitNode(scope, { graph, node, values });
  return graph.outputs.map((port) => values.get(port.value) as Emitted);
}

interface BodyContext<O extends BodyOp> {
  readonly node: Node<O>;
  readonly inputs: readonly Emitted[];
  readonly types: readonly ValueType[];
}

/** How the primitives that hold bodies are written: calls and custom gradients where they stand, branches and loops as operators. */
const BODY_RULES: { readonly [O in BodyOp]: (scope: Scope, context: BodyContext<O>) => Emitted[] } = {
  call: (scope, { node, inputs }) => {
    const { body, count, mapped } = node.attrs;
    const results = Array.from({ length: count }, (_, call) => {
      let start = 0;
      const own = mapped.map((isMapped) => {
        const value = inputs[start + (isMapped ? call : 0)] as Emitted;
        start += isMapped ? count : 1;
        return value;
      });
      return emitGraph(scope, body, own);
    });
    return body.outputs.flatMap((_, index) => results.map((result) => result[index] as Emitted));
  },
  customGradient: (scope, { node, inputs }) => emitGraph(scope, node.attrs.forward, inputs),
  cond: emitCond,
  scan: emitScan,
};

function isBodyNode(node: Node): node is Node<BodyOp> {
  return node.op in BODY_RULES;
}

function emitBodyNode(scope: Scope, context: BodyContext<BodyOp>): Emitted[] {
  // One boundary, as in emitPlain.
  const rule = BODY_RULES[context.node.op] as (scope: Scope, context: BodyContext<BodyOp>) => Emitted[];
  return rule(scope, context);
}

/** A nested graph: what `emit` gives are its outputs, each made by a node of its own. Outputs without elements are left out. */
function nested(
  { e }: Scope,
  { name, inputs, emit }: { name: string; inputs: readonly ModelPort[]; emit: () => readonly Emitted[] },
): ModelGraph {
  const ports: ModelPort[] = [];
  const { nodes } = e.scope(() => {
    for (const value of emit())
      if (!isEmpty(value.type)) ports.push(portOf(e.op('Identity', [e.full(value)]), value.type));
  });
  return { name, inputs, nodes: withoutCopies(nodes, ports), outputs: ports };
}

/** Drops an Identity that copies what a node of the same graph made for nobody else. */
export function withoutCopies(nodes: readonly ModelNode[], ports: ModelPort[]): readonly ModelNode[] {
  const made = new Set(nodes.filter((node) => node.opType !== 'Identity').flatMap((node) => node.outputs));
  const copies = new Map<string, ModelNode>();
  for (const node of nodes) if (node.opType === 'Identity') copies.set(node.outputs[0] as string, node);
  const dropped = new Set<ModelNode>();
  ports.forEach((port, index) => {
    const copy = copies.get(port.name);
    const source = copy?.inputs[0];
    if (copy === undefined || source === undefined || !made.delete(source)) return;
    dropped.add(copy);
    ports[index] = { ...port, name: source };
  });
  return nodes.filter((node) => !dropped.has(node));
}

/** Values for all outputs of a node whose operator gives only those that have elements. */
function spread(e: Emitter, types: readonly ValueType[], names: readonly string[]): Emitted[] {
  let next = 0;
  return types.map((type) => {
    if (isEmpty(type)) return emptyValue(e, type);
    const name = names[next] as string;
    next += 1;
    return { name, shape: type.shape, type };
  });
}

function emitCond(scope: Scope, { node, inputs, types }: BodyContext<'cond'>): Emitted[] {
  const { e } = scope;
  const [predicate, ...operands] = inputs as [Emitted, ...Emitted[]];
  const { then, otherwise } = node.attrs;
  const outputCount = types.filter((type) => !isEmpty(type)).length;
  if (outputCount === 0) return spread(e, types, []);
  if (!scope.controlFlow) {
    const taken = emitGraph(scope, then, operands);
    const other = emitGraph(scope, otherwise, operands);
    return types.map((type, index) => {
      if (isEmpty(type)) return emptyValue(e, type);
      const branches = [predicate, taken[index] as Emitted, other[index] as Emitted];
      return ONNX_RULES.select({}, { e, inputs: branches, output: type });
    });
  }
  const branch = (name: string, graph: Graph): ModelGraph =>
    nested(scope, { name, inputs: [], emit: () => emitGraph(scope, graph, operands) });
  const attributes = { then_branch: branch('then', then), else_branch: branch('otherwise', otherwise) };
  return spread(e, types, e.ops('If', { inputs: [e.full(predicate)], attributes, outputCount }));
}

function emitScan(scope: Scope, context: BodyContext<'scan'>): Emitted[] {
  const { node, inputs, types } = context;
  const { carries, length } = node.attrs;
  if (length === 0)
    return types.map((type, index) => (index < carries ? (inputs[index] as Emitted) : emptyValue(scope.e, type)));
  const hoisted = emitInvariant(scope, context);
  return length === 1 || !scope.controlFlow
    ? unrollScan(scope, { ...context, hoisted })
    : loopScan(scope, { ...context, hoisted });
}

interface ScanContext extends BodyContext<'scan'> {
  /** Values of the body that are the same in every step. */
  readonly hoisted: Values;
}

/** Emits the part of a loop's body that no carry and no slice reaches, once and before the loop. */
function emitInvariant(scope: Scope, { node, inputs }: BodyContext<'scan'>): Values {
  const { body, carries, sequences } = node.attrs;
  const values: Values = new Map();
  body.inputs
    .slice(carries + sequences)
    .forEach((port, index) => values.set(port.value, inputs[carries + sequences + index] as Emitted));
  for (const bodyNode of needed(body))
    if (bodyNode.inputs.every((id) => values.has(id))) emitNode(scope, { graph: body, node: bodyNode, values });
  return values;
}

/** One step of a loop: the body on these carries and slices. */
function emitStep(scope: Scope, { node, hoisted }: ScanContext, varying: readonly Emitted[]): Emitted[] {
  const { body } = node.attrs;
  const values: Values = new Map(hoisted);
  varying.forEach((value, index) => values.set((body.inputs[index] as Graph['inputs'][number]).value, value));
  for (const bodyNode of needed(body))
    if (!bodyNode.outputs.every((id) => values.has(id))) emitNode(scope, { graph: body, node: bodyNode, values });
  return body.outputs.map((port) => values.get(port.value) as Emitted);
}

function bodyInputType({ node }: BodyContext<'scan'>, index: number): ValueType {
  const { body } = node.attrs;
  return body.values[(body.inputs[index] as Graph['inputs'][number]).value] as ValueType;
}

function unrollScan(scope: Scope, context: ScanContext): Emitted[] {
  const { e } = scope;
  const { node, inputs, types } = context;
  const { carries, sequences, length } = node.attrs;
  let carry = inputs.slice(0, carries);
  const stacks: string[][] = types.slice(carries).map(() => []);
  const whole = inputs
    .slice(carries, carries + sequences)
    .map((value) => (isEmpty(value.type) ? value.name : e.full(value)));
  for (let step = 0; step < length; step += 1) {
    const slices = whole.map((name, index): Emitted => {
      const type = bodyInputType(context, carries + index);
      if (isEmpty(type)) return emptyValue(e, type);
      return { name: e.op('Gather', [name, e.scalar(step, 'int64')], { axis: 0 }), shape: type.shape, type };
    });
    const outputs = emitStep(scope, context, [...carry, ...slices]);
    carry = outputs.slice(0, carries);
    outputs.slice(carries).forEach((value, index) => {
      if (!isEmpty(value.type)) stacks[index]?.push(e.reshape(e.full(value), [1, ...value.type.shape]));
    });
  }
  const stacked = types.slice(carries).map((type, index): Emitted => {
    const parts = stacks[index] as string[];
    if (isEmpty(type)) return emptyValue(e, type);
    return {
      name: parts.length === 1 ? (parts[0] as string) : e.op('Concat', parts, { axis: 0 }),
      shape: type.shape,
      type,
    };
  });
  return [...carry, ...stacked];
}

function loopScan(scope: Scope, context: ScanContext): Emitted[] {
  const { e } = scope;
  const { node, inputs, types } = context;
  const { carries, sequences, length } = node.attrs;
  const outputCount = types.filter((type) => !isEmpty(type)).length;
  if (outputCount === 0) return spread(e, types, []);
  // The body's inputs that have elements; the others are constants inside it.
  const ports: ModelPort[] = [];
  const varying = inputs.slice(0, carries + sequences).map((_, index): Emitted | undefined => {
    const type = bodyInputType(context, index);
    if (isEmpty(type)) return undefined;
    const port = portOf(e.fresh(), type);
    ports.push(port);
    return { name: port.name, shape: type.shape, type };
  });
  const operands = inputs.slice(0, carries + sequences).filter((_, index) => varying[index] !== undefined);
  const names = operands.map((value) => e.full(value));
  let sequenceCount = varying.slice(carries).filter((value) => value !== undefined).length;
  if (sequenceCount === 0) {
    // Scan learns its length from a sequence.
    ports.push({ name: e.fresh(), shape: [], dtype: 'bool' });
    names.push(e.constant({ shape: [length], dtype: 'bool', data: new Uint8Array(length) }));
    sequenceCount = 1;
  }
  const body = nested(scope, {
    name: node.attrs.body.name,
    inputs: ports,
    emit: () =>
      emitStep(
        scope,
        context,
        varying.map((value, index) => value ?? emptyValue(e, bodyInputType(context, index))),
      ),
  });
  const attributes = { body, num_scan_inputs: sequenceCount };
  return spread(e, types, e.ops('Scan', { inputs: names, attributes, outputCount }));
}
