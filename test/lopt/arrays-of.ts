/** Small float32 arrays by path, for tests. */
import type { HostArray } from '../../jit/graph/graph.ts';
import type { Arrays, ParamSpec, ParamSpecs, Role } from '../../lopt/optimizer.ts';

/** An array from its elements; a vector unless a shape is given. */
export function array(elements: readonly number[], shape: readonly number[] = [elements.length]): HostArray {
  return { shape, dtype: 'float32', data: Float32Array.from(elements) };
}

/** Arrays by path. */
export function arrays(record: Readonly<Record<string, HostArray>>): Arrays {
  return new Map(Object.entries(record));
}

/** The specs of arrays, with roles where given. */
export function specsOf(params: Arrays, roles: Readonly<Record<string, Role>> = {}): ParamSpecs {
  return new Map(
    [...params].map(([path, { shape }]): [string, ParamSpec] => {
      const role = roles[path];
      const spec: ParamSpec = { path, shape, dtype: 'float32' };
      return [path, role === undefined ? spec : { ...spec, role }];
    }),
  );
}

/** Numbers without pattern in (-1, 1), the same at every call. */
export function irregular(count: number, phase = 0): number[] {
  return Array.from({ length: count }, (_, index) => Math.sin(12.9898 * (index + 1) + 78.233 * phase));
}

/** Elements by path, as plain numbers. */
export function elements(group: Arrays): Record<string, number[]> {
  return Object.fromEntries([...group].map(([path, { data }]) => [path, [...data]]));
}
