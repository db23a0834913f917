import { describe, expect, it } from 'vitest';
import { rootKey } from '../../../jit/random/key.ts';
import type { Tensors } from '../../../lopt/optimizer.ts';
import { ACTIVATIONS } from '../../../tasks/families/activations.ts';
import { createTask } from '../../../tasks/registry.ts';
import { countingDataSet, start } from '../eager.ts';
import { plainDense } from './plain-dense.ts';

const dataSets = new Map([['counting', countingDataSet()]]);
const key = rootKey('image families');
// TensorFlow.js sums in float32, the plain loops in double precision.
const TOLERANCE = 2e-6;

function rowsOf(batch: Tensors): readonly (readonly number[])[] {
  const images = batch.get('images')!;
  const pixels = images.size / images.shape[0];
  const values = [...images.dataSync()];
  return Array.from({ length: images.shape[0] }, (_, row) => values.slice(row * pixels, (row + 1) * pixels));
}

function crossEntropy(
  logits: readonly (readonly number[])[],
  labels: readonly number[],
): { loss: number; accuracy: number } {
  const losses = logits.map((row, i) => Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[labels[i]!]!);
  const right = logits.filter((row, i) => row.indexOf(Math.max(...row)) === labels[i]);
  return { loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length, accuracy: right.length / logits.length };
}

describe.each(ACTIVATIONS)('image-mlp with %s', (activation) => {
  it.each(['none', 'layer'] as const)('is its formula in plain loops, norm %s', (norm) => {
    const task = createTask(
      'image-mlp',
      { data: 'counting', image: [4, 4, 1], hidden: [6, 5], activation, norm, batchSize: 9 },
      { dataSets },
    );
    const { params, batch, measure } = start(task, key);
    const plain = crossEntropy(plainDense(params, rowsOf(batch(0)), { activation, norm }), [
      ...batch(0).get('labels')!.dataSync(),
    ]);
    const { loss, accuracy } = measure(params, 0);
    expect(Math.abs(loss! / plain.loss - 1)).toBeLessThan(TOLERANCE);
    expect(accuracy).toBeCloseTo(plain.accuracy, 6);
  });
});

describe('softmax-regression', () => {
  const task = createTask('softmax-regression', { data: 'counting', image: [4, 4, 1], batchSize: 9 }, { dataSets });

  it('is its formula in plain loops', () => {
    const { params, batch, measure } = start(task, key);
    const plain = crossEntropy(plainDense(params, rowsOf(batch(0)), { activation: 'relu', norm: 'none' }), [
      ...batch(0).get('labels')!.dataSync(),
    ]);
    expect(Math.abs(measure(params, 0)['loss']! / plain.loss - 1)).toBeLessThan(TOLERANCE);
  });

  it('stays finite where a softmax would overflow', () => {
    const { params, measure } = start(task, key);
    const huge = new Map([...params].map(([path, tensor]) => [path, tensor.mul(1e4)]));
    const loss = measure(huge, 0)['loss']!;
    expect(Number.isFinite(loss)).toBe(true);
    expect(loss).toBeGreaterThan(100);
  });
});

describe('image-autoencoder', () => {
  it('is its formula in plain loops', () => {
    const task = createTask(
      'image-autoencoder',
      { data: 'counting', image: [4, 4, 1], hidden: [5, 2, 5], activation: 'tanh', batchSize: 9 },
      { dataSets },
    );
    const { params, batch, measure } = start(task, key);
    const rows = rowsOf(batch(0));
    const restored = plainDense(params, rows, { activation: 'tanh', norm: 'none' });
    let sum = 0;
    rows.forEach((row, i) =>
      row.forEach((pixel, j) => {
        sum += (1 / (1 + Math.exp(-restored[i]![j]!)) - pixel) ** 2;
      }),
    );
    expect(Math.abs(measure(params, 0)['loss']! / (sum / (rows.length * 16)) - 1)).toBeLessThan(TOLERANCE);
  });
});

describe('image-mlp', () => {
  it('has the parameters of the published 8x8 task', () => {
    const task = createTask('image-mlp', { data: 'glyphs-plain' });
    const count = [...task.specs.values()].reduce((sum, { shape }) => sum + shape.reduce((n, e) => n * e, 1), 0);
    expect(count).toBe(2410);
  });

  it('says what each parameter is for', () => {
    const { specs } = createTask(
      'image-mlp',
      { data: 'counting', image: [4, 4, 1], hidden: [6, 5], norm: 'layer' },
      { dataSets },
    );
    expect(
      [...specs.values()].map(({ path, shape, role, fanIn, fanOut }) => [path, shape, role, fanIn, fanOut]),
    ).toEqual([
      ['layer0/kernel', [16, 6], 'input', 16, 6],
      ['layer0/bias', [6], 'bias', 1, 6],
      ['norm0/scale', [6], 'norm', 1, 6],
      ['norm0/offset', [6], 'norm', 1, 6],
      ['layer1/kernel', [6, 5], 'hidden', 6, 5],
      ['layer1/bias', [5], 'bias', 1, 5],
      ['norm1/scale', [5], 'norm', 1, 5],
      ['norm1/offset', [5], 'norm', 1, 5],
      ['layer2/kernel', [5, 3], 'output', 5, 3],
      ['layer2/bias', [3], 'bias', 1, 3],
    ]);
  });

  it('starts kernels as truncated normals of scale 1 / sqrt(fan-in), biases at 0, norms at 1 and 0', () => {
    const task = createTask(
      'image-mlp',
      { data: 'counting', image: [16, 16, 1], hidden: [200], norm: 'layer' },
      { dataSets },
    );
    const { params } = start(task, key);
    const kernel = [...params.get('layer0/kernel')!.dataSync()];
    const deviation = Math.sqrt(kernel.reduce((sum, w) => sum + w * w, 0) / kernel.length);
    // 51,200 draws: the standard deviation is within 1 %.
    expect(Math.abs((deviation * Math.sqrt(256)) / 0.8796 - 1)).toBeLessThan(0.01);
    expect(Math.max(...kernel.map(Math.abs))).toBeLessThanOrEqual(Math.fround(2 / Math.sqrt(256)));
    expect([...params.get('layer0/bias')!.dataSync()].every((value) => value === 0)).toBe(true);
    expect([...params.get('norm0/scale')!.dataSync()].every((value) => value === 1)).toBe(true);
    expect([...params.get('norm0/offset')!.dataSync()].every((value) => value === 0)).toBe(true);
  });

  it('normalises by 1.5 ln(classes)', () => {
    const task = createTask('image-mlp', { data: 'glyphs-plain' });
    const { params } = start(task, key);
    const worst = task.normalize(params.get('layer1/bias')!.sum().add(100)).dataSync()[0];
    expect(worst).toBe(Math.fround(1.5 * Math.log(10)));
  });

  it('gives batches of images and their labels', () => {
    const task = createTask('image-mlp', { data: 'counting', image: [4, 4, 1], batchSize: 5 }, { dataSets });
    const batch = start(task, key).batch(0);
    expect(batch.get('images')!.shape).toEqual([5, 4, 4, 1]);
    rowsOf(batch).forEach((row, i) => {
      // Image n of the counting data set begins with (16 n 37) mod 256, its label is n mod 3.
      const first = Math.round(row[0]! * 255);
      const rows = Array.from({ length: 100 }, (_, n) => n).filter((n) => (16 * n * 37) % 256 === first);
      expect(rows.map((n) => n % 3)).toContain(batch.get('labels')!.dataSync()[i]);
    });
  });
});
