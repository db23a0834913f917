import { describe, expect, test } from 'vitest';
import { rootKey } from '../../jit/random/key.ts';
import type { Arrays, Optimizer, Role } from '../../lopt/optimizer.ts';
import { createLearned } from '../../lopt/registry.ts';
import { array, arrays, elements, irregular, specsOf } from './arrays-of.ts';
import { startOn, WAYS, type Way } from './engines.ts';

const NAMES = ['adafac-mlp', 'celo2', 'celo2-base'];

function randomly(name: string, options: Record<string, unknown> = {}): Optimizer {
  const learned = createLearned(name, options);
  return learned.optimizer(learned.initTheta(rootKey(5)));
}

const PARAMS = arrays({
  matrix: array(irregular(12), [3, 4]),
  bias: array(irregular(4, 1)),
  scalar: array([0.5], []),
  kernel: array(irregular(24, 2), [2, 1, 3, 4]),
});

function gradsLike(params: Arrays, value: (index: number) => number): Arrays {
  return new Map(
    [...params].map(([path, { shape, data }]) => [
      path,
      array(
        [...data].map((_, index) => value(index)),
        shape,
      ),
    ]),
  );
}

async function after(
  way: Way,
  {
    optimizer,
    grads,
    params = PARAMS,
    roles = {},
  }: { optimizer: Optimizer; grads: readonly Arrays[]; params?: Arrays; roles?: Record<string, Role> },
): Promise<{ params: Record<string, number[]>; state: Arrays }> {
  const run = await startOn(way, { optimizer, specs: specsOf(params, roles), params, horizon: 10 });
  let now = run.start;
  for (const gradient of grads) now = await run.step({ grads: gradient, loss: 1 });
  run.dispose();
  return { params: elements(now.params), state: now.state };
}

describe.each(WAYS)('%s', (way) => {
  test.each(NAMES)('%s stays finite with zero, huge, tiny and spiking gradients', async (name) => {
    const rows = (scale: number): Arrays => gradsLike(PARAMS, (index) => scale * Math.sin(index + 1));
    for (const grads of [
      [rows(0), rows(0)],
      [rows(1e10), rows(1)],
      [rows(1e-18), rows(1e-18)],
      [rows(1), rows(1e8), rows(1)],
    ]) {
      const { params, state } = await after(way, { optimizer: randomly(name), grads });
      expect(Object.values(params).flat().every(Number.isFinite)).toBe(true);
      expect([...state.values()].every(({ data }) => data.every(Number.isFinite))).toBe(true);
    }
  });

  test.each(NAMES)('%s: a NaN gradient spoils its own tensor only', async (name) => {
    const grads = new Map([...gradsLike(PARAMS, (index) => Math.cos(index)), ['bias', array([NaN, 1, 1, 1])]]);
    const { params } = await after(way, { optimizer: randomly(name), grads: [grads] });
    expect(params['bias']?.some(Number.isNaN)).toBe(true);
    for (const path of ['matrix', 'scalar', 'kernel']) expect(params[path]?.every(Number.isFinite)).toBe(true);
  });

  test.each(NAMES)('%s takes tensors with axes of extent 1, larger rows or columns, and rank 3', async (name) => {
    const shapes = { row: [1, 5], column: [5, 1], one: [1, 1], tall: [6, 2], cube: [2, 3, 2], single: [1] };
    const params = arrays(
      Object.fromEntries(
        Object.entries(shapes).map(([path, shape], index) => [
          path,
          array(
            irregular(
              shape.reduce((n, k) => n * k, 1),
              index,
            ),
            shape,
          ),
        ]),
      ),
    );
    const grads = gradsLike(params, (index) => Math.cos(index));
    const { params: next } = await after(way, { optimizer: randomly(name), grads: [grads, grads], params });
    expect(Object.values(next).flat().every(Number.isFinite)).toBe(true);
    expect(next['tall']).not.toEqual([...(params.get('tall')?.data ?? [])]);
  });

  test('celo2: steps have root mean square stepMult, matrix by matrix, and matrices are near orthogonal', async () => {
    const stepMult = 0.125;
    const params = arrays({ matrix: array(new Array<number>(12).fill(0), [3, 4]) });
    const optimizer = randomly('celo2', { stepMult });
    const { params: next } = await after(way, {
      optimizer,
      grads: [gradsLike(params, (index) => Math.sin(3 * index + 1))],
      params,
    });
    const step = (next['matrix'] ?? []).map((x) => x / stepMult);
    expect(step.reduce((sum, x) => sum + x * x, 0) / 12).toBeCloseTo(1, 4);
    // Rows of a 3 x 4 matrix with equal singular values have equal norms and are orthogonal; Newton-Schulz comes within about .3 of it.
    const dot = (i: number, j: number): number =>
      [0, 1, 2, 3].reduce((sum, k) => sum + (step[4 * i + k] ?? NaN) * (step[4 * j + k] ?? NaN), 0);
    for (const i of [0, 1, 2])
      for (const j of [0, 1, 2]) expect(Math.abs(dot(i, j) / 4 - (i === j ? 1 : 0))).toBeLessThan(0.5);
  });

  test('celo2: which tensors take the Adam path', async () => {
    const params = arrays({
      w: array(irregular(4), [2, 2]),
      b: array(irregular(2)),
      e: array(irregular(4, 1), [2, 2]),
    });
    const grads = [gradsLike(params, (index) => index + 1)];
    const onAdam = async (options: Record<string, unknown>, roles: Record<string, Role> = {}): Promise<string[]> => {
      const { state } = await after(way, { optimizer: randomly('celo2', options), grads, params, roles });
      return [...state.keys()].filter((name) => name.startsWith('m/')).map((name) => name.slice(2));
    };
    expect(await onAdam({})).toEqual(['b']);
    expect(await onAdam({}, { w: 'hidden', b: 'hidden', e: 'embedding' })).toEqual(['e']);
    expect(await onAdam({ adamTensors: [] })).toEqual([]);
    expect(await onAdam({ adamTensors: ['w'] })).toEqual(['w']);
    expect(await onAdam({ adamPattern: '^[we]$' })).toEqual(['w', 'e']);
  });

  test('celo2: a falling step size falls, on both paths', async () => {
    const params = arrays({ w: array(irregular(4), [2, 2]), b: array(irregular(2)) });
    const grads = gradsLike(params, (index) => index + 1);
    const falling = randomly('celo2', { stepMult: { schedule: 'linear', initial: 0.1, end: 0, total: 1 } });
    const one = await after(way, { optimizer: falling, grads: [grads], params });
    const two = await after(way, { optimizer: falling, grads: [grads, grads], params });
    expect(two.params).toEqual(one.params);
    expect(one.params).not.toEqual(elements(params));
  });
});

test('expMult 0 leaves the magnitude out: it is no value; otherwise it is', () => {
  expect(randomly('celo2').values.has('expMult')).toBe(false);
  expect(randomly('celo2', { expMult: 0.5 }).valueRoles.get('expMult')).toBe('free');
});

test('a pattern that is no regular expression', () => {
  expect(() => createLearned('celo2', { adamPattern: '[' })).toThrow(
    new SyntaxError('Cannot create celo2: expected option adamPattern to be a regular expression but got "["'),
  );
});
