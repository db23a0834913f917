/** Every primitive's derivative, first and second, against central differences in double precision. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import type { Graph, HostArray, Op } from '../../../jit/graph/graph.ts';
import { type Case, plainCase } from '../engines/primitive-cases.ts';
import { type Arrays, addInputs, irregular, weighted } from './arrays.ts';
import { checkDerivatives } from './finite-differences.ts';

/** Cases of each run. The reference evaluates elements one by one; larger ones only take longer. */
const CASES = 1000;
const MOST_ELEMENTS = 300;

/** A case as a scalar graph, its float32 inputs where every function is smooth (acosh's from 1 on); undefined without any. */
function scalarGraph({ inputs, add, text }: Case, phase: number): { graph: Graph; arrays: Arrays } | undefined {
  const start = text.startsWith('acosh') ? 1 : 0;
  const arrays = new Map<string, HostArray>();
  inputs.forEach((input, index) => {
    const smooth = irregular(input.data.length, phase + index).map((x) => x + start);
    arrays.set(`in${index}`, input.dtype === 'float32' ? { ...input, data: Float32Array.from(smooth) } : input);
  });
  const builder = new GraphBuilder('case');
  const outputs = add(builder, addInputs(builder, arrays)).filter((id) => builder.type(id).dtype === 'float32');
  const sums = outputs.map((id, index) => weighted(builder, id, index + 5));
  const [first, ...rest] = sums;
  if (first === undefined || ![...arrays.values()].some((x) => x.dtype === 'float32')) return undefined;
  const value = rest.reduce((sum, each) => builder.one('binary', { fn: 'add' }, [sum, each]), first);
  return { graph: builder.finish([{ name: 'value', value }]), arrays };
}

describe('derivatives of primitives', () => {
  test('are those of central differences, in first and second order', () => {
    const cases = fc.sample(plainCase, { numRuns: CASES, seed: 20251 });
    const wrong: string[] = [];
    const met = new Set<Op>();
    for (const [index, each] of cases.entries()) {
      const isSmall = each.inputs.every(({ data }) => data.length <= MOST_ELEMENTS);
      // What is stopped has no derivative where differences see one; a mean or the largest of nothing isn't finite.
      const isOfNone = /^(mean|max|min)/.test(each.text) && each.inputs.some(({ data }) => data.length === 0);
      if (!isSmall || isOfNone || each.text.startsWith('stopGradient')) continue;
      const made = scalarGraph(each, index);
      if (made === undefined) continue;
      for (const { op } of made.graph.nodes) met.add(op);
      for (const found of checkDerivatives(made.graph, made.arrays)) wrong.push(`${each.text}: ${found}`);
    }
    expect(wrong).toEqual([]);
    const reached =
      'binary broadcast cast concat constant contract cumulative gather pad reduce reshape reverse scatterAdd select slice transpose unary';
    expect([...met].filter((op) => op !== 'size').toSorted()).toEqual(reached.split(' '));
  });
});
