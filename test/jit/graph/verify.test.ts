import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import type { Graph, Node, Port, ValueType } from '../../../jit/graph/graph.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';

const VECTOR: ValueType = { shape: [3], dtype: 'float32' };

/** y = exp(x), then z = x + y. */
function legal(name = 'legal'): Graph {
  const builder = new GraphBuilder(name);
  const x = builder.input('x', VECTOR);
  const y = builder.one('unary', { fn: 'exp' }, [x]);
  const z = builder.one('binary', { fn: 'add' }, [x, y]);
  return builder.finish([{ name: 'z', value: z }]);
}

/** The legal graph with one part replaced. */
function withPart(part: Partial<Graph>): Graph {
  return { ...legal(), ...part };
}

function withNode(index: number, change: Partial<Pick<Node, 'inputs' | 'outputs'>>): Graph {
  const { nodes } = legal();
  return withPart({ nodes: nodes.with(index, { ...nodes[index], ...change } as Node) });
}

const port = (name: string, value: number): Port => ({ name, value });

describe('verifyGraph', () => {
  test('takes what builders build', () => {
    expect(() => verifyGraph(legal())).not.toThrow();
  });

  test.each<[string, Graph, string]>([
    [
      'a value used before it is made',
      withNode(0, { inputs: [2] }),
      'node 0 (exp): expected values made before but got %2',
    ],
    [
      'a value that nothing makes',
      withNode(1, { inputs: [0, 7] }),
      'node 1 (add): expected values made before but got %7',
    ],
    [
      'two makers',
      withNode(1, { outputs: [1] }),
      'node 1 (add): expected one maker for each value but got a second one of %1',
    ],
    ['an output out of range', withNode(1, { outputs: [3] }), 'node 1 (add): expected a value below 3 but got %3'],
    [
      'too many outputs',
      withPart({ values: [VECTOR, VECTOR, VECTOR, VECTOR], nodes: withNode(1, { outputs: [2, 3] }).nodes }),
      'node 1 (add): expected 1 outputs but got 2',
    ],
    [
      'a type that is not the rule’s',
      withPart({ values: [VECTOR, VECTOR, { shape: [1, 3], dtype: 'float32' }] }),
      'node 1 (add), output 0: expected float32[3] but got float32[1,3]',
    ],
    [
      'inputs that the rule refuses',
      withPart({ values: [VECTOR, { shape: [3], dtype: 'int32' }, VECTOR] }),
      'node 0 (exp), output 0: expected float32[3] but got int32[3]',
    ],
    [
      'operands that don’t go together',
      withPart({ values: [{ shape: [2], dtype: 'float32' }, VECTOR, VECTOR] }),
      'node 0 (exp), output 0: expected float32[2] but got float32[3]',
    ],
    [
      'an extent below 0',
      withPart({ values: [{ shape: [-1], dtype: 'float32' }, VECTOR, VECTOR] }),
      'value %0: expected a dtype and extents of 0 or more but got float32[-1]',
    ],
    [
      'an output that nothing makes',
      withPart({ outputs: [port('z', 5)] }),
      'output z: expected values made before but got %5',
    ],
    [
      'an output twice',
      withPart({ outputs: [port('z', 1), port('z', 2)] }),
      'output z: expected unique names but got it twice',
    ],
    [
      'an input twice',
      withPart({ inputs: [port('x', 0), port('x', 2)], nodes: [], outputs: [] }),
      'input x: expected unique names but got it twice',
    ],
  ])('refuses %s', (_, graph, reason) => {
    expect(() => verifyGraph(graph)).toThrow(new RangeError(`Cannot use graph legal: ${reason}`));
  });

  test('refuses what a type rule throws at', () => {
    const nodes = legal().nodes.with(1, { op: 'compare', attrs: { fn: 'less' }, inputs: [0], outputs: [2] });
    expect(() => verifyGraph(withPart({ nodes }))).toThrow(
      new RangeError(
        'Cannot use graph legal: node 1 (less): expected what its type rule takes but got Cannot apply less: expected 2 inputs but got 1',
      ),
    );
    const unknown = { op: 'convolve', attrs: {}, inputs: [0], outputs: [1] } as unknown as Node;
    expect(() => verifyGraph(withPart({ nodes: [unknown] }))).toThrow(
      new RangeError(
        'Cannot use graph legal: node 0 (convolve): expected what its type rule takes but got an unknown primitive convolve',
      ),
    );
  });

  test('goes into bodies', () => {
    const builder = new GraphBuilder('outer');
    const x = builder.input('x', VECTOR);
    const good = legal('body');
    const [z = 0] = builder.add('call', { body: good, count: 1, mapped: [true] }, [x]);
    const graph = builder.finish([port('z', z)]);
    expect(() => verifyGraph(graph)).not.toThrow();
    const [call] = graph.nodes;
    const bad = { ...good, nodes: withNode(0, { inputs: [2] }).nodes };
    const broken = { ...graph, nodes: [{ ...call, attrs: { body: bad, count: 1, mapped: [true] } } as Node] };
    expect(() => verifyGraph(broken)).toThrow(
      new RangeError('Cannot use graph outer/0.body: node 0 (exp): expected values made before but got %2'),
    );
  });
});
