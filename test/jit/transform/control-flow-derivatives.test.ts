/** Derivatives of loops, branches, calls and custom gradients: against central differences, and against the same written out. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import { printGraph } from '../../../jit/graph/print.ts';
import type { Graph, HostArray, Op, ValueId } from '../../../jit/graph/graph.ts';
import { appendGradient, gradientGraph } from '../../../jit/transform/differentiate.ts';
import { inlineCalls } from '../../../jit/transform/inline-calls.ts';
import { simplify } from '../../../jit/transform/simplify.ts';
import { addInputs, bools, difference, floats, integers, irregular, run, weighted } from './arrays.ts';
import { checkDerivatives } from './finite-differences.ts';
import { SCAN_INPUTS, binary, branching, calling, recurrence, scanned, sum, unary, unrolled } from './programs.ts';
import { SMOOTH, randomGraph } from './random-graphs.ts';

/** A few float32 roundings of sums of products below ten. */
const ROUNDING = 5e-6;

/** Few enough for the reference, which evaluates elements one by one. */
const RANDOM_GRAPHS = 150;

const WRT = ['h', 'x', 'w', 'u', 'table'];

describe('scan', () => {
  test('has the derivatives of central differences, in first and second order', () => {
    expect(checkDerivatives(scanned(), SCAN_INPUTS)).toEqual([]);
  });

  test('has the gradient of the loop written out', () => {
    const options = { output: 'value', wrt: WRT };
    const got = run(gradientGraph(scanned(), options), SCAN_INPUTS);
    const want = run(gradientGraph(unrolled(), options), SCAN_INPUTS);
    expect([...got.keys()]).toEqual(['value', ...WRT.map((name) => `gradient/${name}`)]);
    expect([...want].map(([name, array]) => difference(got.get(name), array, ROUNDING))).toEqual(
      [...want].map(() => undefined),
    );
  });

  test.each(WRT)('by %s alone', (name) => {
    expect(checkDerivatives(scanned(), SCAN_INPUTS, { wrt: [name] })).toEqual([]);
  });

  test('runs forward once: the loop gives the carries that its reverse needs', () => {
    const graph = simplify(gradientGraph(scanned(), { output: 'value', wrt: ['w'] }));
    const scans = graph.nodes.filter((node) => node.op === 'scan');
    expect(scans.map((node) => node.attrs.body.outputs.map(({ name }) => name))).toEqual([
      ['h', 'count', 'loss', 'before/h', 'before/count'],
      ['gradient/h', 'gradient/w'],
    ]);
    expect(run(graph, SCAN_INPUTS).get('gradient/w')).toEqual(
      run(gradientGraph(scanned(), { output: 'value', wrt: ['w'] }), SCAN_INPUTS).get('gradient/w'),
    );
  });

  test('of no steps passes cotangents through', () => {
    const b = new GraphBuilder('none');
    const inputs = [...SCAN_INPUTS].map(([name, { shape, dtype }]) =>
      b.input(name, { shape: name === 'x' || name === 'row' ? [0, ...shape.slice(1)] : shape, dtype }),
    );
    const [h = 0] = b.add('scan', { body: recurrence(), length: 0, carries: 2, sequences: 2 }, inputs);
    const graph = b.finish([{ name: 'value', value: weighted(b, h) }]);
    const arrays = new Map<string, HostArray>(SCAN_INPUTS).set('x', floats([0, 2], [])).set('row', integers([0], []));
    const found = run(gradientGraph(graph, { output: 'value', wrt: WRT }), arrays);
    expect(Array.from(found.get('gradient/h')?.data ?? [])).toEqual(Array.from(Float32Array.from(irregular(3, 5))));
    expect(Array.from(found.get('gradient/w')?.data ?? [])).toEqual(Array.from({ length: 9 }, () => 0));
    expect(found.get('gradient/x')?.shape).toEqual([0, 2]);
  });

  test('inside scan', () => {
    const outer = new GraphBuilder('outer');
    const a = outer.input('a', { shape: [3], dtype: 'float32' });
    const k = outer.input('k', { shape: [3], dtype: 'float32' });
    const inner = new GraphBuilder('inner');
    const c = inner.input('c', { shape: [3], dtype: 'float32' });
    const s = inner.input('s', { shape: [3], dtype: 'float32' });
    const next = unary(inner, 'sin', binary(inner, 'add', binary(inner, 'mul', c, s), s));
    const body = inner.finish([{ name: 'c', value: next }]);
    const [end = 0] = outer.add('scan', { body, length: 2, carries: 1, sequences: 0 }, [a, k]);
    const outerBody = outer.finish([
      { name: 'a', value: end },
      { name: 'y', value: unary(outer, 'exp', end) },
    ]);
    const b = new GraphBuilder('nested');
    const arrays = new Map([
      ['a', floats([3])],
      ['k', floats([3], irregular(3, 2))],
    ]);
    const [last = 0, ys = 0] = b.add(
      'scan',
      { body: outerBody, length: 3, carries: 1, sequences: 0 },
      addInputs(b, arrays),
    );
    const graph = b.finish([{ name: 'value', value: binary(b, 'add', weighted(b, last), weighted(b, ys)) }]);
    expect(checkDerivatives(graph, arrays)).toEqual([]);
  });
});

describe('cond', () => {
  test.each([0, 1])('has the derivatives of the branch taken: %i', (taken) => {
    const arrays = new Map<string, HostArray>([
      ['predicate', bools([], [taken])],
      ['x', floats([3])],
      ['y', floats([3], irregular(3, 3))],
    ]);
    expect(checkDerivatives(branching(), arrays)).toEqual([]);
  });
});

describe('call', () => {
  test('has the derivatives of central differences; what calls share sums up', () => {
    const { graph, arrays } = calling();
    expect(checkDerivatives(graph, arrays)).toEqual([]);
    expect(checkDerivatives(inlineCalls(graph), arrays)).toEqual([]);
  });

  test('differentiates the body once and calls that as often', () => {
    const { graph, arrays } = calling();
    const gradient = gradientGraph(graph, { output: 'value', wrt: ['a', 'scale'] });
    const calls = gradient.nodes.filter((node) => node.op === 'call');
    expect(calls.map(({ attrs }) => [attrs.count, attrs.mapped.join(), attrs.body.name])).toEqual([
      [4, 'true,false,false', 'rule'],
      [4, 'true,false,false,true', 'rule backwards'],
    ]);
    // Run call by call, stacked, and stacked and simplified.
    const want = run(gradient, arrays);
    for (const other of [inlineCalls(gradient), simplify(inlineCalls(gradient))]) {
      const got = run(other, arrays);
      expect([...want].map(([name, x]) => difference(got.get(name), x, ROUNDING))).toEqual(
        [...want].map(() => undefined),
      );
    }
  });
});

describe('customGradient', () => {
  const graphOf = (
    name: string,
    types: Record<string, readonly number[]>,
    make: (b: GraphBuilder, ids: readonly ValueId[]) => readonly ValueId[],
  ): Graph => {
    const b = new GraphBuilder(name);
    const ids = Object.entries(types).map(([port, shape]) => b.input(port, { shape, dtype: 'float32' }));
    return b.finish(make(b, ids).map((value, index) => ({ name: `out${index}`, value })));
  };
  const forward = graphOf('doubled', { x: [2] }, (b, [x = 0]) => [binary(b, 'mul', x, b.splat(2))]);

  test('uses its backward graph, which is differentiated in second order', () => {
    // Said to have the derivative x^2.
    const backward = graphOf('squares', { x: [2], dy: [2] }, (b, [x = 0, dy = 0]) => [
      binary(b, 'mul', dy, binary(b, 'mul', x, x)),
    ]);
    const b = new GraphBuilder('custom');
    const x = b.input('x', { shape: [2], dtype: 'float32' });
    const y = b.one('customGradient', { forward, backward }, [x]);
    const total = b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [y]);
    const first = gradientGraph(b.finish([{ name: 'value', value: total }]), { output: 'value', wrt: ['x'] });
    const at = floats([2], [3, 5]);
    expect(Array.from(run(first, new Map([['x', at]])).get('gradient/x')?.data ?? [])).toEqual([9, 25]);
    const again = new GraphBuilder('again');
    const again1 = again.input('x', { shape: [2], dtype: 'float32' });
    const [, gradient = 0] = again.inline(first, [again1]);
    const both = again.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [gradient]);
    const second = gradientGraph(again.finish([{ name: 'value', value: both }]), { output: 'value', wrt: ['x'] });
    expect(Array.from(run(second, new Map([['x', at]])).get('gradient/x')?.data ?? [])).toEqual([6, 10]);
  });

  test('refuses a cotangent that is not like the input', () => {
    const backward = graphOf('scalar', { x: [2], dy: [2] }, (b, [x = 0]) => [
      b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [x]),
    ]);
    const b = new GraphBuilder('custom');
    const x = b.input('x', { shape: [2], dtype: 'float32' });
    const y = b.one('customGradient', { forward, backward }, [x]);
    const value = b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [y]);
    const graph = b.finish([{ name: 'value', value }]);
    expect(() => gradientGraph(graph, { output: 'value', wrt: ['x'] })).toThrow(
      new RangeError(
        'Cannot differentiate doubled: expected its backward to give float32[2] for input x but got float32[]',
      ),
    );
  });
});

describe('appendGradient', () => {
  test('takes values made before as constants, gives zeros for what is independent, and prints so', () => {
    const b = new GraphBuilder('f');
    const x = b.input('x', { shape: [2], dtype: 'float32' });
    const y = b.input('y', { shape: [3], dtype: 'float32' });
    const squared = binary(b, 'mul', x, x);
    const since = b.nodes.length;
    const product = binary(b, 'mul', squared, x);
    const value = b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [product]);
    const [dx = 0, dy = 0] = appendGradient(b, { outputs: [value], cotangents: [b.splat(1)], wrt: [x, y], since });
    const graph = b.finish([
      { name: 'dx', value: dx },
      { name: 'dy', value: dy },
    ]);
    expect(printGraph(simplify(graph))).toMatchInlineSnapshot(`
      "graph f
        input %0 float32[2] x
        input %1 float32[3] y
        %2 float32[2] = mul(%0, %0)
        %3 float32[3] = constant 0
        output %2 dx
        output %3 dy"
    `);
    const found = run(
      graph,
      new Map([
        ['x', floats([2], [2, 3])],
        ['y', floats([3])],
      ]),
    );
    expect(Array.from(found.get('dx')?.data ?? [])).toEqual([4, 9]);
    expect(Array.from(found.get('dy')?.data ?? [])).toEqual([0, 0, 0]);
  });

  test('stopGradient stops', () => {
    const b = new GraphBuilder('f');
    const x = b.input('x', { shape: [], dtype: 'float32' });
    const value = binary(b, 'mul', x, b.one('stopGradient', {}, [x]));
    const graph = gradientGraph(b.finish([{ name: 'value', value }]), { output: 'value', wrt: ['x'] });
    expect(run(graph, new Map([['x', floats([], [3])]])).get('gradient/x')?.data[0]).toBe(3);
  });

  test('refuses what has no derivative', () => {
    const b = new GraphBuilder('f');
    const x = b.input('x', { shape: [2], dtype: 'float32' });
    const n = b.input('n', { shape: [], dtype: 'int32' });
    const graph = b.finish([
      { name: 'vector', value: x },
      { name: 'count', value: n },
    ]);
    expect(() => gradientGraph(graph, { output: 'loss', wrt: [] })).toThrow(
      new RangeError('Cannot differentiate f: expected an output among vector, count but got loss'),
    );
    expect(() => gradientGraph(graph, { output: 'vector', wrt: ['x'] })).toThrow(
      new RangeError('Cannot differentiate f: expected a float32 scalar as vector but got float32[2]'),
    );
    expect(() => appendGradient(b, { outputs: [x], cotangents: [x], wrt: [n], since: 0 })).toThrow(
      new TypeError('Cannot differentiate f: expected float32 values but got int32[]'),
    );
  });
});

describe('random programs with loops, branches and calls', () => {
  test('have the derivatives of central differences, in first and second order', () => {
    const wrong: string[] = [];
    const met = new Set<Op>();
    for (let seed = 1; seed <= RANDOM_GRAPHS; seed += 1) {
      const { graph, inputs } = randomGraph(seed, 16, SMOOTH);
      const b = new GraphBuilder('random');
      const made = b.inline(graph, addInputs(b, inputs)).filter((id) => b.type(id).dtype === 'float32');
      if (made.length === 0) continue;
      const value = sum(
        b,
        made.map((id, index) => weighted(b, id, index)),
      );
      const scalar = b.finish([{ name: 'value', value }]);
      for (const { op } of scalar.nodes) met.add(op);
      for (const found of checkDerivatives(scalar, inputs)) wrong.push(`${seed}: ${found}`);
    }
    expect(wrong).toEqual([]);
    expect(['call', 'cond', 'scan'].filter((op) => !met.has(op as Op))).toEqual([]);
  });
});
