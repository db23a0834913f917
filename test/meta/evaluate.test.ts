import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromJson, toJson } from '../../checkpoints/json-numbers.ts';
import { createEngine } from '../../jit/engines/create-engine.ts';
import type { Engine } from '../../jit/engines/engine.ts';
import { fold, rootKey } from '../../jit/random/key.ts';
import { createOptimizer } from '../../lopt/registry.ts';
import { evaluate, meanCurve, smoothed, windowFor, type Contestant, type EvaluationTask } from '../../meta/evaluate.ts';
import { evaluationHtml } from '../../meta/report/html.ts';
import { evaluationBatches } from '../../meta/training-curves.ts';
import { LEARNING_RATES, TUNED_LR, tuneLearningRate } from '../../meta/tune.ts';
import type { Task } from '../../tasks/task.ts';
import { quadraticTask } from './quadratic-task.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
});

function bowl(curvature: number, horizon = 20): EvaluationTask {
  return { task: quadraticTask(curvature), name: `bowl ${curvature}`, family: 'quadratic', replaces: null, horizon };
}

function hand(label: string, name: string, options: Record<string, unknown> = {}): Contestant {
  return {
    label,
    kind: 'hand',
    optimizer: createOptimizer(name, { lr: TUNED_LR, ...options }),
    tuned: !('lr' in options),
    seenDataSets: null,
  };
}

describe('tuning', () => {
  const tune = (curvature: number, task = quadraticTask(curvature)) =>
    tuneLearningRate({
      engine,
      task,
      optimizer: createOptimizer('sgd', { lr: TUNED_LR }),
      horizon: 10,
      windowLength: 5,
      seedKeys: [0, 1].map((seed) => fold(rootKey('tuning'), seed)),
      batches: [{ key: rootKey('evaluation') }],
    });

  test('begins with {1, 3} x 10^-5 .. 1', () => {
    expect(LEARNING_RATES).toEqual([1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3]);
  });

  test('finds the rate that ends in one step', async () => {
    const { best, grid, atEdge } = await tune(1);
    expect(atEdge).toBe(false);
    // Rate 1 / curvature lands on the minimum exactly, so both schedules do; the constant one comes first.
    expect(best).toEqual({ lr: 1, schedule: 'constant', loss: 0 });
    expect(grid).toHaveLength(24);
  });

  test.each([
    [0.01, 100],
    [1e6, 1e-6],
  ])('extends the grid for curvature %d', async (curvature, lr) => {
    const { best, grid } = await tune(curvature);
    expect(best.lr).toBe(lr);
    const rates = [...new Set(grid.map((point) => point.lr))];
    expect(Math.min(...rates)).toBeLessThan(lr);
    expect(Math.max(...rates)).toBeGreaterThan(lr);
    expect(new Set(grid.map((point) => `${point.schedule} ${point.lr}`)).size).toBe(grid.length);
  });

  /** The further down the better: there is no best rate. */
  const slope: Task = {
    ...quadraticTask(1),
    loss: ({ params }) => {
      const w = params.get('w');
      if (!w) throw new Error('expected w');
      return { loss: tf.sum(w) };
    },
  };

  test.each([
    ['up', slope, 3e8],
    ['down', quadraticTask(1e30), 1e-13],
  ])('ends %s after four extensions, and says so', async (_, task, lr) => {
    const { best, grid, atEdge } = await tune(1, task);
    expect(best.lr).toBe(lr);
    expect(grid).toHaveLength(2 * (12 + 4 * 4));
    expect(atEdge).toBe(true);
  });

  test('names an optimizer whose rate can’t be given to each particle', async () => {
    const optimizer = createOptimizer('sgd', { lr: 0.1 });
    const promise = tuneLearningRate({
      engine,
      task: quadraticTask(1),
      optimizer,
      horizon: 10,
      windowLength: 5,
      seedKeys: [rootKey(0)],
      batches: [],
    });
    await expect(promise).rejects.toThrow(
      new RangeError(
        'Cannot tune sgd: expected it to be made with the lr {"schedule":"linear","initial":1,"end":1} but its values are lr, weightDecay',
      ),
    );
  });
});

describe('evaluate', () => {
  const contestants = [
    hand('adam', 'adam'),
    hand('adam again', 'adam'),
    hand('sgd wild', 'sgd', { lr: 1e30 }),
    hand('sgd', 'sgd'),
  ];

  test('starts and feeds every optimizer alike, measures divergence, and is deterministic', async () => {
    const options = { engine, suite: 'bowls', tasks: [bowl(1)], contestants, seeds: 3, tuningSeeds: 2 } as const;
    const result = await evaluate(options);
    const row = result.rows[0];
    const [adam, again, wild, sgd] = row?.entries ?? [];
    // Equal optimizers end equal to the bit.
    expect(again?.losses).toEqual(adam?.losses);
    expect(again?.tuned).toEqual(adam?.tuned);
    expect(again?.stepsToReference).toBe(adam?.stepsToReference);
    expect(wild?.diverged).toBe(3);
    expect(wild?.tuned).toBeNull();
    expect(wild?.final).toEqual({ mean: Number.NaN, interval: null, count: 0 });
    expect(wild?.stepsToReference).toBeNull();
    // One step of gradient descent at rate 1 is the minimum.
    expect(sgd?.final.mean).toBe(0);
    expect(sgd?.best.interval).toEqual({ low: 0, high: 0 });
    expect(sgd?.stepsToReference).toBeLessThanOrEqual(adam?.stepsToReference ?? 0);
    expect(result.seeds).toEqual([0, 1, 2]);
    expect(result.tuningSeeds).toEqual([1000, 1001]);
    expect(result.configuration).toMatchObject({ engine: 'onnx', device: 'cpu', threads: 1 });
    // Valid JSON that comes back, and a page that draws, with diverged values in both.
    expect(fromJson(toJson(result))).toEqual(result);
    expect(() => JSON.parse(toJson(result))).not.toThrow();
    expect(evaluationHtml(result)).not.toMatch(/NaN|Infinity/);

    const second = await evaluate(options);
    const untimed = (text: string): string => text.replaceAll(/"ms\w+":[^,}]+/g, '');
    expect(untimed(toJson(second))).toBe(untimed(toJson(result)));
  });

  test('needs the reference', async () => {
    const promise = evaluate({
      engine,
      suite: 's',
      tasks: [],
      contestants: [hand('sgd', 'sgd')],
      seeds: 1,
      tuningSeeds: 1,
    });
    await expect(promise).rejects.toThrow(
      new RangeError('Cannot evaluate: expected adam among the optimizers but got sgd'),
    );
  });

  test('refuses two optimizers of one name', async () => {
    const promise = evaluate({
      engine,
      suite: 's',
      tasks: [],
      contestants: [hand('adam', 'adam'), hand('adam', 'adam')],
      seeds: 1,
      tuningSeeds: 1,
    });
    await expect(promise).rejects.toThrow(
      new RangeError('Cannot evaluate: expected optimizers with different names but got adam twice'),
    );
  });

  test('stops when it is asked to', async () => {
    const controller = new AbortController();
    const promise = evaluate({
      engine,
      suite: 's',
      tasks: [bowl(1)],
      contestants: [hand('adam', 'adam')],
      seeds: 1,
      tuningSeeds: 1,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(promise).rejects.toThrow('enough');
  });

  test('gives a slow optimizer a longer run, told the longer horizon', async () => {
    const { rows } = await evaluate({
      engine,
      suite: 's',
      tasks: [bowl(1)],
      contestants: [hand('adam', 'adam'), hand('slow', 'sgd', { lr: 1e-3 })],
      seeds: 1,
      tuningSeeds: 1,
    });
    expect(rows[0]?.entries[1]?.longer).toEqual({ horizon: 25, stepsToReference: null, diverged: 0 });
    expect(rows[0]?.entries[1]?.final.interval).toBeNull();
  });
});

test('rates are tuned on outerValid, what is reported is measured on test', async () => {
  const size = { train: 10, innerValid: 1, outerValid: 1, test: 1 };
  const first = { train: 0, innerValid: 10, outerValid: 11, test: 12 };
  // The loss is the value of the row, whatever the parameters: 1 on outerValid, 2 on test.
  const values = Float32Array.of(...Array<number>(11).fill(0), 1, 2);
  const task: Task = {
    ...quadraticTask(0),
    loss: ({ params, batch }) => {
      const [w, value] = [params.get('w'), batch.get('value')];
      if (!w || !value) throw new Error('expected w and value');
      return { loss: tf.add(tf.mean(value), tf.mul(0, tf.sum(w))) };
    },
    data: {
      dataSet: 'rows',
      batchSize: 2,
      resident: new Map([['value', { shape: [13], dtype: 'float32', data: values }]]),
      size: (split) => size[split],
      row: (split, index) => first[split] + index,
      batch: ({ resident, rows }) => {
        const value = resident.get('value');
        if (!value) throw new Error('expected value');
        return new Map([['value', tf.gather(value, tf.reshape(rows, [-1]))]]);
      },
    },
  };
  const { rows } = await evaluate({
    engine,
    suite: 's',
    tasks: [{ task, name: 'rows', family: 'module', replaces: null, horizon: 2 }],
    contestants: [hand('adam', 'adam')],
    seeds: 1,
    tuningSeeds: 1,
  });
  const [adam] = rows[0]?.entries ?? [];
  expect(new Set(adam?.grid.map(({ loss }) => loss))).toEqual(new Set([1]));
  expect(adam?.losses).toEqual([[2, 2]]);
  size.outerValid = 0;
  expect(() => evaluationBatches(task, { key: rootKey(0), count: 1, split: 'outerValid' })).toThrow(
    new RangeError(
      "Cannot measure bowl: expected at least one example in its split outerValid but data.size('outerValid') is 0",
    ),
  );
});

test('curves are smoothed from their first value', () => {
  expect(smoothed([1, 0, 0], 0.9)).toEqual([1, 0.9, 0.81]);
  expect(smoothed([], 0.9)).toEqual([]);
});

test('mean curves leave out seeds that diverged', () => {
  expect(
    meanCurve([
      [1, 2],
      [3, 4],
      [5, Number.NaN],
    ]),
  ).toEqual([2, 3]);
  expect(meanCurve([[Number.NaN]])).toEqual([]);
});

test('windows divide the horizon', () => {
  expect([500, 2000, 1000, 20, 997, 1].map((horizon) => windowFor(horizon, 100))).toEqual([5, 20, 10, 1, 1, 1]);
  expect(windowFor(20, 4)).toBe(5);
});
