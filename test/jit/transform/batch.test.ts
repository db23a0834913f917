/** A batched graph against its particles one by one, for every choice of mapped inputs. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import { type Graph, type HostArray, type Op, type ValueId, allocate, sizeOf } from '../../../jit/graph/graph.ts';
import { printGraph } from '../../../jit/graph/print.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { batch } from '../../../jit/transform/batch.ts';
import { gradientGraph } from '../../../jit/transform/differentiate.ts';
import { inlineCalls } from '../../../jit/transform/inline-calls.ts';
import { simplify } from '../../../jit/transform/simplify.ts';
import { type Case, plainCase } from '../engines/primitive-cases.ts';
import { evaluate } from '../engines/reference.ts';
import { type Arrays, addInputs, bools, difference, floats, irregular, run, stacked, weighted } from './arrays.ts';
import { drawsOf, randomGraph } from './random-graphs.ts';
import { SCAN_INPUTS, binary, branching, calling, matrix, scanned, unary } from './programs.ts';

const PARTICLES = 3;
const CASES = 350;
const RANDOM_GRAPHS = 200;
const MOST_ELEMENTS = 200;

/** The same operations on the same elements; only a sum over more axes at once may round otherwise. */
const ROUNDING = 2e-6;

/** Every subset of some names. */
function subsets(names: readonly string[]): string[][] {
  return Array.from({ length: 2 ** names.length }, (_, bits) => names.filter((_, index) => (bits >> index) % 2 === 1));
}

/** An array as particle number `shift` has it: its elements rolled. */
function rolled({ shape, dtype, data }: HostArray, shift: number): HostArray {
  const next = allocate(dtype, data.length);
  data.forEach((_, place) => {
    next[place] = data[(place + shift) % data.length] as number;
  });
  return { shape, dtype, data: next };
}

/** What is wrong with the batched graph when these inputs are mapped, in words. */
function wrongWith(
  graph: Graph,
  arrays: Arrays,
  {
    mapped,
    via = evaluate,
    rounding = ROUNDING,
  }: { mapped: ReadonlySet<string>; via?: typeof evaluate; rounding?: number },
): string[] {
  const wide = batch(graph, { particles: PARTICLES, mapped });
  verifyGraph(wide);
  const particles = Array.from({ length: PARTICLES }, (_, index) => {
    return new Map([...arrays].map(([name, array]) => [name, mapped.has(name) ? rolled(array, index) : array]));
  });
  const given = new Map(
    [...arrays].map(([name, array]) => [
      name,
      mapped.has(name) ? stacked(particles.map((each) => each.get(name) as HostArray)) : array,
    ]),
  );
  const wants = particles.map((each) => via(graph, each));
  const got = via(wide, given);
  return graph.outputs.flatMap(({ name }) => {
    const want = stacked(wants.map((each) => each.get(name) as HostArray));
    const found = difference(got.get(name), want, rounding);
    return found === undefined ? [] : [`${name} with ${[...mapped].join()} mapped: ${found}`];
  });
}

function graphOf({ inputs, add }: Case): { graph: Graph; arrays: Arrays } {
  const arrays = new Map(inputs.map((array, index) => [`in${index}`, array]));
  const builder = new GraphBuilder('case');
  const outputs = add(builder, addInputs(builder, arrays));
  return { graph: builder.finish(outputs.map((value, index) => ({ name: `out${index}`, value }))), arrays };
}

describe('batch', () => {
  test('of every primitive is its particles, whatever is mapped', () => {
    const wrong: string[] = [];
    const met = new Set<Op>();
    for (const each of fc.sample(plainCase, { numRuns: CASES, seed: 99 })) {
      if (each.inputs.some(({ data }) => data.length > MOST_ELEMENTS)) continue;
      const { graph, arrays } = graphOf(each);
      for (const { op } of graph.nodes) met.add(op);
      for (const names of subsets([...arrays.keys()]))
        for (const found of wrongWith(graph, arrays, { mapped: new Set(names) })) wrong.push(`${each.text}: ${found}`);
    }
    expect(wrong).toEqual([]);
    const all =
      'argReduce binary broadcast cast compare concat constant contract cumulative gather iota pad reduce reshape reverse scatterAdd select size slice stopGradient transpose unary';
    expect([...met].toSorted()).toEqual(all.split(' '));
  });

  const programs: readonly (readonly [string, Graph, Arrays])[] = [
    ['scan', scanned(), SCAN_INPUTS],
    ['the gradient of scan', gradientGraph(scanned(), { output: 'value', wrt: ['w', 'x', 'h'] }), SCAN_INPUTS],
    [
      'cond',
      branching(),
      new Map<string, HostArray>([
        ['predicate', bools([], [1])],
        ['x', floats([3])],
        ['y', floats([3], irregular(3, 3))],
      ]),
    ],
    ['call', calling().graph, calling().arrays],
    [
      'the gradient of call',
      gradientGraph(calling().graph, { output: 'value', wrt: ['a', 'scale'] }),
      calling().arrays,
    ],
  ];
  test.each(programs)('%s, whatever is mapped', (_, graph, arrays) => {
    const names = [...arrays.keys()];
    expect(subsets(names).flatMap((mapped) => wrongWith(graph, arrays, { mapped: new Set(mapped) }))).toEqual([]);
  });

  test.each(programs)('%s on TensorFlow.js, all mapped, calls inlined and simplified', (_, graph, arrays) => {
    const mapped = new Set(arrays.keys());
    const via: typeof evaluate = (each, given) => run(simplify(inlineCalls(each)), given);
    expect(wrongWith(graph, arrays, { mapped, via })).toEqual([]);
  });

  test('of random graphs is their particles, to the bit', () => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= RANDOM_GRAPHS; seed += 1) {
      const { graph, inputs } = randomGraph(seed + 5000, 20);
      const draw = drawsOf(seed);
      const mapped = new Set([...inputs.keys()].filter(() => draw(2) === 0));
      for (const found of wrongWith(graph, inputs, { mapped, rounding: 0 })) wrong.push(`${seed}: ${found}`);
    }
    expect(wrong).toEqual([]);
  });

  test('of a branch whose particles go different ways selects', () => {
    const arrays = new Map<string, HostArray>([
      ['predicate', bools([3], [1, 0, 1])],
      ['x', floats([3])],
      ['y', floats([3], irregular(3, 3))],
    ]);
    const graph = batch(branching(), { particles: 3, mapped: new Set(['predicate']) });
    const one = (taken: number) =>
      evaluate(branching(), new Map(arrays).set('predicate', bools([], [taken]))).get('value');
    const got = evaluate(graph, arrays).get('value');
    expect(graph.nodes.some(({ op }) => op === 'cond')).toBe(false);
    expect(Array.from(got?.data ?? [])).toEqual([1, 0, 1].map((taken) => one(taken)?.data[0]));
  });

  test('of a branch that all particles take stays one', () => {
    const graph = batch(branching(), { particles: 3, mapped: new Set(['x']) });
    expect(graph.nodes.filter(({ op }) => op === 'cond').length).toBe(1);
  });

  test('keeps what no particle changes to one computation', () => {
    const b = new GraphBuilder('shared');
    const x = b.input('x', { shape: [4], dtype: 'float32' });
    const y = b.input('y', { shape: [4], dtype: 'float32' });
    const shared = unary(b, 'exp', x);
    const graph = b.finish([
      { name: 'shared', value: shared },
      { name: 'product', value: binary(b, 'mul', shared, y) },
      { name: 'size', value: b.one('size', { axes: [0] }, [y]) },
    ]);
    expect(printGraph(batch(graph, { particles: 2, mapped: new Set(['y']) }))).toMatchInlineSnapshot(`
      "graph shared
        input %0 float32[4] x
        input %1 float32[2,4] y
        %2 float32[4] = exp(%0)
        %3 float32[2,4] = mul(%2, %1)
        %4 float32[] = size(%1) {axes=[1]}
        %5 float32[2,4] = broadcast(%2)
        %6 float32[2] = broadcast(%4)
        output %5 shared
        output %3 product
        output %6 size"
    `);
  });

  test('makes rows of one product of a shared matrix, and batched products without transposes', () => {
    const layer = (mapped: readonly string[]): string => {
      const b = new GraphBuilder('layer');
      const x = b.input('x', { shape: [5, 3], dtype: 'float32' });
      const w = b.input('w', { shape: [3, 4], dtype: 'float32' });
      const y = b.one('contract', matrix, [x, w]);
      const value = weighted(b, y);
      const graph = gradientGraph(b.finish([{ name: 'value', value }]), { output: 'value', wrt: ['x', 'w'] });
      return printGraph(simplify(batch(graph, { particles: 2, mapped: new Set(mapped) })));
    };
    for (const mapped of [['x'], ['w'], ['x', 'w']]) expect(layer(mapped)).not.toContain('transpose');
    expect(layer(['x'])).toMatchInlineSnapshot(`
      "graph layer
        input %0 float32[2,5,3] x
        input %1 float32[3,4] w
        %2 float32[2,5,4] = contract(%0, %1) {leftContract=[2] rightContract=[0]}
        %3 float32[5,4] = constant [0.5526388, 0.2852626, 0.7178864, 0.4505102, 0.18313399, 0.61575776, ... 20 numbers]
        %4 float32[2,5,4] = mul(%2, %3)
        %5 float32[2] = sum(%4) {axes=[1,2]}
        %6 float32[5,3] = contract(%3, %1) {leftContract=[1] rightContract=[1]}
        %7 float32[2,3,4] = contract(%0, %3) {leftContract=[1] rightContract=[0]}
        %8 float32[2,5,3] = broadcast(%6)
        output %5 value
        output %8 gradient/x
        output %7 gradient/w"
    `);
  });

  test('of a custom gradient keeps it: the cotangent of what particles share is their sum', () => {
    const body = (
      name: string,
      ports: readonly string[],
      make: (b: GraphBuilder, ids: readonly ValueId[]) => ValueId[],
    ): Graph => {
      const b = new GraphBuilder(name);
      const ids = ports.map((port) => b.input(port, { shape: [2], dtype: 'float32' }));
      return b.finish(make(b, ids).map((value, index) => ({ name: `out${index}`, value })));
    };
    const forward = body('f', ['x', 'y'], (b, [x = 0, y = 0]) => [binary(b, 'mul', x, y)]);
    const backward = body('df', ['x', 'y', 'dz'], (b, [x = 0, y = 0, dz = 0]) => [
      binary(b, 'mul', dz, y),
      binary(b, 'mul', dz, x),
    ]);
    const b = new GraphBuilder('custom');
    const x = b.input('x', { shape: [2], dtype: 'float32' });
    const y = b.input('y', { shape: [2], dtype: 'float32' });
    const graph = b.finish([{ name: 'z', value: b.one('customGradient', { forward, backward }, [x, y]) }]);
    const wide = batch(graph, { particles: 3, mapped: new Set(['x']) });
    const total = new GraphBuilder('total');
    const [p = 0, q = 0] = wide.inputs.map(({ name, value }) => total.input(name, wide.values[value] as HostArray));
    const [z = 0] = total.inline(wide, [p, q]);
    const value = total.one('reduce', { fn: 'sum', axes: [0, 1], keepDims: false }, [z]);
    const gradient = gradientGraph(total.finish([{ name: 'value', value }]), { output: 'value', wrt: ['x', 'y'] });
    const found = run(
      gradient,
      new Map([
        ['x', floats([3, 2], [1, 2, 3, 4, 5, 6])],
        ['y', floats([2], [10, 20])],
      ]),
    );
    expect(Array.from(found.get('gradient/x')?.data ?? [])).toEqual([10, 20, 10, 20, 10, 20]);
    expect(Array.from(found.get('gradient/y')?.data ?? [])).toEqual([9, 12]);
  });

  test('refuses what it cannot do', () => {
    const b = new GraphBuilder('f');
    const x = b.input('x', { shape: [], dtype: 'float32' });
    const graph = b.finish([{ name: 'x', value: x }]);
    expect(() => batch(graph, { particles: 2, mapped: new Set(['y']) })).toThrow(
      new RangeError('Cannot batch f: expected inputs among x but got y'),
    );
    expect(() => batch(graph, { particles: 0, mapped: new Set(['x']) })).toThrow(
      new RangeError('Cannot batch f: expected a whole number of particles, 1 or more, but got 0'),
    );
  });

  test('of one particle is the graph itself', () => {
    const [, , arrays] = programs[0] as (typeof programs)[number];
    const given = new Map([...arrays].map(([name, array]) => [name, stacked([array])]));
    const got = evaluate(batch(scanned(), { particles: 1, mapped: new Set(arrays.keys()) }), given).get('value');
    expect(got?.data).toEqual(evaluate(scanned(), arrays).get('value')?.data);
    expect(sizeOf(got?.shape ?? [])).toBe(1);
  });
});
