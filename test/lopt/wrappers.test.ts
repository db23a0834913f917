import { describe, expect, test } from 'vitest';
import type { Arrays, Role } from '../../lopt/optimizer.ts';
import { createOptimizer } from '../../lopt/registry.ts';
import { array, arrays, elements, irregular, specsOf } from './arrays-of.ts';
import { startOn, WAYS, type Way } from './engines.ts';

async function oneStep(
  way: Way,
  { name, options }: { name: string; options: Record<string, unknown> },
  { params, grads, roles = {} }: { params: Arrays; grads: Arrays; roles?: Record<string, Role> },
): Promise<Record<string, number[]>> {
  const optimizer = createOptimizer(name, options);
  const run = await startOn(way, { optimizer, specs: specsOf(params, roles), params, horizon: 10 });
  const { params: next } = await run.step({ grads, loss: 1 });
  run.dispose();
  return elements(next);
}

describe.each(WAYS)('%s', (way) => {
  const params = arrays({ a: array([0, 0]), b: array([0], []) });
  const grads = arrays({ a: array([3, 0]), b: array([4], []) });
  const clip = (options: Record<string, unknown>): Promise<Record<string, number[]>> =>
    oneStep(way, { name: 'gradient-clipping', options: { lr: 1, ...options } }, { params, grads });

  test('clips by the common norm, exactly not below it', async () => {
    expect(await clip({ threshold: 2.5 })).toEqual({ a: [-1.5, 0], b: [-2] });
    expect(await clip({ threshold: 5 })).toEqual({ a: [-3, 0], b: [-4] });
  });

  test('clips by value and by each tensor’s own norm', async () => {
    expect(await clip({ kind: 'value', threshold: 3.5 })).toEqual({ a: [-3, 0], b: [-3.5] });
    expect(await clip({ kind: 'tensor-norm', threshold: 2 })).toEqual({ a: [-2, 0], b: [-2] });
  });

  test('zero gradients stay zero', async () => {
    const zeros = arrays({ a: array([0, 0]), b: array([0], []) });
    for (const kind of ['value', 'global-norm', 'tensor-norm', 'block-rms']) {
      const next = await oneStep(way, { name: 'gradient-clipping', options: { kind } }, { params, grads: zeros });
      expect(next).toEqual({ a: [0, 0], b: [0] });
    }
  });

  test('decoupled decay over Adam with lr * wd is AdamW', async () => {
    const at = {
      params: arrays({ w: array(irregular(6), [2, 3]) }),
      grads: arrays({ w: array(irregular(6, 1), [2, 3]) }),
    };
    const wrapped = await oneStep(
      way,
      {
        name: 'decoupled-weight-decay',
        options: { weightDecay: 0.05, base: { name: 'adam', lr: 0.1, weightDecay: 0 } },
      },
      at,
    );
    const whole = await oneStep(way, { name: 'adamw', options: { lr: 0.1, weightDecay: 0.5 } }, at);
    wrapped['w']?.forEach((x, index) => expect(x).toBeCloseTo(whole['w']?.[index] ?? NaN, 6));
  });

  test('decay goes by role, without role by rank, or by what is asked for', async () => {
    const at = {
      params: arrays({ bias: array([1, 1], [1, 2]), gain: array([1]), matrix: array([1], [1, 1]), other: array([1]) }),
      grads: arrays({ bias: array([0, 0], [1, 2]), gain: array([0]), matrix: array([0], [1, 1]), other: array([0]) }),
      roles: { bias: 'bias', gain: 'hidden' } as const,
    };
    const decay = (options: Record<string, unknown>): Promise<Record<string, number[]>> =>
      oneStep(
        way,
        {
          name: 'decoupled-weight-decay',
          options: { base: { name: 'sgd', weightDecay: 0 }, weightDecay: 0.5, ...options },
        },
        at,
      );
    expect(await decay({})).toEqual({ bias: [1, 1], gain: [0.5], matrix: [0.5], other: [1] });
    expect(await decay({ pattern: '^m|^o' })).toEqual({ bias: [1, 1], gain: [1], matrix: [0.5], other: [0.5] });
    expect(await decay({ roles: ['bias'] })).toEqual({ bias: [0.5, 0.5], gain: [1], matrix: [1], other: [1] });
    expect(await decay({ roles: [] })).toEqual({ bias: [1, 1], gain: [1], matrix: [1], other: [1] });
  });
});

describe('options', () => {
  test('values and states of the base are under base/', () => {
    const optimizer = createOptimizer('gradient-clipping', { base: 'adam', threshold: 2, lr: 0.1 });
    expect([...optimizer.values.keys()]).toEqual(
      [
        'threshold',
        'lr',
        'beta1',
        'beta1/complement',
        'beta1/log',
        'beta2',
        'beta2/complement',
        'beta2/log',
        'eps',
        'weightDecay',
      ].map((name) => (name === 'threshold' ? name : `base/${name}`)),
    );
    expect(optimizer.valueRoles.get('base/lr')).toBe('free');
    expect(optimizer.valueRoles.get('base/beta1')).toBe('fixed');
    expect(optimizer.options).toMatchObject({ kind: 'global-norm', threshold: 2, base: { name: 'adam', lr: 0.1 } });
  });

  test('flat keys go through wrappers to the innermost that has them', () => {
    const optimizer = createOptimizer('gradient-clipping', {
      base: { name: 'decoupled-weight-decay', base: { name: 'momentum', weightDecay: 0 } },
      momentum: 0.5,
      weightDecay: 0.25,
    });
    expect(optimizer.options).toMatchObject({
      base: { weightDecay: 0.25, base: { name: 'momentum', momentum: 0.5, weightDecay: 0 } },
    });
  });

  test.each([
    [
      'decoupled-weight-decay',
      { weightDecay: 0.1 },
      'Cannot create decoupled-weight-decay: expected option weightDecay, which decoupled-weight-decay and its base adam both have, to be given for the base inside it, as in {"base":{"name":"adam","weightDecay":...}}, but got it beside the base only',
    ],
    [
      'gradient-clipping',
      { base: { name: 'sgd', lr: 1 }, lr: 2 },
      'Cannot create gradient-clipping: expected option lr once but got it inside the base and beside it',
    ],
    [
      'gradient-clipping',
      { beta1: 0.5 },
      "Cannot create gradient-clipping: expected the options kind, threshold, base, or its base sgd's lr, weightDecay but got beta1",
    ],
    [
      'gradient-clipping',
      { threshold: 0 },
      'Cannot create gradient-clipping: expected option threshold to be a number > 0, or a schedule but got 0',
    ],
    [
      'gradient-clipping',
      { base: 'adamm' },
      'Cannot find an optimizer: expected one of sgd, momentum, nesterov, rmsprop, adam, adamw, nadamw, gradient-clipping, decoupled-weight-decay, adafac-mlp, celo2, celo2-base but got adamm',
    ],
  ])('%s %j', (name, options, message) => {
    expect(() => createOptimizer(name, options)).toThrow(new RangeError(message));
  });

  test('a base that the registry doesn’t have may be resolved by the caller', () => {
    const base = createOptimizer('sgd', { lr: 0.5 });
    const resolve = ({ name }: { name: string }): typeof base | undefined => (name === 'mine' ? base : undefined);
    expect(createOptimizer('gradient-clipping', { base: 'mine' }, { resolve }).options).toMatchObject({
      base: { name: 'sgd', lr: 0.5 },
    });
  });
});
