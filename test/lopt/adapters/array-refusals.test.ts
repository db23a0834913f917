import { describe, expect, test } from 'vitest';
import { startRun } from '../../../lopt/adapters/arrays.ts';
import type { RunState } from '../../../lopt/adapters/run-state.ts';
import { createOptimizer } from '../../../lopt/registry.ts';

const adam = createOptimizer('adam');
const w = Float32Array.of(1, 2);
const good = { params: { w }, shapes: { w: [2] } };
/** Starts with something that TypeScript wouldn't let through. */
const start = (changes: object) => () => startRun(adam, { ...good, ...changes });

describe('start refuses', () => {
  test.each<[what: string, changes: object, error: new (message: string) => Error, message: string]>([
    // Pitfall R50: other kinds of arrays.
    [
      'Float64Array',
      { params: { w: Float64Array.of(1, 2) } },
      TypeError,
      'expected params/w to be a Float32Array of length 2 but got a Float64Array of length 2; convert it with Float32Array.from(...)',
    ],
    [
      'Uint16Array',
      { params: { w: Uint16Array.of(1, 2) } },
      TypeError,
      'expected params/w to be a Float32Array of length 2 but got a Uint16Array of length 2; convert it with Float32Array.from(...)',
    ],
    [
      'a list',
      { params: { w: [1, 2] } },
      TypeError,
      'expected params/w to be a Float32Array of length 2 but got an array of length 2; convert it with Float32Array.from(...)',
    ],
    [
      'a number',
      { params: { w: 1 } },
      TypeError,
      'expected params/w to be a Float32Array of length 2 but got 1; convert it with Float32Array.from(...)',
    ],
    [
      'a missing parameter',
      { params: {} },
      RangeError,
      'expected params/w to be a Float32Array of length 2 but it is missing',
    ],
    ['an unexpected parameter', { params: { w, v: w } }, RangeError, 'expected params of w but got one named v'],
    [
      'another length',
      { params: { w: Float32Array.of(1) } },
      RangeError,
      'expected params/w to be a Float32Array of length 2, the size of shape [2], but got one of length 1',
    ],
    [
      'params that are a list',
      { params: [w] },
      TypeError,
      'expected params to be Float32Arrays by path but got [{"0":1,"1":2}]',
    ],
    [
      'no shapes',
      { shapes: undefined },
      TypeError,
      'expected shapes by path, such as {"w": [3, 2]}, but got undefined',
    ],
    [
      'a shape that is a number',
      { shapes: { w: 2 } },
      TypeError,
      'expected w to be a shape such as [3, 2], or a spec with one, but got 2',
    ],
    [
      'an extent that is none',
      { shapes: { w: [2.5] } },
      RangeError,
      'expected the shape of w to be a list of whole numbers but got [2.5]',
    ],
    [
      'an unknown fact',
      { shapes: { w: { shape: [2], kind: 'bias' } } },
      RangeError,
      'expected the spec of w to have path, shape, dtype, role, fanIn, fanOut, baseFanIn, lrMult but got kind',
    ],
    [
      'another path',
      { shapes: { w: { shape: [2], path: 'v' } } },
      RangeError,
      'expected the path in the spec of w to be its key but got "v"',
    ],
    [
      'another dtype',
      { shapes: { w: { shape: [2], dtype: 'float16' } } },
      TypeError,
      'expected the dtype of w to be float32 but got "float16"',
    ],
    [
      'a multiplier of zero',
      { shapes: { w: { shape: [2], lrMult: 0 } } },
      RangeError,
      'expected lrMult of w to be a positive number but got 0',
    ],
    [
      'an empty path',
      { params: { '': w }, shapes: { '': [2] } },
      RangeError,
      'expected every parameter to have a path but got an empty one',
    ],
    [
      'an unknown role',
      { roles: { w: 'weight' } },
      RangeError,
      'expected the role of w to be one of input, hidden, output, bias, norm, embedding but got "weight"',
    ],
    [
      'a role of no parameter',
      { roles: { v: 'bias' } },
      RangeError,
      'expected roles of the parameters w but got one of v',
    ],
    [
      'a horizon of zero',
      { horizon: 0 },
      RangeError,
      'expected horizon, the number of steps of the whole training, to be a positive number but got 0',
    ],
    [
      'an endless horizon',
      { horizon: Infinity },
      RangeError,
      'expected horizon, the number of steps of the whole training, to be a positive number but got Infinity',
    ],
  ])('%s', (_, changes, error, message) => {
    expect(start(changes)).toThrow(new error(`Cannot start adam: ${message}`));
  });

  test('a horizon that is needed and missing', () => {
    const falling = createOptimizer('sgd', { lr: { schedule: 'linear', initial: 1, end: 0 } });
    expect(() => startRun(falling, good)).toThrow(
      new RangeError(
        'Cannot start sgd: expected horizon, the number of steps of the whole training, which sgd uses, but got none',
      ),
    );
  });

  test('an optimizer that evaluates the loss itself, or draws numbers without a source', () => {
    expect(() => startRun({ ...adam, needs: ['gradientAt'] }, good)).toThrow(
      new TypeError('Cannot start adam: adam needs gradientAt, which only a traced task can give'),
    );
    expect(() =>
      startRun({ ...adam, needs: [{ name: 'x', noise: { kind: 'normal', shape: [] }, for: 'init' }] }, good),
    ).toThrow(new TypeError('Cannot run adam: it draws random numbers, so expected option noise but got none'));
  });
});

const tensor = (changes: object = {}) => ({ dtype: 'float32', shape: [2], data: [0, 0], ...changes });
const state = (changes: object) => ({
  optimizer: 'adam',
  step: 3,
  horizon: null,
  seed: 0,
  tensors: { 'm/w': tensor(), 'v/w': tensor() },
  ...changes,
});

describe('a state refuses', () => {
  test.each<[what: string, state: unknown, error: new (message: string) => Error, message: string]>([
    [
      'bytes',
      new Uint8Array(3),
      TypeError,
      'expected state to be an object such as run.state gives but got {"0":0,"1":0,"2":0}',
    ],
    [
      'that of another optimizer',
      state({ optimizer: 'sgd' }),
      RangeError,
      'expected a state of adam but got one of "sgd"',
    ],
    [
      'a broken step',
      state({ step: 1.5 }),
      RangeError,
      'expected step to be a whole number from 0 to 2147483647 but got 1.5',
    ],
    [
      'a horizon that is none',
      state({ horizon: -1 }),
      RangeError,
      'expected state.horizon to be a positive number or null but got -1',
    ],
    [
      'no seed',
      state({ seed: undefined }),
      TypeError,
      'expected state.seed to be a number or a text but got undefined',
    ],
    [
      'no tensors after step 0',
      state({ tensors: null }),
      TypeError,
      'expected state.tensors to be an object of tensors by name but got null',
    ],
    [
      'missing tensors',
      state({ tensors: { 'm/w': tensor() } }),
      RangeError,
      'expected state.tensors to have m/w, v/w but v/w is missing',
    ],
    [
      'unexpected tensors',
      state({ tensors: { 'm/w': tensor(), 'v/w': tensor(), 'u/w': tensor() } }),
      RangeError,
      'expected state.tensors to have m/w, v/w but got u/w',
    ],
    [
      'another shape',
      state({ tensors: { 'm/w': tensor({ shape: [3] }), 'v/w': tensor() } }),
      RangeError,
      'expected state.tensors m/w to be float32[2] but got "float32" of shape [3]',
    ],
    [
      'fewer elements',
      state({ tensors: { 'm/w': tensor({ data: [1] }), 'v/w': tensor() } }),
      RangeError,
      'expected state.tensors m/w to be a list of 2 numbers but got 1',
    ],
    [
      'null where JSON lost a NaN',
      state({ tensors: { 'm/w': tensor({ data: [null, 1] }), 'v/w': tensor() } }),
      TypeError,
      'expected state.tensors m/w to be numbers but element 0 is null',
    ],
  ])('%s', (_, given, error, message) => {
    expect(start({ state: given })).toThrow(new error(`Cannot start adam: ${message}`));
  });

  test('another horizon than its own', () => {
    expect(start({ state: state({ horizon: 100 }), horizon: 200 })).toThrow(
      new RangeError(
        'Cannot start adam: expected horizon to be 100, as in the state, but got 200. Leave it out, or change it in the state',
      ),
    );
  });

  test('nothing of what JSON keeps only as text', async () => {
    const data = ['NaN', '-0'] as const;
    const given = state({
      horizon: 100,
      tensors: { 'm/w': tensor({ data }), 'v/w': tensor({ data: ['Infinity', '-Infinity'] }) },
    });
    const run = startRun(adam, { ...good, state: given as RunState });
    expect(run.state).toEqual(given);
    expect(JSON.parse(JSON.stringify(run.state))).toEqual(given);
    await run.dispose();
  });
});

test('an update names the gradient that is wrong, and changes nothing', async () => {
  const run = startRun(adam, good);
  const update = (grads: unknown) => run.update({ grads: grads as Record<string, Float32Array> });
  await expect(update({ w: Float64Array.of(1, 2) })).rejects.toThrow(
    'Cannot update adam: expected grads/w to be a Float32Array of length 2 but got a Float64Array of length 2; convert it with Float32Array.from(...)',
  );
  await expect(update({ v: w })).rejects.toThrow('Cannot update adam: expected grads of w but got one named v');
  await expect(update(undefined)).rejects.toThrow(
    'Cannot update adam: expected grads to be Float32Arrays by path but got undefined',
  );
  expect(run.step).toBe(0);
  expect([...(run.params['w'] ?? [])]).toEqual([1, 2]);
  await update({ w });
  expect(run.step).toBe(1);
  await run.dispose();
});
