import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { fold, rootKey } from '../../../jit/random/key.ts';
import { REPARAMETERISE_LEVELS, reparameterise } from '../../../tasks/augmentation/reparameterise.ts';
import { createTask } from '../../../tasks/registry.ts';
import { countingDataSet, start } from '../eager.ts';

const dataSets = new Map([['counting', countingDataSet()]]);
const base = createTask('image-mlp', { data: 'counting', image: [4, 4, 1], hidden: [6], batchSize: 9 }, { dataSets });
const key = rootKey('reparameterise');
const range = { min: 1e-3, max: 1e3 };

describe.each(REPARAMETERISE_LEVELS)('reparameterise at level %s', (level) => {
  const task = reparameterise(base, { level, ...range });
  const plain = start(base, key);
  const scaled = start(task, key);
  const scaleOf = (path: string): readonly number[] => {
    const size = plain.params.get(path)!.size;
    const scale = [...scaled.dynamic.get(level === 'global' ? 'reparameterise' : `reparameterise/${path}`)!.dataSync()];
    return Array.from({ length: size }, (_, i) => scale[scale.length === 1 ? 0 : i]!);
  };

  it('starts with the loss of the base task', () => {
    // (w / s) * s differs from w by a unit in the last place.
    for (const index of [0, 1])
      expect(
        Math.abs(scaled.measure(scaled.params, index)['loss']! / plain.measure(plain.params, index)['loss']! - 1),
      ).toBeLessThan(1e-6);
  });

  it('divides the parameters and multiplies the gradients by the scales', () => {
    const gradients = (task: typeof base, at: typeof plain): readonly tf.Tensor[] =>
      tf.grads(
        (...values: tf.Tensor[]) =>
          task.loss({
            params: new Map([...at.params.keys()].map((path, i) => [path, values[i]!])),
            batch: at.batch(0),
            dynamic: at.dynamic,
            noise: new Map(),
          }).loss,
      )([...at.params.values()]);
    const before = gradients(base, plain);
    const after = gradients(task, scaled);
    [...plain.params.keys()].forEach((path, tensor) => {
      const scale = scaleOf(path);
      const w = plain.params.get(path)!.dataSync();
      scaled.params
        .get(path)!
        .dataSync()
        .forEach((p, i) => expect(Math.abs(p * scale[i]! - w[i]!)).toBeLessThan(1e-6));
      const g = before[tensor]!.dataSync();
      const largest = Math.max(...g.map(Math.abs));
      after[tensor]!.dataSync().forEach((value, i) =>
        expect(Math.abs(value / scale[i]! - g[i]!)).toBeLessThan(1e-5 * largest),
      );
    });
  });

  it('has log-uniform scales, drawn anew for each key, beside the base task', () => {
    const logs: number[] = [];
    for (let i = 0; i < 200; i += 1)
      for (const { data } of task.sampleDynamic(fold(key, i)).values()) logs.push(Math.log10(data[0]!));
    expect(Math.min(...logs)).toBeGreaterThanOrEqual(-3.0001);
    expect(Math.max(...logs)).toBeLessThanOrEqual(3.0001);
    // Uniform in [-3, 3]: standard deviation 1.73, four standard errors.
    const mean = logs.reduce((sum, x) => sum + x, 0) / logs.length;
    expect(Math.abs(mean)).toBeLessThan((4 * Math.sqrt(3)) / Math.sqrt(logs.length));
    expect(task.data).toBe(base.data);
    expect(task.specs).toBe(base.specs);
    expect(task.name).toBe(`image-mlp reparameterised (${level}, 0.001 to 1000)`);
  });
});

describe('reparameterise', () => {
  it('keeps the dynamic config of the base task', () => {
    const quadratic = createTask('quadratic', { dim: 3 });
    const task = reparameterise(quadratic, { level: 'tensor', min: 0.1, max: 10 });
    expect([...task.dynamic.keys()]).toEqual(['curvature', 'minimum', 'reparameterise/w']);
    const dynamic = task.sampleDynamic(key);
    expect(dynamic.get('minimum')).toEqual(quadratic.sampleDynamic(key).get('minimum'));
  });

  it('refuses scales that are none', () => {
    expect(() => reparameterise(base, { level: 'global', min: 0, max: 1 })).toThrow(
      new RangeError('Cannot reparameterise image-mlp: expected scales with 0 < min <= max but got min 0 and max 1'),
    );
  });
});
