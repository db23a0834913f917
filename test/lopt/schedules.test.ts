import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import {
  evaluateSchedule,
  readSchedule,
  SCHEDULES,
  scheduleNumbers,
  traceSchedule,
  type ScheduleOptions,
} from '../../lopt/schedules.ts';
import { readGolden } from './golden-files.ts';

const PLACE = { doing: 'create thing', path: 'lr' };
const schedule = (given: unknown): ScheduleOptions => readSchedule(given, { min: 0 }, PLACE);

/** float32 rounding of a handful of operations. */
const RELATIVE = 1e-6;

function traced(options: ScheduleOptions, { step, horizon }: { step: number; horizon: number }): number {
  return tf.tidy(() => {
    const numbers = Object.fromEntries([...scheduleNumbers(options)].map(([name, value]) => [name, tf.scalar(value)]));
    const at = { numbers, step: tf.scalar(step, 'int32'), horizon: tf.scalar(horizon) };
    return traceSchedule(options.schedule, at).dataSync()[0] ?? NaN;
  });
}

describe('curves of optax 0.2.8', () => {
  const golden = readGolden('hand/inputs/schedules') as {
    schedules: Record<string, { options: Record<string, number>; values: number[] }>;
  };
  const ours: Record<string, (options: Record<string, number>) => unknown> = {
    constant: ({ lr }) => ({ schedule: 'constant', value: lr }),
    linear: ({ lr, end }) => ({ schedule: 'linear', initial: lr, end }),
    'warmup-cosine': ({ lr, init, warmup, end }) => ({
      schedule: 'warmup-cosine',
      peak: lr,
      initial: init,
      warmup,
      end,
    }),
  };

  test.each(SCHEDULES.map(({ name }) => name))('%s', (name) => {
    const { options, values } = golden.schedules[name] ?? { options: {}, values: [] };
    const given = schedule(ours[name]?.(options));
    const horizon = options['num_steps'] ?? NaN;
    expect(values).toHaveLength(31);
    for (const [step, value] of values.entries()) {
      expect(Math.abs(evaluateSchedule(given, { step, horizon }) / value - 1)).toBeLessThan(RELATIVE);
      expect(Math.abs(traced(given, { step, horizon }) / value - 1)).toBeLessThan(RELATIVE);
    }
  });
});

test('warm-up cosine decays over what the warm-up leaves, and stays at the end (R05)', () => {
  const given = schedule({ schedule: 'warmup-cosine', peak: 1, warmup: 100, total: 1000 });
  const steps = [0, 50, 99, 100, 550, 1000, 1500];
  const right = [0, 0.5, 0.99, 1, 0.5, 0, 0];
  for (const [index, step] of steps.entries()) {
    expect(evaluateSchedule(given, { step, horizon: 7 })).toBeCloseTo(right[index] ?? NaN, 12);
    expect(traced(given, { step, horizon: 7 })).toBeCloseTo(right[index] ?? NaN, 6);
  }
});

test('without a total the horizon is the length', () => {
  const falling = schedule({ schedule: 'linear', initial: 0.2 });
  expect([0, 250, 500, 900].map((step) => evaluateSchedule(falling, { step, horizon: 500 }))).toEqual([0.2, 0.1, 0, 0]);
  const cosine = schedule({ schedule: 'warmup-cosine', peak: 1, warmup: 20 });
  expect(evaluateSchedule(cosine, { step: 60, horizon: 100 })).toBeCloseTo(0.5, 12);
});

test('a warm-up of no steps starts at the peak; one that fills the total ends there', () => {
  const none = schedule({ schedule: 'warmup-cosine', peak: 3, warmup: 0, total: 10 });
  expect(traced(none, { step: 0, horizon: 1 })).toBe(3);
  const all = schedule({ schedule: 'warmup-cosine', peak: 3, warmup: 10, total: 10, end: 0.5 });
  expect(traced(all, { step: 10, horizon: 1 })).toBe(3);
  expect(traced(all, { step: 11, horizon: 1 })).toBe(1.5);
});

test('a grid of learning rates, constant and falling, is one schedule with other numbers', () => {
  const grid = [0.1, 0.3].flatMap((initial) => [1, 0].map((end) => schedule({ schedule: 'linear', initial, end })));
  expect(new Set(grid.map((options) => [options.schedule, ...scheduleNumbers(options).keys()].join(' '))).size).toBe(1);
  expect(grid.map((options) => evaluateSchedule(options, { step: 5, horizon: 10 }))).toEqual([0.1, 0.05, 0.3, 0.15]);
});
