import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import { type Graph, type HostArray, type Op, type ValueId, allocate } from '../../../jit/graph/graph.ts';
import { bodiesOf } from '../../../jit/graph/node.ts';
import { printGraph } from '../../../jit/graph/print.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { gradientGraph } from '../../../jit/transform/differentiate.ts';
import { inlineCalls } from '../../../jit/transform/inline-calls.ts';
import { simplify } from '../../../jit/transform/simplify.ts';
import { evaluate } from '../engines/reference.ts';
import { type Arrays, bools, floats, integers, irregular, run } from './arrays.ts';
import { SCAN_INPUTS, binary, branching, calling, scanned, unary } from './programs.ts';
import { randomGraph } from './random-graphs.ts';

/** The first place where two runs differ by a bit, in words. Any NaN is as good as another. */
function bitDifference(got: ReadonlyMap<string, HostArray>, want: ReadonlyMap<string, HostArray>): string | undefined {
  for (const [name, { shape, dtype, data }] of want) {
    const other = got.get(name);
    if (other === undefined || other.dtype !== dtype || other.shape.join() !== shape.join())
      return `${name}: another type`;
    const place = data.findIndex((element, index) => !Object.is(element, other.data[index]));
    if (place >= 0) return `${name}[${place}]: expected ${data[place]} but got ${other.data[place]}`;
  }
  return undefined;
}

function nodeCount(graph: Graph): number {
  return graph.nodes.reduce(
    (sum, node) => sum + 1 + bodiesOf(node).reduce((inner, [, body]) => inner + nodeCount(body), 0),
    0,
  );
}

const RANDOM_GRAPHS = 600;
const TENSORFLOW_GRAPHS = 120;
const NODES = 30;

/** Simplifies a function of one float32 [2,3] input x and one [3] input y; as text. */
function simplified(make: (b: GraphBuilder, x: ValueId, y: ValueId) => ValueId | readonly ValueId[]): string {
  const b = new GraphBuilder('f');
  const made = make(
    b,
    b.input('x', { shape: [2, 3], dtype: 'float32' }),
    b.input('y', { shape: [3], dtype: 'float32' }),
  );
  const outputs = typeof made === 'number' ? [made] : made;
  const graph = simplify(b.finish(outputs.map((value, index) => ({ name: `out${index}`, value }))));
  verifyGraph(graph);
  return printGraph(graph)
    .split('\n')
    .slice(3)
    .map((line) => line.trim())
    .join('\n');
}

describe('simplify changes no bit', () => {
  test('of random graphs, by the reference', () => {
    const met = new Set<Op>();
    let [before, after] = [0, 0];
    for (let seed = 1; seed <= RANDOM_GRAPHS; seed += 1) {
      const { graph, inputs } = randomGraph(seed, NODES);
      verifyGraph(graph);
      for (const { op } of graph.nodes) met.add(op);
      const simple = simplify(graph);
      verifyGraph(simple);
      expect([seed, bitDifference(evaluate(simple, inputs), evaluate(graph, inputs))]).toEqual([seed, undefined]);
      expect(simple.inputs.map(({ name }) => name)).toEqual(graph.inputs.map(({ name }) => name));
      before += nodeCount(graph);
      after += nodeCount(simple);
    }
    expect(after).toBeLessThan(before * 0.75);
    const all =
      'argReduce binary broadcast call cast compare concat cond constant contract cumulative gather iota pad reduce reshape reverse scan select size slice stopGradient transpose unary';
    expect([...met].toSorted()).toEqual(all.split(' '));
  });

  test('of random graphs, on TensorFlow.js', () => {
    for (let seed = 1; seed <= TENSORFLOW_GRAPHS; seed += 1) {
      const { graph, inputs } = randomGraph(seed + 10_000, NODES);
      expect([seed, bitDifference(run(simplify(graph), inputs), run(graph, inputs))]).toEqual([seed, undefined]);
    }
  });

  const programs: readonly (readonly [string, Graph, Arrays])[] = [
    ['scan', gradientGraph(scanned(), { output: 'value', wrt: ['w', 'x', 'h'] }), SCAN_INPUTS],
    ['call', gradientGraph(calling().graph, { output: 'value', wrt: ['a', 'scale'] }), calling().arrays],
    ['inlined call', inlineCalls(gradientGraph(calling().graph, { output: 'value', wrt: ['a'] })), calling().arrays],
    [
      'cond',
      gradientGraph(branching(), { output: 'value', wrt: ['x', 'y'] }),
      new Map<string, HostArray>([
        ['predicate', bools([], [1])],
        ['x', floats([3])],
        ['y', floats([3], irregular(3, 3))],
      ]),
    ],
  ];
  test.each(programs)('of the gradient of %s', (_, graph, arrays) => {
    expect(bitDifference(run(simplify(graph), arrays), run(graph, arrays))).toBe(undefined);
  });

  test('and a second time nothing at all', () => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const once = simplify(randomGraph(seed, NODES).graph);
      expect(printGraph(simplify(once))).toBe(printGraph(once));
    }
  });
});

describe('simplify', () => {
  test('drops identities', () => {
    expect(simplified((b, x) => binary(b, 'mul', binary(b, 'div', x, b.splat(1)), b.splat(1)))).toBe('output %0 out0');
    expect(simplified((b, x) => unary(b, 'neg', unary(b, 'neg', x)))).toBe('output %0 out0');
    expect(simplified((b, x) => binary(b, 'sub', x, b.splat(0)))).toBe('output %0 out0');
    expect(
      simplified((b, x) => b.one('transpose', { perm: [1, 0] }, [b.one('transpose', { perm: [1, 0] }, [x])])),
    ).toBe('output %0 out0');
    expect(simplified((b, x) => b.one('reshape', { shape: [2, 3] }, [b.one('reshape', { shape: [6] }, [x])]))).toBe(
      'output %0 out0',
    );
    expect(simplified((b, x) => b.one('reverse', { axes: [0] }, [b.one('reverse', { axes: [0] }, [x])]))).toBe(
      'output %0 out0',
    );
    expect(simplified((b, x) => b.one('concat', { axis: 0 }, [x]))).toBe('output %0 out0');
  });

  test('keeps what looks like one and is none: -0 + 0 is 0, NaN * 0 is NaN', () => {
    expect(simplified((b, x) => binary(b, 'add', x, b.splat(0)))).toBe(
      '%2 float32[] = constant 0\n%3 float32[2,3] = add(%0, %2)\noutput %3 out0',
    );
    expect(simplified((b, x) => binary(b, 'mul', x, b.splat(0)))).toBe(
      '%2 float32[] = constant 0\n%3 float32[2,3] = mul(%0, %2)\noutput %3 out0',
    );
    expect(simplified((b, x) => binary(b, 'sub', x, x))).toBe('%2 float32[2,3] = sub(%0, %0)\noutput %2 out0');
  });

  test('computes what is computed twice once, and what nobody needs not at all', () => {
    expect(
      simplified((b, x, y) => {
        unary(b, 'exp', x);
        return binary(b, 'add', binary(b, 'mul', x, y), binary(b, 'mul', x, y));
      }),
    ).toBe('%2 float32[2,3] = mul(%0, %1)\n%3 float32[2,3] = add(%2, %2)\noutput %3 out0');
  });

  test('computes numbers where all engines round alike, and no logarithms', () => {
    expect(simplified((b) => binary(b, 'div', binary(b, 'add', b.splat(1), b.splat(2)), b.splat(7)))).toBe(
      '%2 float32[] = constant 0.42857143\noutput %2 out0',
    );
    expect(simplified((b) => unary(b, 'log', b.splat(2)))).toBe(
      '%2 float32[] = constant 2\n%3 float32[] = log(%2)\noutput %3 out0',
    );
  });

  test('folds sizes, or keeps them', () => {
    const b = new GraphBuilder('f');
    const x = b.input('x', { shape: [2, 3], dtype: 'float32' });
    const graph = b.finish([{ name: 'size', value: b.one('size', { axes: [0, 1] }, [x]) }]);
    expect(simplify(graph).nodes.map(({ op }) => op)).toEqual(['constant']);
    expect(simplify(graph, { sizes: 'keep' }).nodes.map(({ op }) => op)).toEqual(['size']);
  });

  test('puts neighbouring slices together, and takes slices from the parts of a concatenation', () => {
    const rows = (b: GraphBuilder, x: ValueId) =>
      [0, 1].map((row) => b.one('slice', { begin: [row, 0], size: [1, 3], strides: [1, 1] }, [x]));
    expect(simplified((b, x) => b.one('concat', { axis: 0 }, rows(b, x)))).toBe('output %0 out0');
    expect(
      simplified((b, x, y) => {
        const joined = b.one('concat', { axis: 0 }, [x, b.one('reshape', { shape: [1, 3] }, [y])]);
        const last = b.one('slice', { begin: [2, 0], size: [1, 3], strides: [1, 1] }, [joined]);
        return b.one('reshape', { shape: [3] }, [last]);
      }),
    ).toBe('output %1 out0');
  });

  test('lets operands broadcast by themselves', () => {
    expect(
      simplified((b, x, y) =>
        binary(b, 'add', x, binary(b, 'mul', b.one('broadcast', { shape: [2, 3] }, [y]), b.splat(2, [2, 3]))),
      ),
    ).toMatchInlineSnapshot(`
      "%2 float32[] = constant 2
      %3 float32[3] = mul(%1, %2)
      %4 float32[2,3] = add(%0, %3)
      output %4 out0"
    `);
  });

  test('makes transposes that move only axes of extent one reshapes', () => {
    expect(
      simplified((b, _, y) => b.one('transpose', { perm: [1, 0] }, [b.one('reshape', { shape: [1, 3] }, [y])])),
    ).toBe('%2 float32[3,1] = reshape(%1)\noutput %2 out0');
  });

  test('takes the branch that is known', () => {
    const b = new GraphBuilder('known');
    const x = b.input('x', { shape: [3], dtype: 'float32' });
    const predicate = b.constant(bools([], [1]));
    const [value = 0] = b.inline(branching(), [predicate, x, x]);
    expect(simplify(b.finish([{ name: 'value', value }])).nodes.map(({ op }) => op)).not.toContain('cond');
  });

  test('takes out of a loop what it does not change and what nobody needs', () => {
    const body = new GraphBuilder('body');
    const kept = body.input('kept', { shape: [], dtype: 'float32' });
    const sum = body.input('sum', { shape: [], dtype: 'float32' });
    const idle = body.input('idle', { shape: [], dtype: 'float32' });
    const x = body.input('x', { shape: [], dtype: 'float32' });
    const two = body.input('two', { shape: [], dtype: 'float32' });
    const step = body.finish([
      { name: 'kept', value: binary(body, 'mul', kept, body.splat(1)) },
      { name: 'sum', value: binary(body, 'add', sum, binary(body, 'mul', kept, binary(body, 'mul', two, two))) },
      { name: 'idle', value: binary(body, 'add', idle, x) },
      { name: 'stacked', value: x },
    ]);
    const b = new GraphBuilder('loop');
    const start = b.input('start', { shape: [], dtype: 'float32' });
    const xs = b.input('xs', { shape: [4], dtype: 'float32' });
    const [first = 0, second = 0] = b.add('scan', { body: step, length: 4, carries: 3, sequences: 1 }, [
      start,
      b.splat(0),
      start,
      xs,
      b.splat(2),
    ]);
    const graph = b.finish([
      { name: 'kept', value: first },
      { name: 'sum', value: second },
    ]);
    expect(printGraph(simplify(graph))).toMatchInlineSnapshot(`
      "graph loop
        input %0 float32[] start
        input %1 float32[4] xs
        %2 float32[] = constant 0
        %3 float32[] = scan(%2, %0) {length=4 carries=1 sequences=0}
          body
            input %0 float32[] sum
            input %1 float32[] kept
            %2 float32[] = constant 4
            %3 float32[] = mul(%1, %2)
            %4 float32[] = add(%0, %3)
            output %4 sum
        output %0 kept
        output %3 sum"
    `);
    const arrays = new Map([
      ['start', floats([], [3])],
      ['xs', floats([4])],
    ]);
    expect(run(simplify(graph), arrays).get('sum')?.data[0]).toBe(48);
  });

  test('merges large constants of equal elements, and keeps those that differ in a bit', () => {
    const large = (last: number) => {
      const data = Float32Array.from({ length: 600 }, (_, i) => i);
      data[599] = last;
      return { shape: [600], dtype: 'float32', data } as const;
    };
    const b = new GraphBuilder('constants');
    const graph = b.finish([0, 0, -0].map((last, index) => ({ name: `out${index}`, value: b.constant(large(last)) })));
    const simple = simplify(graph);
    expect(simple.nodes.length).toBe(2);
    expect(bitDifference(evaluate(simple, new Map()), evaluate(graph, new Map()))).toBe(undefined);
    const zeros = new GraphBuilder('zeros');
    const same = zeros.finish([
      { name: 'zeros', value: zeros.constant({ shape: [50], dtype: 'int32', data: allocate('int32', 50) }) },
    ]);
    expect(printGraph(simplify(same))).toBe('graph zeros\n  %0 int32[50] = constant 0\n  output %0 zeros');
    expect(evaluate(simplify(same), new Map()).get('zeros')).toEqual(
      integers(
        [50],
        Array.from({ length: 50 }, () => 0),
      ),
    );
  });

  test('of ten thousand nodes ends', () => {
    const b = new GraphBuilder('long');
    let x = b.input('x', { shape: [4], dtype: 'float32' });
    for (let index = 0; index < 2500; index += 1) {
      const scaled = binary(b, 'mul', x, b.splat(1 + (index % 7)));
      x = binary(b, 'add', unary(b, 'tanh', scaled), binary(b, 'sub', scaled, b.splat(0)));
    }
    const graph = b.finish([{ name: 'x', value: x }]);
    expect(graph.nodes.length).toBe(15_000);
    // Six constants; every seventh product is by 1.
    expect(simplify(graph).nodes.length).toBe(6 + 2500 * 3 - Math.ceil(2500 / 7));
  });
});
