import { expect } from 'vitest';
import type { Graph, HostArray } from '../../../jit/graph/graph.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { gradientGraph } from '../../../jit/transform/differentiate.ts';
import { hvpGraph } from '../../../jit/transform/hvp.ts';
import { evaluateInDouble } from '../engines/reference.ts';
import { type Arrays, irregular } from './arrays.ts';

/**
 * Step of central differences in double precision along a direction of elements below 1. They lose 1e-16 / 1e-5 to rounding, and
 * 1e-10 times a third derivative.
 */
const STEP = 1e-5;

/** Both, with derivatives of up to a few hundred, and constants of the derivative rules that are rounded to float32. */
export const DIFFERENCE_TOLERANCE = 2e-6;

/** Numbers from -0.5 to 0.5. */
const direction = (count: number, phase: number): number[] => irregular(count, phase).map((x) => (x - 0.5) / 0.7);

function moved(
  inputs: Arrays,
  directions: ReadonlyMap<string, readonly number[]>,
  step: number,
): Map<string, HostArray> {
  return new Map(
    [...inputs].map(([name, { shape, dtype, data }]) => {
      const along = directions.get(name);
      const values = Float64Array.from(data, (x, i) => x + step * (along?.[i] ?? 0));
      // One boundary: the reference computes with doubles where it gets them.
      return [name, { shape, dtype, data: along === undefined ? data : (values as unknown as Float32Array) }];
    }),
  );
}

const product = (x: HostArray | undefined, y: readonly number[] | undefined): number =>
  Array.from(x?.data ?? []).reduce((sum, value, index) => sum + value * (y?.[index] ?? NaN), 0);

/** Checks a scalar output's gradient by all float32 inputs, and the Hessian times a vector, along a direction; gives what is wrong. */
export function checkDerivatives(
  graph: Graph,
  inputs: Arrays,
  { output = 'value', second = true, wrt }: { output?: string; second?: boolean; wrt?: readonly string[] } = {},
): string[] {
  const by = wrt ?? [...inputs].filter(([, { dtype }]) => dtype === 'float32').map(([name]) => name);
  const along = new Map(by.map((name, index) => [name, direction(inputs.get(name)?.data.length ?? 0, index + 1)]));
  const wrong: string[] = [];
  const compare = (what: string, got: number, want: number): void => {
    if (!(Math.abs(got - want) <= DIFFERENCE_TOLERANCE * Math.max(1, Math.abs(want))))
      wrong.push(`${what}: expected ${want} but got ${got}`);
  };
  const slope = (f: (at: Arrays) => number): number =>
    (f(moved(inputs, along, STEP)) - f(moved(inputs, along, -STEP))) / (2 * STEP);

  const gradients = gradientGraph(graph, { output, wrt: by });
  verifyGraph(gradients);
  const value = (at: Arrays): number => evaluateInDouble(graph, at).get(output)?.data[0] ?? NaN;
  const found = evaluateInDouble(gradients, inputs);
  expect(found.get('value')?.data[0]).toBe(value(inputs));
  const total = (all: ReadonlyMap<string, HostArray>, prefix: string, vectors: typeof along): number =>
    by.reduce((sum, name) => sum + product(all.get(`${prefix}/${name}`), vectors.get(name)), 0);
  compare('gradient', total(found, 'gradient', along), slope(value));
  if (!second) return wrong;

  const tangents = new Map(by.map((name, index) => [name, direction(inputs.get(name)?.data.length ?? 0, index + 11)]));
  const products = hvpGraph(graph, { output, wrt: by });
  verifyGraph(products);
  const given = new Map<string, HostArray>(inputs);
  for (const [name, data] of tangents) {
    const shape = inputs.get(name)?.shape ?? [];
    given.set(`tangent/${name}`, { shape, dtype: 'float32', data: Float64Array.from(data) as unknown as Float32Array });
  }
  const hvp = evaluateInDouble(products, given);
  const sloped = slope((at) => total(evaluateInDouble(gradients, at), 'gradient', tangents));
  compare('second derivative', total(hvp, 'hvp', along), sloped);
  return wrong;
}
