import { isRecord, valueText } from '../options.ts';
import { type ParamSpec, type ParamSpecs, ROLES, type Role } from '../optimizer.ts';

/** A record or a Map of members by path. A Map keeps the order of paths that look like integers. */
export type ByPath<T> = Readonly<Record<string, T>> | ReadonlyMap<string, T>;

/** A parameter's shape, or a spec of it; the path is its key. */
export type ShapeOrSpec =
  | readonly number[]
  | (Omit<ParamSpec, 'path' | 'dtype'> & Partial<Pick<ParamSpec, 'path' | 'dtype'>>);

/** The members of a record or a Map, in order. */
export function entriesOf<T>(members: ByPath<T>): readonly (readonly [string, T])[] {
  // One boundary: `instanceof` doesn't tell a ReadonlyMap from a record.
  return members instanceof Map
    ? [...(members as ReadonlyMap<string, T>)]
    : Object.entries(members as Record<string, T>);
}

/** Whether a value is a record or a Map. */
export function isByPath(value: unknown): value is ByPath<unknown> {
  return value instanceof Map || isRecord(value);
}

const FACTS = ['fanIn', 'fanOut', 'baseFanIn', 'lrMult'] as const;
const KEYS: ReadonlySet<string> = new Set(['path', 'shape', 'dtype', 'role', ...FACTS]);

/**
 * Reads parameter specs from what a user gives, in code or as JSON: path to shape, or to a spec (`{"shape": [3, 2], "role": "hidden"}`).
 * `roles` adds roles by path.
 * @throws TypeError or RangeError naming the parameter; `doing` says what can't be done.
 */
export function readParamSpecs(
  given: unknown,
  { doing, roles = {} }: { readonly doing: string; readonly roles?: ByPath<Role> },
): ParamSpecs {
  if (!isByPath(given))
    throw new TypeError(`Cannot ${doing}: expected shapes by path, such as {"w": [3, 2]}, but got ${valueText(given)}`);
  const specs = new Map(entriesOf(given).map(([path, value]) => [path, readSpec(path, value, doing)]));
  for (const [path, role] of entriesOf(roles)) {
    const spec = specs.get(path);
    if (spec === undefined)
      throw new RangeError(
        `Cannot ${doing}: expected roles of the parameters ${listed(specs.keys())} but got one of ${path}`,
      );
    specs.set(path, { ...spec, role: readRole(path, role, doing) });
  }
  return specs;
}

function readSpec(path: string, value: unknown, doing: string): ParamSpec {
  if (path === '')
    throw new RangeError(`Cannot ${doing}: expected every parameter to have a path but got an empty one`);
  if (Array.isArray(value)) return { path, shape: readShape(path, value, doing), dtype: 'float32' };
  if (!isRecord(value))
    throw new TypeError(
      `Cannot ${doing}: expected ${path} to be a shape such as [3, 2], or a spec with one, but got ${valueText(value)}`,
    );
  for (const key of Object.keys(value))
    if (!KEYS.has(key))
      throw new RangeError(
        `Cannot ${doing}: expected the spec of ${path} to have ${[...KEYS].join(', ')} but got ${key}`,
      );
  if (value['path'] !== undefined && value['path'] !== path)
    throw new RangeError(
      `Cannot ${doing}: expected the path in the spec of ${path} to be its key but got ${valueText(value['path'])}`,
    );
  if (value['dtype'] !== undefined && value['dtype'] !== 'float32')
    throw new TypeError(
      `Cannot ${doing}: expected the dtype of ${path} to be float32 but got ${valueText(value['dtype'])}`,
    );
  const facts = FACTS.flatMap((name) => {
    const fact = value[name];
    if (fact === undefined) return [];
    if (typeof fact !== 'number' || !(fact > 0) || fact === Infinity)
      throw new RangeError(
        `Cannot ${doing}: expected ${name} of ${path} to be a positive number but got ${valueText(fact)}`,
      );
    return [[name, fact] as const];
  });
  return {
    path,
    shape: readShape(path, value['shape'], doing),
    dtype: 'float32',
    ...(value['role'] === undefined ? {} : { role: readRole(path, value['role'], doing) }),
    ...Object.fromEntries(facts),
  };
}

function readShape(path: string, value: unknown, doing: string): readonly number[] {
  const shape: unknown[] | undefined = Array.isArray(value) ? value : undefined;
  if (shape === undefined || !shape.every((extent) => Number.isSafeInteger(extent) && Number(extent) >= 0))
    throw new RangeError(
      `Cannot ${doing}: expected the shape of ${path} to be a list of whole numbers but got ${valueText(value)}`,
    );
  return shape.map(Number);
}

function readRole(path: string, value: unknown, doing: string): Role {
  const role = ROLES.find((candidate) => candidate === value);
  if (role === undefined)
    throw new RangeError(
      `Cannot ${doing}: expected the role of ${path} to be one of ${ROLES.join(', ')} but got ${valueText(value)}`,
    );
  return role;
}

/** Names as an error message lists them: the first few, then how many more. */
export function listed(names: Iterable<string>): string {
  const all = [...names];
  if (all.length === 0) return '(none)';
  return all.length <= 6 ? all.join(', ') : `${all.slice(0, 6).join(', ')} and ${all.length - 6} more`;
}
