import { describe, expect, it } from 'vitest';
import { fold, rootKey } from '../../../jit/random/key.ts';
import { drawNoises } from '../../../tasks/noise.ts';
import { createTask } from '../../../tasks/registry.ts';
import { start } from '../eager.ts';

const key = rootKey('quadratic');

describe('quadratic', () => {
  it.each([
    { dim: 10 },
    { dim: 5, condition: 1000 },
    { dim: 5, noise: 0.3 },
    { dim: 7, condition: 30, rotated: true, noise: 0.2 },
    { dim: 40, rotated: true },
  ])('is its formula in plain loops: %j', (options) => {
    const task = createTask('quadratic', options);
    const { params, measure } = start(task, key);
    const dynamic = task.sampleDynamic(fold(key, 'dynamic'));
    const values = (name: string): readonly number[] => [...(dynamic.get(name)?.data ?? [])];
    const moved = drawNoises(task.noise.loss, fold(key, 'loss', 3)).get('minimum')?.data ?? [];
    const distance = [...params.get('w')!.dataSync()].map(
      (w, i) => w - values('minimum')[i]! - (options.noise ?? 0) * (moved[i] ?? 0),
    );
    const { dim } = options;
    const directions = values('directions');
    const z = distance.map((x, i) =>
      directions.length === 0 ? x : distance.reduce((sum, y, j) => sum + directions[i * dim + j]! * y, 0),
    );
    const loss = 0.5 * z.reduce((sum, x, i) => sum + values('curvature')[i]! * x * x, 0);
    // Float32 against double precision.
    expect(Math.abs(measure(params, 3)['loss']! / loss - 1)).toBeLessThan(2e-6);
  });

  it('draws curvatures between 1 / condition and 1', () => {
    const { dynamic } = start(createTask('quadratic', { dim: 1000, condition: 100 }), key);
    const logs = [...dynamic.get('curvature')!.dataSync()].map((h) => Math.log10(h));
    expect(Math.min(...logs)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...logs)).toBeLessThanOrEqual(0);
    // The mean of 1,000 numbers that are uniform in [-2, 0], four standard errors.
    expect(Math.abs(logs.reduce((sum, x) => sum + x, 0) / 1000 + 1)).toBeLessThan(0.073);
  });

  it('rotates by orthogonal matrices', () => {
    const dim = 12;
    const { dynamic } = start(createTask('quadratic', { dim, rotated: true }), key);
    const q = dynamic.get('directions')!;
    const product = [...q.matMul(q, false, true).dataSync()];
    product.forEach((value, i) => expect(Math.abs(value - (i % (dim + 1) === 0 ? 1 : 0))).toBeLessThan(1e-5));
    expect(Math.max(...q.dataSync().map(Math.abs))).toBeLessThan(0.99);
  });

  it('has no noise to draw unless it is asked for', () => {
    expect(createTask('quadratic').noise.loss).toBeUndefined();
    expect([...createTask('quadratic', { noise: 1 }).noise.loss!.keys()]).toEqual(['minimum']);
  });
});
