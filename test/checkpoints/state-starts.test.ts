import { expect, test } from 'vitest';
import * as tf from '@tensorflow/tfjs';
import { stateStarts } from '../../checkpoints/state-starts.ts';
import { GraphBuilder } from '../../jit/graph/builder.ts';
import { traceInit } from '../../lopt/adapters/programs.ts';
import type { Optimizer, Tensors } from '../../lopt/optimizer.ts';
import { createLearned, createOptimizer, OPTIMIZERS } from '../../lopt/registry.ts';
import { rootKey } from '../../jit/random/key.ts';

const specs = new Map([
  ['w', { path: 'w', shape: [3, 2], dtype: 'float32' as const }],
  ['b', { path: 'b', shape: [3], dtype: 'float32' as const }],
  ['v', { path: 'v', shape: [3, 2], dtype: 'float32' as const }],
]);

function starting(init: (params: Tensors) => Tensors): ReadonlyMap<string, unknown> {
  const optimizer: Optimizer = {
    ...createOptimizer('sgd'),
    init: ({ params }) => init(params),
  };
  return stateStarts(traceInit(optimizer, specs));
}

const of = (tensors: Tensors, path: string): tf.Tensor => {
  const tensor = tensors.get(path);
  if (tensor === undefined) throw new Error(`expected ${path}`);
  return tensor;
};

test('constants, copies and the rest', () => {
  const starts = starting(
    (params) =>
      new Map<string, tf.Tensor>([
        ['zeros/w', tf.zerosLike(of(params, 'w'))],
        ['ones/b', tf.mul(tf.onesLike(of(params, 'b')), 1)],
        ['copy/w', tf.clone(of(params, 'w'))],
        ['copy/v', tf.reshape(of(params, 'v'), [3, 2])],
        ['turned/w', tf.transpose(of(params, 'w'))],
        ['square/b', tf.square(of(params, 'b'))],
        ['flat/w', tf.reshape(of(params, 'w'), [6])],
      ]),
  );
  expect(Object.fromEntries(starts)).toEqual({
    'state/zeros/w': { constant: 0 },
    'state/ones/b': 'init',
    'state/copy/w': { copy: 'params/w' },
    'state/copy/v': { copy: 'params/v' },
    'state/turned/w': 'init',
    'state/square/b': 'init',
    'state/flat/w': 'init',
  });
});

test('equal constants side by side are one constant, different ones are not', () => {
  const b = new GraphBuilder('init');
  const [zero, one] = [b.splat(0, [2]), b.splat(1, [2])];
  const outputs = [
    ['same', b.one('concat', { axis: 0 }, [zero, zero])],
    ['mixed', b.one('concat', { axis: 0 }, [zero, one])],
    ['part', b.one('slice', { begin: [0], size: [1], strides: [1] }, [one])],
    ['signed', b.one('concat', { axis: 0 }, [zero, b.splat(-0, [2])])],
  ] as const;
  const starts = stateStarts(b.finish(outputs.map(([name, value]) => ({ name, value }))));
  expect(Object.fromEntries(starts)).toEqual({
    same: { constant: 0 },
    mixed: 'init',
    part: { constant: 1 },
    signed: 'init',
  });
});

test.each(OPTIMIZERS.map(({ name, family }) => [name, family]))('every state of %s starts at zero', (name, family) => {
  const learned = family === 'learned' ? createLearned(name) : undefined;
  const optimizer = learned?.optimizer(learned.initTheta(rootKey(1))) ?? createOptimizer(name);
  for (const [state, start] of stateStarts(traceInit(optimizer, specs)))
    expect([state, start]).toEqual([state, { constant: 0 }]);
});
