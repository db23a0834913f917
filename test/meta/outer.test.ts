import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../jit/engines/create-engine.ts';
import type { Engine } from '../../jit/engines/engine.ts';
import { rootKey } from '../../jit/random/key.ts';
import type { Arrays } from '../../lopt/optimizer.ts';
import { createOptimizer } from '../../lopt/registry.ts';
import type { Estimator } from '../../meta/estimators/estimator.ts';
import type { PairState } from '../../meta/estimators/pair-groups.ts';
import { createTruncatedPes } from '../../meta/estimators/truncated-pes.ts';
import { initMetaState, metaStep } from '../../meta/meta-step.ts';
import { createOuterOptimizer } from '../../meta/outer.ts';
import { QUADRATIC, createToyUnroll, toyTheta } from './toy-unroll.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { device: 'cpu', threads: 1 });
});
afterAll(() => engine.dispose());

const gradientOf = (...values: number[]): Arrays => toyTheta(...values);

describe('the outer optimizer', () => {
  it('is AdamW on theta', async () => {
    const theta = toyTheta(1, -2);
    const outer = await createOuterOptimizer({
      engine,
      optimizer: createOptimizer('adamw', { lr: 0.1, weightDecay: 0.5 }),
      theta,
      trainable: new Set(['theta']),
      horizon: 10,
    });
    let [now, state] = [theta, await outer.init(theta)];
    for (const step of [0, 1]) {
      const next = await outer.update({ theta: now, gradient: gradientOf(3, 4), state, step, loss: 1 });
      [now, state] = [next.theta, next.state];
    }
    // With a constant gradient Adam's step is lr times its sign; decay comes first: p (1 - lr decay) - lr.
    const after = [1, -2].map((p) => (p * 0.95 - 0.1) * 0.95 - 0.1);
    [...(now.get('theta')?.data ?? [])].forEach((value, i) => expect(value).toBeCloseTo(after[i] ?? NaN, 6));
    outer.dispose();
  });

  it('neither moves nor decays frozen leaves', async () => {
    const theta: Arrays = new Map([
      ...toyTheta(1, -2),
      ['frozen', { shape: [3], dtype: 'float32', data: Float32Array.of(0.1, 0.2, 0.3) }],
    ]);
    const outer = await createOuterOptimizer({
      engine,
      optimizer: createOptimizer('adamw', { lr: 0.1, weightDecay: 0.5 }),
      theta,
      trainable: new Set(['theta']),
      horizon: 1000,
    });
    let [now, state] = [theta, await outer.init(theta)];
    for (let step = 0; step < 1000; step += 1) {
      const next = await outer.update({ theta: now, gradient: gradientOf(1, 1), state, step, loss: 1 });
      [now, state] = [next.theta, next.state];
    }
    expect(now.get('frozen')?.data).toEqual(Float32Array.of(0.1, 0.2, 0.3));
    expect(now.get('theta')?.data[0]).not.toBe(1);
    outer.dispose();
  });
});

describe('metaStep', () => {
  const schedule = { min: 6, max: 6, stagger: 0 };
  const estimator = (pairs: number): Estimator<PairState> =>
    createTruncatedPes({
      unroll: createToyUnroll(QUADRATIC, { particles: 4, windowLength: 3, freshRows: 4 }),
      values: new Map([['theta', { shape: [1], dtype: 'float32', data: new Float32Array(1) }]]),
      pairs,
      sigma: 0.1,
      schedule,
    });

  it('lets the outer optimizer see the mean of the tasks, clipped', async () => {
    const theta = toyTheta(0.5);
    const outer = await createOuterOptimizer({
      engine,
      optimizer: createOptimizer('sgd', { lr: 1 }),
      theta,
      trainable: new Set(['theta']),
      horizon: 10,
    });
    const key = rootKey(5);
    const threshold = 0.01;
    const both = new Map([
      ['a', estimator(2)],
      ['b', estimator(2)],
    ]);
    const step = async (names: readonly string[], clip: { kind: 'globalNorm'; threshold: number } | null) => {
      const estimators = new Map(names.map((name) => [name, both.get(name) ?? estimator(2)]));
      const learner = { key, estimators, outer, clip };
      const start = await initMetaState(learner, theta);
      return metaStep(learner, start);
    };
    const [a, b, ab] = [await step(['a'], null), await step(['b'], null), await step(['a', 'b'], null)];
    const moved = ({ state }: typeof a): number => 0.5 - (state.theta.get('theta')?.data[0] ?? NaN);
    // float32 theta.
    expect(moved(ab)).toBeCloseTo((moved(a) + moved(b)) / 2, 6);
    expect(ab.result.metaLoss).toBeCloseTo((a.result.metaLoss + b.result.metaLoss) / 2, 12);
    expect(ab.result.tasks['a']).toEqual(a.result.tasks['a']);
    const clipped = await step(['a', 'b'], { kind: 'globalNorm', threshold });
    expect(Math.abs(moved(clipped))).toBeCloseTo(threshold, 6);
    expect(clipped.result).toMatchObject({ clipFraction: 1, gradientNorm: ab.result.gradientNorm });
    outer.dispose();
  });

  it('trains theta towards what the toy wants', async () => {
    // The loss is smallest where nothing drives the state: theta 0.
    let theta = toyTheta(0.5);
    const outer = await createOuterOptimizer({
      engine,
      optimizer: createOptimizer('sgd', { lr: 0.02 }),
      theta,
      trainable: new Set(['theta']),
      horizon: 200,
    });
    const learner = { key: rootKey(6), estimators: new Map([['toy', estimator(8)]]), outer, clip: null };
    let state = await initMetaState(learner, theta);
    for (let step = 0; step < 200; step += 1) ({ state } = await metaStep(learner, state));
    ({ theta } = state);
    expect(state.step).toBe(200);
    expect(Math.abs(theta.get('theta')?.data[0] ?? NaN)).toBeLessThan(0.05);
    outer.dispose();
  });
});
