import type { HostArray } from '../jit/graph/graph.ts';
import type { Arrays } from '../lopt/optimizer.ts';

/** Limits of a meta-gradient before the outer optimizer sees it. */
export interface Clip {
  /** `globalNorm` scales the whole gradient down to the threshold, `value` limits each element. */
  readonly kind: 'globalNorm' | 'value';
  readonly threshold: number;
}

/** Euclidean norm of all elements of all leaves, in double precision. */
export function globalNorm(gradient: Arrays): number {
  let sum = 0;
  for (const { data } of gradient.values()) for (const x of data) sum += x * x;
  return Math.sqrt(sum);
}

/**
 * A gradient within its limits, and the fraction of elements that were changed.
 */
export function clipGradient(gradient: Arrays, clip: Clip | null): { gradient: Arrays; fraction: number } {
  if (clip === null) return { gradient, fraction: 0 };
  const { kind, threshold } = clip;
  if (kind === 'globalNorm') {
    const norm = globalNorm(gradient);
    if (norm <= threshold) return { gradient, fraction: 0 };
    return { gradient: mapLeaves(gradient, (x) => (x * threshold) / norm), fraction: 1 };
  }
  let [changed, total] = [0, 0];
  const clipped = mapLeaves(gradient, (x) => {
    total += 1;
    if (Math.abs(x) > threshold) changed += 1;
    return Math.max(-threshold, Math.min(threshold, x));
  });
  return { gradient: clipped, fraction: changed / Math.max(1, total) };
}

function mapLeaves(gradient: Arrays, rule: (x: number) => number): Arrays {
  return new Map(
    [...gradient].map(([path, { shape, data }]): [string, HostArray] => [
      path,
      { shape, dtype: 'float32', data: Float32Array.from(data, rule) },
    ]),
  );
}
