import type { Attributes, Graph, Node, Op, TypedArray, ValueId } from '../../graph/graph.ts';

/** Constants up to this many bytes are written out, larger ones are numbered. */
const COMPARED_BYTES = 256;

const bytesOf = (data: TypedArray): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** FNV-1a. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function isGraph(item: unknown): item is Graph {
  return typeof item === 'object' && item !== null && 'nodes' in item;
}

/** Gives nodes that compute the same the same text. NaN and the sign of zero count, as bits. */
export class NodeKeys {
  readonly #contents = new Map<string, Uint8Array[]>();
  readonly #graphs = new Map<string, number>();
  readonly #known = new WeakMap<Graph, string>();

  /** The text of a node that is applied to these values. */
  of<O extends Op>(op: O, attrs: Attributes[O], inputs: readonly ValueId[]): string {
    // One boundary: attributes belong to the op, which TypeScript can't conclude for a generic one.
    return `${op}(${inputs.join()})${this.#attributes({ op, attrs } as unknown as Node)}`;
  }

  #attributes(node: Node): string {
    if (node.op === 'constant')
      return `${node.attrs.dtype}[${node.attrs.shape.join()}]${this.#content(node.attrs.data)}`;
    if (node.op === 'pad') {
      const { before, after, value } = node.attrs;
      return `${before.join()};${after.join()};${Object.is(value, -0) ? '-0' : value}`;
    }
    // Graphs are told apart by number.
    return JSON.stringify(node.attrs, (_, item: unknown) => (isGraph(item) ? this.#graph(item) : item));
  }

  /** Equal for arrays of equal bytes and no others. */
  #content(data: TypedArray): string {
    const bytes = bytesOf(data);
    if (bytes.length <= COMPARED_BYTES) return bytes.join();
    const hash = `${bytes.length}#${hashOf(bytes)}`;
    const same = this.#contents.get(hash) ?? [];
    this.#contents.set(hash, same);
    let index = same.findIndex((other) => sameBytes(bytes, other));
    if (index < 0) index = same.push(bytes) - 1;
    return `${hash}#${index}`;
  }

  #graph(graph: Graph): string {
    const known = this.#known.get(graph);
    if (known !== undefined) return known;
    const number = new Map<ValueId, number>();
    const name = (id: ValueId): number => {
      const own = number.get(id) ?? number.size;
      number.set(id, own);
      return own;
    };
    const inputs = graph.inputs.map(({ value }) => {
      const type = graph.values[value];
      return `${name(value)}:${type?.dtype}[${type?.shape.join()}]`;
    });
    const nodes = graph.nodes.map((node) => {
      const text = this.of(node.op, node.attrs, node.inputs.map(name));
      return `${text}>${node.outputs.map(name).join()}`;
    });
    const text = [...inputs, ...nodes, ...graph.outputs.map(({ value }) => name(value))].join('\n');
    const index = this.#graphs.get(text) ?? this.#graphs.size;
    this.#graphs.set(text, index);
    const key = `graph${index}`;
    this.#known.set(graph, key);
    return key;
  }
}
