import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { valueAndGradient } from '../../../jit/trace/gradient.ts';
import { trace } from '../../../jit/trace/trace.ts';

// Where programs run on another engine no TensorFlow.js backend needs to be there: none is imported here.

const rule = ({ x }: { x: tf.Tensor }): { y: tf.Tensor } => ({
  y: tf.sum(valueAndGradient((p) => tf.sum(tf.exp(p.get('x') as tf.Tensor)), new Map([['x', x]])).value),
});
const types = { x: { shape: [3], dtype: 'float32' } } as const;

test('traces where no backend is, and leaves none behind', () => {
  const before = tf.getBackend();
  expect(tf.engine().backendNames()).toEqual([]);
  const graph = trace(rule, types);
  expect(graph.nodes.length).toBeGreaterThan(1);
  expect(tf.getBackend()).toBe(before);
  expect(tf.engine().backendNames()).toEqual([]);
});

test('traces while a backend loads, which then becomes the active one', async () => {
  class Slow extends tf.KernelBackend {
    override dispose(): void {}
  }
  const finish: (() => void)[] = [];
  tf.registerBackend('slow', () => new Promise((resolve) => finish.push(() => resolve(new Slow()))));
  const loaded = tf.setBackend('slow');
  const graph = trace(rule, types);
  expect(graph.nodes.length).toBeGreaterThan(1);
  for (const each of finish) each();
  expect(await loaded).toBe(true);
  expect(tf.getBackend()).toBe('slow');
  tf.removeBackend('slow');
});
