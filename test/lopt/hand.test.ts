import { describe, expect, test } from 'vitest';
import type { Arrays } from '../../lopt/optimizer.ts';
import { createOptimizer } from '../../lopt/registry.ts';
import { array, arrays, elements, irregular, specsOf } from './arrays-of.ts';
import { startOn, WAYS, type Way } from './engines.ts';

/** float32 rounding of a handful of operations. */
const RELATIVE = 1e-6;

/** Parameters after each gradient in turn. */
async function steps(
  way: Way,
  { name, options, horizon = 10 }: { name: string; options: Record<string, unknown>; horizon?: number },
  { params, grads }: { params: Arrays; grads: readonly Arrays[] },
): Promise<Record<string, number[]>[]> {
  const run = await startOn(way, {
    optimizer: createOptimizer(name, options),
    specs: specsOf(params),
    params,
    horizon,
  });
  const results: Record<string, number[]>[] = [];
  for (const gradient of grads) results.push(elements((await run.step({ grads: gradient, loss: 1 })).params));
  run.dispose();
  return results;
}

/** A scalar and a vector of one element, which must do the same. */
async function scalarSteps(
  way: Way,
  name: string,
  options: Record<string, unknown>,
  at: { p: number; g: number[] },
): Promise<number[]> {
  const both = (x: number): Arrays => arrays({ vector: array([x]), scalar: array([x], []) });
  const results = await steps(way, { name, options }, { params: both(at.p), grads: at.g.map(both) });
  return results.map(({ vector = [], scalar = [] }) => {
    expect(scalar).toEqual(vector);
    return vector[0] ?? NaN;
  });
}

function expectClose(got: readonly number[], right: readonly number[], relative = RELATIVE): void {
  expect(got).toHaveLength(right.length);
  got.forEach((x, index) => {
    const wanted = right[index] ?? NaN;
    expect(Math.abs(x - wanted)).toBeLessThanOrEqual(relative * Math.max(Math.abs(wanted), 1e-30));
  });
}

describe.each(WAYS)('%s', (way) => {
  test('AdamW decays the parameter as it was before the step (R01)', async () => {
    const options = { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.5 };
    expectClose(await scalarSteps(way, 'adamw', options, { p: 2, g: [1, 1] }), [1.8, 1.61]);
  });

  test('Adam is dense: a row without gradient moves while its averages last, one that never had any stays (R10)', async () => {
    const options = { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };
    const row = (x: number): Arrays => arrays({ embedding: array([x, 0], [2, 1]) });
    const results = await steps(way, { name: 'adam', options }, { params: row(0), grads: [row(1), row(0), row(0)] });
    const rows = results.map(({ embedding = [] }) => embedding);
    expectClose(
      rows.map(([first = NaN]) => first),
      [-0.1, -0.16700582, -0.21880152],
    );
    for (const [, second] of rows) expect(second).toBe(0);
  });

  test('beta1 0 is no average, not the default (R45)', async () => {
    const options = { lr: 0.1, beta1: 0, beta2: 0.999, eps: 1e-8 };
    expectClose(await scalarSteps(way, 'adam', options, { p: 1, g: [1, 2] }), [0.9, 0.77352787]);
  });

  test('learning rate 0 moves nothing (R45)', async () => {
    for (const name of ['sgd', 'momentum', 'nesterov', 'rmsprop', 'adam', 'adamw', 'nadamw'])
      expect(await scalarSteps(way, name, { lr: 0 }, { p: 1.25, g: [1, 2] })).toEqual([1.25, 1.25]);
  });

  test('weightDecay 0 of AdamW is Adam (R45)', async () => {
    const at = { p: 1, g: [1, 2, -3] };
    const options = { lr: 0.1, weightDecay: 0 };
    expectClose(await scalarSteps(way, 'adamw', options, at), await scalarSteps(way, 'adam', options, at));
  });

  test('dampening isn’t applied to the first gradient', async () => {
    const options = { lr: 1, momentum: 0.5, dampening: 0.75 };
    // T: 4, then .5 * 4 + .25 * 4 = 3.
    expect(await scalarSteps(way, 'momentum', options, { p: 10, g: [4, 4] })).toEqual([6, 3]);
  });

  test('a falling learning rate', async () => {
    const lr = { schedule: 'linear', initial: 1, end: 0, total: 4 };
    expect(await scalarSteps(way, 'sgd', { lr }, { p: 10, g: [1, 1, 1, 1, 1] })).toEqual([9, 8.25, 7.75, 7.5, 7.5]);
  });

  test('a decay given as a schedule is folded in the program', async () => {
    const constant = (value: number): unknown => ({ schedule: 'constant', value });
    const options = { lr: 0.1, beta1: constant(0.9), beta2: constant(0.99) };
    const at = { p: 1, g: [1, 2, -3] };
    // 1 - beta and ln beta of a float32 beta: 1e-5 off.
    expectClose(
      await scalarSteps(way, 'adam', options, at),
      await scalarSteps(way, 'adam', { lr: 0.1, beta1: 0.9, beta2: 0.99 }, at),
      1e-5,
    );
  });

  test('the bias correction keeps its digits at beta2 close to 1', async () => {
    // After one step m / c1 = g and v / c2 = g^2: the step is lr * sign(g), whatever the betas. 1 - b^k in float32 is off by 1e-3 here.
    const options = { lr: 1, beta1: 0.9999, beta2: 0.99999, eps: 0 };
    expectClose(await scalarSteps(way, 'adam', options, { p: 0, g: [3] }), [-1]);
  });

  test.each([
    ['zero', 0, 1],
    ['huge', 1e18, 1],
    ['tiny', 1e-18, 1],
  ])('%s gradients give finite parameters', async (_, scale) => {
    for (const name of ['sgd', 'momentum', 'nesterov', 'rmsprop', 'adam', 'adamw', 'nadamw']) {
      const params = arrays({ matrix: array(irregular(6), [2, 3]), scalar: array([0.5], []) });
      const grads = arrays({
        matrix: array(
          irregular(6, 1).map((x) => x * scale),
          [2, 3],
        ),
        scalar: array([scale], []),
      });
      const results = await steps(
        way,
        { name, options: { lr: 1e-3, weightDecay: 0 } },
        { params, grads: [grads, grads, grads] },
      );
      const last = results.at(-1) ?? {};
      expect(Object.values(last).flat().every(Number.isFinite), `${name} ${JSON.stringify(last)}`).toBe(true);
      if (scale === 0) expect(last).toEqual(elements(params));
    }
  });

  test('a NaN gradient spoils its own element only', async () => {
    for (const name of ['sgd', 'momentum', 'nesterov', 'rmsprop', 'adam', 'adamw', 'nadamw']) {
      const params = arrays({ a: array([1, 2]), b: array([3]) });
      const grads = arrays({ a: array([NaN, 1]), b: array([1]) });
      const [first = {}] = await steps(way, { name, options: {} }, { params, grads: [grads] });
      expect(first['a']?.[0]).toBeNaN();
      expect([first['a']?.[1], first['b']?.[0]].every(Number.isFinite)).toBe(true);
    }
  });
});

test('options that contradict each other', () => {
  expect(() => createOptimizer('nesterov', { dampening: 0.5 })).toThrow(
    new RangeError('Cannot create nesterov: expected option dampening to be 0 where nesterov is true but got 0.5'),
  );
});
