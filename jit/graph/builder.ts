import type { Attributes, Graph, HostArray, Node, Op, Port, TypedArray, ValueId, ValueType } from './graph.ts';
import { TYPE_RULES, type TypeRule } from './type-rules.ts';

/** Builds one Graph, node by node; every node is checked by its type rule when it is added. */
export class GraphBuilder {
  readonly name: string;
  readonly inputs: Port[] = [];
  readonly nodes: Node[] = [];
  readonly values: ValueType[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Adds an input. */
  input(name: string, { shape, dtype }: ValueType): ValueId {
    const value = this.values.push({ shape, dtype }) - 1;
    this.inputs.push({ name, value });
    return value;
  }

  /** The type of a value. */
  type(value: ValueId): ValueType {
    return this.values[value] as ValueType;
  }

  /** Adds a node; gives the ids of its outputs. @throws ShapeError when the primitive can't take these inputs. */
  add<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[], place?: string): readonly ValueId[] {
    const rule: TypeRule<O> = TYPE_RULES[op];
    const types = rule(
      attrs,
      inputs.map((id) => this.type(id)),
    );
    const outputs = types.map(({ shape, dtype }) => this.values.push({ shape, dtype }) - 1);
    // One boundary: a node of a generic op is one of the union's members, which TypeScript can't conclude.
    this.nodes.push({ op, attrs, inputs, outputs, ...(place === undefined ? {} : { place }) } as unknown as Node);
    return outputs;
  }

  /** Adds a node of a primitive that has one output; gives its id. */
  one<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[], place?: string): ValueId {
    return this.add(op, attrs, inputs, place)[0] as ValueId;
  }

  /** A constant. */
  constant({ shape, dtype, data }: HostArray): ValueId {
    return this.one('constant', { shape, dtype, data }, []);
  }

  /** A float32 constant whose elements are all `value`; a scalar unless a shape is given. */
  splat(value: number, shape: readonly number[] = []): ValueId {
    return this.one('constant', { shape, dtype: 'float32', data: Float32Array.of(value) satisfies TypedArray }, []);
  }

  /** Adds all nodes of a graph, its inputs standing for these values; gives the values of its outputs. */
  inline(graph: Graph, inputs: readonly ValueId[]): readonly ValueId[] {
    const map = new Map<ValueId, ValueId>();
    graph.inputs.forEach((port, index) => map.set(port.value, inputs[index] as ValueId));
    const here = (id: ValueId): ValueId => map.get(id) as ValueId;
    for (const node of graph.nodes) {
      const outputs = this.add(node.op, node.attrs, node.inputs.map(here), node.place);
      node.outputs.forEach((id, index) => map.set(id, outputs[index] as ValueId));
    }
    return graph.outputs.map((port) => here(port.value));
  }

  /** The finished graph. */
  finish(outputs: readonly Port[]): Graph {
    return { name: this.name, inputs: this.inputs, nodes: this.nodes, values: this.values, outputs };
  }
}
