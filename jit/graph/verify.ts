import { DTYPES, type Graph, type Node, type Op, type ValueId, type ValueType, sameType, typeText } from './graph.ts';
import { bodiesOf, nodeText } from './node.ts';
import { TYPE_RULES, type TypeRule } from './type-rules.ts';

/**
 * Checks that a graph is legal, bodies included: every value has one maker, which comes before its users; ids are in range; the
 * types recorded are those that the type rules give; names of inputs, and names of outputs, are unique.
 * @throws RangeError naming the graph, the node and what is wrong.
 */
export function verifyGraph(graph: Graph): void {
  verifyAt(graph, graph.name);
}

function verifyAt(graph: Graph, path: string): void {
  const made = new Set<ValueId>();
  const fail = (where: string, expected: string, got: string): never => {
    throw new RangeError(`Cannot use graph ${path}: ${where}: expected ${expected} but got ${got}`);
  };
  const make = (value: ValueId, where: string): void => {
    if (graph.values[value] === undefined) fail(where, `a value below ${graph.values.length}`, `%${value}`);
    if (made.has(value)) fail(where, 'one maker for each value', `a second one of %${value}`);
    made.add(value);
  };
  const use = (value: ValueId, where: string): void => {
    if (!made.has(value)) fail(where, 'values made before', `%${value}`);
  };
  const distinct = (names: readonly string[], kind: string): void => {
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) fail(`${kind} ${twice}`, 'unique names', 'it twice');
  };
  graph.values.forEach((type, value) => {
    if (!isType(type)) fail(`value %${value}`, 'a dtype and extents of 0 or more', typeText(type));
  });
  for (const { name, value } of graph.inputs) make(value, `input ${name}`);
  graph.nodes.forEach((node, index) => {
    const where = `node ${index} (${nodeText(node)})`;
    for (const value of node.inputs) use(value, where);
    for (const value of node.outputs) make(value, where);
    for (const [attribute, body] of bodiesOf(node)) verifyAt(body, `${path}/${index}.${attribute}`);
    const types = typesOf(node, graph, (reason) => fail(where, 'what its type rule takes', reason));
    if (types.length !== node.outputs.length) fail(where, `${types.length} outputs`, `${node.outputs.length}`);
    types.forEach((type, output) => {
      const own = graph.values[node.outputs[output] ?? -1];
      if (own === undefined || !sameType(type, own))
        fail(`${where}, output ${output}`, typeText(type), own === undefined ? 'none' : typeText(own));
    });
  });
  for (const { name, value } of graph.outputs) use(value, `output ${name}`);
  distinct(
    graph.inputs.map(({ name }) => name),
    'input',
  );
  distinct(
    graph.outputs.map(({ name }) => name),
    'output',
  );
}

function typesOf(node: Node, graph: Graph, fail: (reason: string) => never): readonly ValueType[] {
  // One boundary: the table's rule for node.op takes node.attrs, which TypeScript can't conclude for a union.
  const rule = TYPE_RULES[node.op] as TypeRule<Op> | undefined;
  if (rule === undefined) return fail(`an unknown primitive ${node.op}`);
  try {
    return rule(
      node.attrs,
      node.inputs.map((value) => graph.values[value] as ValueType),
    );
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function isType({ shape, dtype }: ValueType): boolean {
  return DTYPES.includes(dtype) && shape.every((extent) => Number.isInteger(extent) && extent >= 0);
}
