import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { replay } from '../../../jit/engines/eager/replay.ts';
import { type ValueType, sameType } from '../../../jit/graph/graph.ts';
import { fold, rootKey } from '../../../jit/random/key.ts';
import { valueAndGradient } from '../../../jit/trace/gradient.ts';
import { type Group, flatten } from '../../../jit/trace/structure.ts';
import { trace } from '../../../jit/trace/trace.ts';
import type { NoiseSpec } from '../../../lopt/optimizer.ts';
import { drawNoises } from '../../../tasks/noise.ts';
import { TASK_FAMILIES, createTask } from '../../../tasks/registry.ts';
import type { Task } from '../../../tasks/task.ts';
import { countingDataSet, scalar, start, upload } from '../eager.ts';

const dataSets = new Map([
  ['digits', countingDataSet()],
  ['counting', countingDataSet()],
]);
const key = rootKey('families');

/** Every family at its defaults, and at options that take other paths. */
const CASES: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ...[...TASK_FAMILIES.keys()].map((name) => [name, {}] as const),
  ['quadratic', { dim: 6, condition: 100, rotated: true, noise: 0.1 }],
  ['image-mlp', { hidden: [7, 5], activation: 'gelu', norm: 'layer', batchSize: 10, image: [5, 3, 3] }],
  ['image-mlp', { hidden: [], batchSize: 10 }],
  ['image-autoencoder', { hidden: [3], activation: 'softplus', norm: 'layer', batchSize: 10 }],
];

function noiseTypes(noise: Group<NoiseSpec> | undefined): Map<string, ValueType> {
  return new Map(
    [...(noise ?? [])].map(([name, { shape }]) => {
      if (shape === 'params') throw new RangeError(`Cannot trace ${name}: tasks give shapes`);
      return [name, { shape, dtype: 'float32' } as const];
    }),
  );
}

function typesOf(tensors: Group<Tensor>): Map<string, ValueType> {
  return new Map([...tensors].map(([name, { shape, dtype }]) => [name, { shape, dtype: dtype as ValueType['dtype'] }]));
}

describe.each(CASES)('%s %j', (name, options) => {
  const task: Task = createTask(name, { ...(name === 'quadratic' ? {} : { batchSize: 8 }), ...options }, { dataSets });

  it('starts with the parameters of its specs, the same for the same key', () => {
    const { params, dynamic } = start(task, key);
    expect([...params.keys()]).toEqual([...task.specs.keys()]);
    for (const [path, spec] of task.specs) {
      expect(spec.path).toBe(path);
      expect(params.get(path)?.shape).toEqual(spec.shape);
      expect(params.get(path)?.dtype).toBe('float32');
    }
    expect([...dynamic.keys()]).toEqual([...task.dynamic.keys()]);
    const again = task.sampleDynamic(fold(key, 'dynamic'));
    for (const [path, type] of task.dynamic) {
      const array = again.get(path);
      expect(array !== undefined && sameType(array, type)).toBe(true);
      expect([...(array?.data ?? [])]).toEqual([...dynamic.get(path)!.dataSync()]);
    }
    for (const [path, tensor] of start(task, key).params)
      expect(tensor.dataSync()).toEqual(params.get(path)?.dataSync());
  });

  it('learns', () => {
    const { params, batch, dynamic } = start(task, key);
    const noise = upload(drawNoises(task.noise.loss, key));
    const fixed = batch(0);
    const lossAt = (values: readonly Tensor[]): tf.Scalar =>
      task.loss({
        params: new Map([...params.keys()].map((path, i) => [path, values[i]!])),
        batch: fixed,
        dynamic,
        noise,
      }).loss as tf.Scalar;
    const gradients = tf.grads((...values: Tensor[]) => lossAt(values))([...params.values()]);
    const squared = gradients.reduce((sum, g) => sum + scalar(tf.sum(tf.square(g))), 0);
    // A step against the gradient lowers the loss by the step times the squared norm, to first order.
    const before = scalar(lossAt([...params.values()]));
    const step = (2e-4 * before) / squared;
    const moved = [...params.values()].map((value, i) => tf.sub(value, tf.mul(gradients[i]!, step)));
    const fallen = before - scalar(lossAt(moved));
    // A fall of 0.02 %: float32 losses leave three digits of it, and the second-order term is small.
    expect(fallen / (step * squared)).toBeGreaterThan(0.9);
    expect(fallen / (step * squared)).toBeLessThan(1.1);
  });

  it('traces to a graph that computes the same', () => {
    const { params, batch, dynamic } = start(task, key);
    const noise = upload(drawNoises(task.noise.loss, key));
    const types = {
      params: typesOf(params),
      batch: typesOf(batch(0)),
      dynamic: new Map(task.dynamic),
      noise: noiseTypes(task.noise.loss),
    };
    const graph = trace(
      (input) => {
        const { value, grads } = valueAndGradient((params) => task.loss({ ...input, params }).loss, input.params);
        return { loss: value, normalized: task.normalize(value), gradient: grads };
      },
      types,
      { name: 'loss' },
    );
    const out = replay(graph, flatten<Tensor>({ params, batch: batch(0), dynamic, noise }));
    const eager = task.loss({ params, batch: batch(0), dynamic, noise }).loss;
    // Sums in another order: a few units in the last place.
    expect(Math.abs(scalar(out.get('loss')) / scalar(eager) - 1)).toBeLessThan(2e-6);
    expect(Math.abs(scalar(out.get('normalized')) / scalar(task.normalize(eager)) - 1)).toBeLessThan(2e-6);
    const init = trace(({ noise, dynamic }) => ({ params: task.init({ noise, dynamic }) }), {
      noise: noiseTypes(task.noise.init),
      dynamic: new Map(task.dynamic),
    });
    const started = replay(
      init,
      flatten<Tensor>({ noise: upload(drawNoises(task.noise.init, fold(key, 'init'))), dynamic }),
    );
    for (const [path, tensor] of params) expect(started.get(`params/${path}`)?.dataSync()).toEqual(tensor.dataSync());
  });

  it('bounds its loss and gives NaN the worst value', () => {
    const at = (loss: number): number => scalar(task.normalize(tf.scalar(loss)));
    const worst = at(1e30);
    expect(Number.isFinite(worst)).toBe(true);
    expect(at(NaN)).toBe(worst);
    expect(at(Infinity)).toBe(worst);
    expect(at(0.25)).toBe(0.25);
    expect(worst).toBeGreaterThanOrEqual(
      scalar(task.normalize(tf.scalar(start(task, key).measure(start(task, key).params, 0)['loss']!))),
    );
  });
});

describe.each([...TASK_FAMILIES.values()])('$name', (family) => {
  it('draws shapes that it takes, each a function of the key', () => {
    const shapes = Array.from({ length: 20 }, (_, i) => family.sampleShape(fold(key, i)));
    expect(shapes).toEqual(Array.from({ length: 20 }, (_, i) => family.sampleShape(fold(key, i))));
    expect(new Set(shapes.map((shape) => JSON.stringify(shape))).size).toBeGreaterThan(10);
    for (const shape of shapes) {
      for (const name of Object.keys(shape)) expect(Object.keys(family.options)).toContain(name);
      expect(
        family.task({ ...shape, ...('batchSize' in shape ? { data: 'counting' } : {}) }, { dataSets }).specs.size,
      ).toBeGreaterThan(0);
    }
  });
});
