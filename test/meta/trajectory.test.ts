import { describe, expect, it } from 'vitest';
import { fold, rootKey } from '../../jit/random/key.ts';
import { NOT_STARTED, resetCapacity, walkWindow } from '../../meta/trajectory.ts';

const KEY = rootKey(1);

describe('walkWindow', () => {
  it('resets before the first step and then after each length', () => {
    const schedule = { min: 3, max: 3, stagger: 0 };
    const first = walkWindow(NOT_STARTED, { key: KEY, windowLength: 10, schedule });
    expect(first.resets.map(({ step }) => step)).toEqual([0, 3, 6, 9]);
    expect(first.resets.map(({ horizon }) => horizon)).toEqual([3, 3, 3, 3]);
    const second = walkWindow(first.trajectory, { key: fold(KEY, 1), windowLength: 10, schedule });
    expect(second.resets.map(({ step }) => step)).toEqual([2, 5, 8]);
    expect(second.trajectory).toEqual({ length: 3, position: 2 });
  });

  it('puts a reset that falls on a window boundary into the later window', () => {
    const schedule = { min: 5, max: 5, stagger: 0 };
    const { trajectory } = walkWindow(NOT_STARTED, { key: KEY, windowLength: 5, schedule });
    expect(trajectory).toEqual({ length: 5, position: 5 });
    expect(walkWindow(trajectory, { key: KEY, windowLength: 5, schedule }).resets.map(({ step }) => step)).toEqual([0]);
  });

  it('staggers the first reset alone, tells the whole length, and does at least one step', () => {
    const schedule = { min: 100, max: 100, stagger: 200 };
    const firsts = Array.from({ length: 400 }, (_, pair) => {
      const { resets } = walkWindow(NOT_STARTED, { key: fold(KEY, pair), windowLength: 1000, schedule });
      expect(resets.every(({ horizon }) => horizon === 100)).toBe(true);
      const steps = resets.map(({ step }) => step);
      const gaps = steps.slice(2).map((step, index) => step - (steps[index + 1] ?? 0));
      expect(gaps.every((gap) => gap === 100)).toBe(true);
      return steps[1] ?? NaN;
    });
    // Offsets 0 to 99 reset after 100 to 1 steps, offsets 100 to 199 after one step.
    expect(Math.min(...firsts)).toBe(1);
    expect(Math.max(...firsts)).toBeLessThanOrEqual(100);
    const early = firsts.filter((step) => step === 1).length;
    // 202 of 400 expected, standard deviation 10.
    expect(Math.abs(early - 202)).toBeLessThan(45);
  });

  it('draws lengths that are uniform in the logarithm', () => {
    const schedule = { min: 100, max: 2000, stagger: 0 };
    const lengths = Array.from(
      { length: 2000 },
      (_, pair) => walkWindow(NOT_STARTED, { key: fold(KEY, pair), windowLength: 1, schedule }).trajectory.length,
    );
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(2000);
    const bins = new Array<number>(10).fill(0);
    for (const length of lengths) {
      const bin = Math.min(9, Math.floor((10 * Math.log(length / 100)) / Math.log(20)));
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    const chiSquare = bins.reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0);
    // 9 degrees of freedom: above 27.9 once in 1000 draws; the draw is keyed, so this is fixed.
    expect(chiSquare).toBeLessThan(27.9);
  });

  it('depends on key and trajectory alone', () => {
    const options = { key: KEY, windowLength: 50, schedule: { min: 5, max: 30, stagger: 30 } };
    expect(walkWindow(NOT_STARTED, options)).toEqual(walkWindow(NOT_STARTED, options));
    expect(walkWindow(NOT_STARTED, { ...options, key: fold(KEY, 1) })).not.toEqual(walkWindow(NOT_STARTED, options));
  });
});

describe('resetCapacity', () => {
  it.each([
    { windowLength: 10, schedule: { min: 3, max: 3, stagger: 0 }, capacity: 4 },
    { windowLength: 10, schedule: { min: 3, max: 9, stagger: 5 }, capacity: 4 },
    { windowLength: 50, schedule: { min: 100, max: 2000, stagger: 0 }, capacity: 1 },
    { windowLength: 50, schedule: { min: 100, max: 2000, stagger: 2000 }, capacity: 2 },
    { windowLength: 5, schedule: { min: 1, max: 1, stagger: 0 }, capacity: 5 },
    { windowLength: 1, schedule: { min: 1, max: 1, stagger: 9 }, capacity: 1 },
  ])('is $capacity for $schedule and windows of $windowLength', ({ windowLength, schedule, capacity }) => {
    expect(resetCapacity({ windowLength, schedule })).toBe(capacity);
    let most = 0;
    for (let pair = 0; pair < 200; pair += 1) {
      let trajectory = NOT_STARTED;
      for (let window = 0; window < 4; window += 1) {
        const walk = walkWindow(trajectory, { key: fold(KEY, pair, window), windowLength, schedule });
        most = Math.max(most, walk.resets.length);
        trajectory = walk.trajectory;
      }
    }
    expect(most).toBeLessThanOrEqual(capacity);
  });
});
