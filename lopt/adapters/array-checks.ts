import { sizeOf } from '../../jit/graph/graph.ts';
import type { Arrays, Need, ParamSpecs } from '../optimizer.ts';
import { valueText } from '../options.ts';
import { entriesOf, isByPath, listed } from './param-specs.ts';

/**
 * Reads one array for each parameter: Float32Arrays by path, also views into larger buffers and arrays over shared memory. The arrays
 * themselves come back, in the order of the specs; nothing is copied or converted.
 * @throws TypeError for another kind of array, RangeError for a missing or unexpected path or another length, naming the path.
 */
export function readArrays(
  given: unknown,
  { doing, what, specs }: { readonly doing: string; readonly what: string; readonly specs: ParamSpecs },
): Map<string, Float32Array> {
  if (!isByPath(given))
    throw new TypeError(`Cannot ${doing}: expected ${what} to be Float32Arrays by path but got ${valueText(given)}`);
  const arrays = new Map(entriesOf(given));
  for (const path of arrays.keys())
    if (!specs.has(path))
      throw new RangeError(`Cannot ${doing}: expected ${what} of ${listed(specs.keys())} but got one named ${path}`);
  return new Map(
    [...specs].map(([path, { shape }]) => [
      path,
      readArray(arrays.get(path), { doing, name: `${what}/${path}`, shape }),
    ]),
  );
}

function readArray(
  given: unknown,
  { doing, name, shape }: { readonly doing: string; readonly name: string; readonly shape: readonly number[] },
): Float32Array {
  const size = sizeOf(shape);
  const expected = `Cannot ${doing}: expected ${name} to be a Float32Array of length ${size}`;
  if (given === undefined) throw new RangeError(`${expected} but it is missing`);
  if (!(given instanceof Float32Array))
    throw new TypeError(`${expected} but got ${kindOf(given)}; convert it with Float32Array.from(...)`);
  if (given.length !== size)
    throw new RangeError(`${expected}, the size of shape [${shape.join(',')}], but got one of length ${given.length}`);
  return given;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  if (ArrayBuffer.isView(value) && 'length' in value)
    return `a ${value.constructor.name} of length ${String(value.length)}`;
  return valueText(value);
}

/**
 * The losses that an optimizer needs. NaN and infinity pass: a diverged loss is one. One that isn't needed is left out.
 * @throws TypeError when one is no number.
 */
export function readLosses(
  given: { readonly loss: unknown; readonly validLoss: unknown },
  { needs, doing }: { readonly needs: readonly Need[]; readonly doing: string },
): Partial<Record<'loss' | 'validLoss', number>> {
  const needed = (['loss', 'validLoss'] as const).filter((name) => needs.includes(name));
  return Object.fromEntries(
    needed.map((name) => {
      const loss = given[name];
      if (typeof loss !== 'number')
        throw new TypeError(
          `Cannot ${doing}: expected ${name}, which the optimizer uses, to be a number but got ${loss === undefined ? 'none' : valueText(loss)}`,
        );
      return [name, loss];
    }),
  );
}

/** Float32Arrays by path. */
export type ArrayRecord = Readonly<Record<string, Float32Array>>;

/** Arrays with the shapes that their specs say, copied: what is given may be changed, be a view, or lie in shared memory. */
export function hostArrays(specs: ParamSpecs, arrays: ReadonlyMap<string, Float32Array>): Arrays {
  return new Map(
    [...specs].map(([path, { shape, dtype }]) => [
      path,
      { shape, dtype, data: Float32Array.from(arrays.get(path) ?? []) },
    ]),
  );
}

/** The elements of float32 arrays, by path. */
export function floats(arrays: Arrays): readonly (readonly [string, Float32Array])[] {
  return [...arrays].flatMap(([path, { data }]) => (data instanceof Float32Array ? [[path, data] as const] : []));
}
