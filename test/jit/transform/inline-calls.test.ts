import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import type { Graph, HostArray, ValueId } from '../../../jit/graph/graph.ts';
import { bodiesOf } from '../../../jit/graph/node.ts';
import { printGraph } from '../../../jit/graph/print.ts';
import { inlineCalls } from '../../../jit/transform/inline-calls.ts';
import { simplify } from '../../../jit/transform/simplify.ts';
import { type Arrays, addInputs, difference, floats, irregular, run } from './arrays.ts';
import { SCAN_INPUTS, binary, calling, recurrence, rule, unary } from './programs.ts';

/** The same operations on stacked tensors. */
const ROUNDING = 1e-6;

function hasCalls(graph: Graph): boolean {
  return graph.nodes.some((node) => node.op === 'call' || bodiesOf(node).some(([, body]) => hasCalls(body)));
}

function expectSame(graph: Graph, arrays: Arrays): void {
  const inlined = inlineCalls(graph);
  expect(hasCalls(inlined)).toBe(false);
  const want = run(graph, arrays);
  for (const each of [inlined, simplify(inlined)]) {
    const got = run(each, arrays);
    expect([...want].map(([name, x]) => difference(got.get(name), x, ROUNDING))).toEqual(
      [...want].map(() => undefined),
    );
  }
}

describe('inlineCalls', () => {
  test('runs calls that differ in mapped values as one batched body', () => {
    const { graph, arrays } = calling();
    expectSame(graph, arrays);
  });

  test('writes a single call out where it stands', () => {
    const b = new GraphBuilder('single');
    const arrays = new Map([
      ['x', floats([3])],
      ['scale', floats([], [0.3])],
      ['other', floats([3], irregular(3, 2))],
    ]);
    const [y = 0] = b.add('call', { body: rule(), count: 1, mapped: [true, false, true] }, addInputs(b, arrays));
    const graph = b.finish([{ name: 'y', value: y }]);
    expectSame(graph, arrays);
    expect(printGraph(simplify(inlineCalls(graph)))).toMatchInlineSnapshot(`
      "graph single
        input %0 float32[3] x
        input %1 float32[] scale
        input %2 float32[3] other
        %3 float32[3] = mul(%1, %0)
        %4 float32[3] = tanh(%3)
        %5 float32[3] = mul(%4, %0)
        %6 float32[3] = add(%5, %2)
        output %6 y"
    `);
  });

  test('stacks nothing that is the same value in all calls', () => {
    const b = new GraphBuilder('same');
    const arrays = new Map([
      ['x', floats([3])],
      ['scale', floats([], [0.3])],
    ]);
    const [x = 0, scale = 0] = addInputs(b, arrays);
    const [first = 0, second = 0] = b.add('call', { body: rule(), count: 2, mapped: [true, true, false] }, [
      x,
      x,
      scale,
      scale,
      x,
    ]);
    const graph = b.finish([{ name: 'sum', value: binary(b, 'add', first, second) }]);
    expectSame(graph, arrays);
    expect(inlineCalls(graph).nodes.map(({ op }) => op)).not.toContain('concat');
  });

  test('hands stacks from one call to the next without taking them apart', () => {
    const b = new GraphBuilder('chain');
    const arrays = new Map([
      ['x', floats([3])],
      ['y', floats([3], irregular(3, 1))],
      ['scale', floats([], [0.3])],
      ['other', floats([3], irregular(3, 2))],
    ]);
    const [x = 0, y = 0, scale = 0, other = 0] = addInputs(b, arrays);
    const mapped = [true, false, false];
    const [p = 0, q = 0] = b.add('call', { body: rule(), count: 2, mapped }, [x, y, scale, other]);
    const [r = 0, s = 0] = b.add('call', { body: rule(), count: 2, mapped }, [p, q, scale, other]);
    const graph = b.finish([
      { name: 'r', value: r },
      { name: 's', value: s },
    ]);
    expectSame(graph, arrays);
    const ops = simplify(inlineCalls(graph)).nodes.map(({ op }) => op);
    expect(ops.filter((op) => op === 'concat').length).toBe(1);
    expect(ops.filter((op) => op === 'slice').length).toBe(2);
  });

  test('calls inside loops, branches and calls', () => {
    const step = new GraphBuilder('step');
    const carry = step.input('carry', { shape: [3], dtype: 'float32' });
    const scale = step.input('scale', { shape: [], dtype: 'float32' });
    const pair = new GraphBuilder('pair');
    const [u, v] = [
      pair.input('u', { shape: [3], dtype: 'float32' }),
      pair.input('scale', { shape: [], dtype: 'float32' }),
    ];
    const [inner = 0, twice = 0] = pair.add('call', { body: rule(), count: 2, mapped: [true, false, false] }, [
      u,
      unary(pair, 'cos', u),
      v,
      u,
    ]);
    const body = pair.finish([{ name: 'sum', value: binary(pair, 'add', inner, twice) }]);
    const [a = 0, c = 0] = step.add('call', { body, count: 2, mapped: [true, false] }, [
      carry,
      unary(step, 'sin', carry),
      scale,
    ]);
    const branch = (name: string, make: (each: GraphBuilder, x: ValueId) => ValueId): Graph => {
      const each = new GraphBuilder(name);
      return each.finish([{ name: 'x', value: make(each, each.input('x', { shape: [3], dtype: 'float32' })) }]);
    };
    const called = branch(
      'called',
      (each, x) =>
        each.add(
          'call',
          { body: branch('half', (h, z) => binary(h, 'mul', z, h.splat(0.5))), count: 2, mapped: [true] },
          [x, unary(each, 'exp', x)],
        )[1] as ValueId,
    );
    const positive = step.one('compare', { fn: 'greater' }, [
      step.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [a]),
      step.splat(1.5),
    ]);
    const attrs = {
      then: called,
      otherwise: branch('same', (_, x) => x),
    };
    const chosen = step.one('cond', attrs, [positive, binary(step, 'mul', a, c)]);
    const graph = new GraphBuilder('deep');
    const arrays = new Map([
      ['x', floats([3])],
      ['scale', floats([], [0.3])],
    ]);
    const [end = 0] = graph.add(
      'scan',
      { body: step.finish([{ name: 'carry', value: chosen }]), length: 3, carries: 1, sequences: 0 },
      addInputs(graph, arrays),
    );
    expectSame(graph.finish([{ name: 'end', value: end }]), arrays);
  });

  test('calls of a loop: its sequences keep time as their leading axis', () => {
    const b = new GraphBuilder('loops');
    const arrays = new Map<string, HostArray>([
      ...SCAN_INPUTS,
      ['h2', floats([3], irregular(3, 9))],
      ['x2', floats([4, 2], irregular(8, 9))],
    ]);
    const ids = addInputs(b, arrays);
    const [h = 0, count = 0, x = 0, row = 0, w = 0, u = 0, table = 0, h2 = 0, x2 = 0] = ids;
    const loop = new GraphBuilder('loop');
    const own = addInputs(loop, SCAN_INPUTS);
    const results = loop.add('scan', { body: recurrence(), length: 4, carries: 2, sequences: 2 }, own);
    const body = loop.finish(results.map((value, index) => ({ name: `out${index}`, value })));
    const mapped = [true, false, true, false, false, false, false];
    const outputs = b.add('call', { body, count: 2, mapped }, [h, h2, count, x, x2, row, w, u, table]);
    expectSame(b.finish(outputs.map((value, index) => ({ name: `out${index}`, value }))), arrays);
  });
});
