import type { HostArray } from '../../jit/graph/graph.ts';
import type { Tolerance } from './trajectory.ts';

/** The worst that was found of one tensor: how far off, in parts of the tolerance (up to 1 is in it), and at which step (0-based). */
export interface Deviation {
  readonly parts: number;
  readonly step: number;
}

/**
 * How far a tensor is off, in parts of the tolerance absolute * max(1, max|p|) + relative * max|p - start|, the outliers that the
 * tolerance allows left out. Infinity where an element is missing or NaN and the reference isn't.
 */
export function deviationOf(
  got: HostArray | undefined,
  {
    reference,
    start,
    tolerance: { absolute, relative, outlierFraction },
  }: { readonly reference: HostArray; readonly start: HostArray | undefined; readonly tolerance: Tolerance },
): number {
  const wanted = [...reference.data];
  const size = largest(wanted, 1);
  const moved = largest(
    wanted.map((p, index) => p - (start?.data[index] ?? 0)),
    0,
  );
  const errors = wanted.map((p, index) => errorOf(got?.data[index], p)).sort((a, b) => b - a);
  const worst = errors[Math.floor(outlierFraction * errors.length)] ?? 0;
  return worst / (absolute * size + relative * moved);
}

/** The largest magnitude, at least `least`; NaN doesn't count. */
function largest(elements: readonly number[], least: number): number {
  return elements.reduce((most, x) => (Math.abs(x) > most ? Math.abs(x) : most), least);
}

function errorOf(got: number | undefined, wanted: number): number {
  if (got === undefined) return Infinity;
  if (Number.isNaN(wanted)) return Number.isNaN(got) ? 0 : Infinity;
  const error = Math.abs(got - wanted);
  return Number.isNaN(error) ? Infinity : error;
}
