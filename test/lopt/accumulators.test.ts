import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import {
  accumulatorClass,
  atLeastVector,
  initAccumulators,
  updateAccumulators,
  type AccumulatorTensors,
} from '../../lopt/features/accumulators.ts';
import type { HostArray } from '../../jit/graph/graph.ts';
import { readGolden, readTrajectory } from './golden-files.ts';

/** The golden's own bound is one for parameters; these are states, checked to float32 rounding over 8 steps. */
const RELATIVE = 2e-5;

const COUNTS = { momentum: 3, secondMoment: 1, factored: 3 };

test('axes: the two largest, the later one larger where equal', () => {
  const axes = (shape: number[]): unknown => accumulatorClass({ shape }).factored;
  expect(axes([])).toBeUndefined();
  expect(axes([7])).toBeUndefined();
  expect(axes([5, 7])).toEqual({ largest: 1, second: 0 });
  expect(axes([7, 5])).toEqual({ largest: 0, second: 1 });
  expect(axes([6, 6])).toEqual({ largest: 1, second: 0 });
  expect(axes([1, 1])).toEqual({ largest: 1, second: 0 });
  expect(axes([4, 1, 5])).toEqual({ largest: 2, second: 0 });
  expect(axes([3, 3, 8, 8])).toEqual({ largest: 3, second: 2 });
  expect(axes([64, 64, 3, 3])).toEqual({ largest: 1, second: 0 });
});

describe('state after the gradients of adafac_mlp_h4', () => {
  type Block = Record<string, { shape: number[]; data: number[] }>;
  const { state } = readGolden('blocks/accumulators') as { state: Record<string, Block> };
  const { params, grads } = readTrajectory('adafac_mlp_h4');

  test.each([...params.keys()])('%s', (path) => {
    tf.tidy(() => {
      const shape = params.get(path)?.shape ?? [];
      const { factored: axes } = accumulatorClass({ shape });
      const tensor = (array: HostArray | undefined): tf.Tensor =>
        atLeastVector(tf.tensor(array?.data ?? [], [...(array?.shape ?? [])]));
      const p = tensor(params.get(path));
      let now = initAccumulators(p, { axes, counts: COUNTS }) as AccumulatorTensors;
      let last: tf.Tensor = p;
      const decays = {
        momentum: tf.tensor1d([0.9, 0.99, 0.999]),
        secondMoment: tf.tensor1d([0.999]),
        factored: tf.tensor1d([0.9, 0.99, 0.999]),
      };
      for (const gradient of grads) {
        const g = tensor(gradient.get(path));
        const updated = updateAccumulators(now, g, { decays, axes });
        now = updated.state;
        const { factors, rows } = updated.factored;
        last =
          factors === undefined
            ? tf.mul(g, tf.rsqrt(tf.maximum(tf.add(rows, 1e-9), 1e-9)))
            : tf.mul(tf.mul(g, factors[0]), factors[1]);
      }
      const { m, rms, fac_g_last: factored, v_row: row, v_col: column, v_diag: diagonal } = state[path] ?? {};
      expectSame(now.momentum, m);
      expectSame(now.secondMoment, rms);
      expectSame(now.row, row);
      expectSame(now.column, column);
      expectSame(now.diagonal, diagonal);
      expectSame(last, factored);
    });
  });
});

/** Compares ours [decay, ...] with theirs [..., decay]. */
function expectSame(ours: tf.Tensor | undefined, theirs: { shape: number[]; data: number[] } | undefined): void {
  if (theirs === undefined) return expect(ours).toBeUndefined();
  if (ours === undefined) throw new Error('expected a state');
  const axes = ours.shape.map((_, axis) => axis);
  const moved = tf.transpose(ours, [...axes.slice(1), 0]);
  expect(moved.shape).toEqual(theirs.shape);
  const got = moved.dataSync();
  const scale = Math.max(...theirs.data.map(Math.abs));
  theirs.data.forEach((x, index) => {
    expect(Math.abs((got[index] ?? NaN) - x)).toBeLessThanOrEqual(RELATIVE * Math.abs(x) + 1e-7 * scale);
  });
}
