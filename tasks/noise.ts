import { type HostArray, sizeOf } from '../jit/graph/graph.ts';
import { normal, rademacher, truncatedNormal, uniform } from '../jit/random/draws.ts';
import { type Key, fold } from '../jit/random/key.ts';
import type { Group } from '../jit/trace/structure.ts';
import type { Arrays, NoiseSpec, ParamSpecs } from '../lopt/optimizer.ts';

type Kind = NoiseSpec['kind'];

const DRAWS: { readonly [K in Kind]: (key: Key, count: number) => Float32Array } = {
  normal,
  truncatedNormal,
  rademacher,
  uniform,
};

/** Noise of a shape: one array, drawn from the key. */
export function drawNoise(
  spec: { readonly kind: Kind; readonly shape: readonly number[] },
  key: Key,
  specs?: ParamSpecs,
): HostArray;
/** Noise shaped like the parameters: an array for each path, drawn from the key folded with the path. */
export function drawNoise(spec: { readonly kind: Kind; readonly shape: 'params' }, key: Key, specs: ParamSpecs): Arrays;
/**
 * Noise of one array or of an array for each parameter, a pure function of the key.
 * @throws RangeError when the spec wants the shapes of parameters and there are no `specs`.
 */
export function drawNoise(spec: NoiseSpec, key: Key, specs?: ParamSpecs): HostArray | Arrays;
export function drawNoise({ kind, shape }: NoiseSpec, key: Key, specs?: ParamSpecs): HostArray | Arrays {
  const draw = (shape: readonly number[], key: Key): HostArray => ({
    shape,
    dtype: 'float32',
    data: DRAWS[kind](key, sizeOf(shape)),
  });
  if (shape !== 'params') return draw(shape, key);
  if (specs === undefined)
    throw new RangeError('Cannot draw noise: expected the specs of the parameters that it is shaped like but got none');
  return new Map([...specs].map(([path, spec]) => [path, draw(spec.shape, fold(key, path))] as const));
}

/**
 * All that a group of noise specs asks for, by flat name: `<name>`, or `<name>/<path>` for each parameter where the shape is
 * `params`. Each name is drawn from the key folded with it.
 * @throws RangeError when a spec wants the shapes of parameters and there are no `specs`.
 */
export function drawNoises(noise: Group<NoiseSpec> | undefined, key: Key, specs?: ParamSpecs): Arrays {
  const flat = new Map<string, HostArray>();
  for (const [name, spec] of noise ?? []) {
    const drawn = drawNoise(spec, fold(key, name), specs);
    if (isArrays(drawn)) for (const [path, array] of drawn) flat.set(`${name}/${path}`, array);
    else flat.set(name, drawn);
  }
  return flat;
}

function isArrays(drawn: HostArray | Arrays): drawn is Arrays {
  return drawn instanceof Map;
}
