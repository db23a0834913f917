import type { Attributes, Graph, Node } from '../graph/graph.ts';

/** The node with each graph inside it changed. */
export function withBodies(node: Node, change: (body: Graph) => Graph): Node {
  if (node.op === 'call') return { ...node, attrs: { ...node.attrs, body: change(node.attrs.body) } };
  if (node.op === 'scan') return { ...node, attrs: { ...node.attrs, body: change(node.attrs.body) } };
  if (node.op === 'customGradient') {
    const { forward, backward } = node.attrs;
    return { ...node, attrs: { forward: change(forward), backward: change(backward) } };
  }
  if (node.op === 'cond') {
    const { then, otherwise } = node.attrs;
    return { ...node, attrs: { then: change(then), otherwise: change(otherwise) } };
  }
  return node;
}

/** Where the values of each of a call's body inputs lie among the call's inputs. */
export function callGroups({ mapped, count }: Attributes['call']): readonly { start: number; size: number }[] {
  let start = 0;
  return mapped.map((isMapped) => {
    const size = isMapped ? count : 1;
    start += size;
    return { start: start - size, size };
  });
}
