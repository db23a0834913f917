/** The random graphs of the short suites, many more of them. */
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import type { HostArray } from '../../../jit/graph/graph.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { batch } from '../../../jit/transform/batch.ts';
import { inlineCalls } from '../../../jit/transform/inline-calls.ts';
import { simplify } from '../../../jit/transform/simplify.ts';
import { evaluate } from '../engines/reference.ts';
import { addInputs, difference, stacked, weighted } from './arrays.ts';
import { checkDerivatives } from './finite-differences.ts';
import { sum } from './programs.ts';
import { SMOOTH, drawsOf, randomGraph } from './random-graphs.ts';

const SEEDS = Array.from({ length: 4000 }, (_, index) => 100_000 + index);
const PARTICLES = 2;

function wrongOf(got: ReadonlyMap<string, HostArray>, want: ReadonlyMap<string, HostArray>): string[] {
  return [...want].flatMap(([name, array]) => {
    const found = difference(got.get(name), array, 0);
    return found === undefined ? [] : [`${name}: ${found}`];
  });
}

test('simplified, and with calls inlined, random graphs give the same', () => {
  for (const seed of SEEDS) {
    const { graph, inputs } = randomGraph(seed, 40);
    const want = evaluate(graph, inputs);
    for (const each of [simplify(graph), inlineCalls(graph), simplify(inlineCalls(simplify(graph)))]) {
      verifyGraph(each);
      expect([seed, wrongOf(evaluate(each, inputs), want)]).toEqual([seed, []]);
    }
  }
});

test('batched, random graphs are their particles', () => {
  for (const seed of SEEDS) {
    const { graph, inputs } = randomGraph(seed, 25);
    const other = new Map([...inputs].map(([name, x]) => [name, { ...x, data: x.data.toReversed() }]));
    const draw = drawsOf(seed);
    const mapped = new Set([...inputs.keys()].filter(() => draw(2) === 0));
    const second = new Map(
      [...inputs].map(([name, x]) => [name, mapped.has(name) ? (other.get(name) as HostArray) : x]),
    );
    const pair = (name: string): HostArray => stacked([inputs.get(name) as HostArray, second.get(name) as HostArray]);
    const given = new Map([...inputs].map(([name, x]) => [name, mapped.has(name) ? pair(name) : x]));
    const [one, two] = [evaluate(graph, inputs), evaluate(graph, second)];
    const want = new Map([...one].map(([name, x]) => [name, stacked([x, two.get(name) as HostArray])]));
    const wide = batch(graph, { particles: PARTICLES, mapped });
    for (const each of [wide, simplify(inlineCalls(wide))]) {
      verifyGraph(each);
      expect([seed, wrongOf(evaluate(each, given), want)]).toEqual([seed, []]);
    }
  }
});

test('random smooth programs have the derivatives of central differences', () => {
  for (const seed of SEEDS.slice(0, 1500)) {
    const { graph, inputs } = randomGraph(seed, 16, SMOOTH);
    const b = new GraphBuilder('random');
    const made = b.inline(graph, addInputs(b, inputs)).filter((id) => b.type(id).dtype === 'float32');
    if (made.length === 0) continue;
    const value = sum(
      b,
      made.map((id, index) => weighted(b, id, index)),
    );
    expect([seed, checkDerivatives(b.finish([{ name: 'value', value }]), inputs)]).toEqual([seed, []]);
  }
});
