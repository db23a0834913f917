import { describe, expect, it } from 'vitest';
import { clipGradient, globalNorm } from '../../meta/clip.ts';
import { toyTheta } from './toy-unroll.ts';

describe('clipGradient', () => {
  it('scales a gradient down to a norm, and only down', () => {
    const gradient = toyTheta(3, -4);
    const { gradient: clipped, fraction } = clipGradient(gradient, { kind: 'globalNorm', threshold: 1 });
    expect(globalNorm(clipped)).toBeCloseTo(1, 6);
    expect([...(clipped.get('theta')?.data ?? [])].map((x) => Math.round(x * 1e6) / 1e6)).toEqual([0.6, -0.8]);
    expect(fraction).toBe(1);
    expect(clipGradient(gradient, { kind: 'globalNorm', threshold: 5 })).toEqual({ gradient, fraction: 0 });
  });

  it('limits each element', () => {
    const { gradient, fraction } = clipGradient(toyTheta(3, -4, 0.5, 2), { kind: 'value', threshold: 2 });
    expect(gradient).toEqual(toyTheta(2, -2, 0.5, 2));
    expect(fraction).toBe(0.5);
  });

  it('leaves a gradient of zeros, and every gradient without limits', () => {
    expect(clipGradient(toyTheta(0, 0), { kind: 'globalNorm', threshold: 1 }).gradient).toEqual(toyTheta(0, 0));
    expect(clipGradient(toyTheta(9), null)).toEqual({ gradient: toyTheta(9), fraction: 0 });
  });
});
