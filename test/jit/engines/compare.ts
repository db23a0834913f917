import type { HostArray } from '../../../jit/graph/graph.ts';
import { typeText } from '../../../jit/graph/graph.ts';

/**
 * How far an engine may be from the double-precision reference: a few float32 roundings relative to the element, and for sums and
 * erf (TensorFlow.js's is good to 1.5e-7) relative to one.
 */
export const RELATIVE = 4e-6;
export const ABSOLUTE = 2e-6;

/** The first difference, in words; undefined when the arrays agree. */
export function difference(got: HostArray | undefined, want: HostArray): string | undefined {
  if (got === undefined) return 'missing';
  if (typeText(got) !== typeText(want)) return `expected ${typeText(want)} but got ${typeText(got)}`;
  if (got.data.length !== want.data.length) return `expected ${want.data.length} elements but got ${got.data.length}`;
  for (let place = 0; place < want.data.length; place += 1) {
    const [a, b] = [got.data[place] as number, want.data[place] as number];
    if (Object.is(a, b) || a === b) continue;
    if (want.dtype === 'float32' && Math.abs(a - b) <= ABSOLUTE + RELATIVE * Math.abs(b)) continue;
    return `expected ${b} but got ${a} at element ${place}`;
  }
  return undefined;
}
