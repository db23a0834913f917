/**
 * Programs have flat inputs and outputs with names; authors think in groups of them. A structure is a record whose members are
 * single items or ordered maps of items by path; its flat names are `member` and `member/path`.
 */

/** Items by path, in a fixed order (a Map: plain objects reorder paths that look like integers). */
export type Group<T> = ReadonlyMap<string, T>;

/** Single items and groups of items, by name. */
export type Structure<T> = Readonly<Record<string, T | Group<T>>>;

/** The same structure with other items. */
export type Like<S extends Structure<unknown>, T> = {
  readonly [K in keyof S]: S[K] extends Group<unknown> ? Group<T> : T;
};

/** Items by flat name: `{params: {w, b}, step}` gives `params/w`, `params/b`, `step`. */
export function flatten<T>(structure: Structure<T>): Map<string, T> {
  const flat = new Map<string, T>();
  for (const [name, member] of Object.entries(structure)) {
    if (member instanceof Map) for (const [path, item] of member as Group<T>) flat.set(`${name}/${path}`, item);
    else flat.set(name, member as T);
  }
  return flat;
}

/**
 * Items of a flat map put into the shape of another structure.
 * @throws RangeError when an item is missing.
 */
export function unflatten<S extends Structure<unknown>, T>(like: S, flat: ReadonlyMap<string, T>): Like<S, T> {
  const take = (name: string): T => {
    if (!flat.has(name))
      throw new RangeError(`Cannot fill a structure: expected an item named ${name} but it is missing`);
    return flat.get(name) as T;
  };
  const filled = Object.entries(like).map(([name, member]) => {
    if (!(member instanceof Map)) return [name, take(name)];
    return [name, new Map([...member.keys()].map((path: string) => [path, take(`${name}/${path}`)]))];
  });
  return Object.fromEntries(filled) as Like<S, T>;
}

/** The group of all flat items under `name/`, paths without that prefix. */
export function groupOf<T>(flat: ReadonlyMap<string, T>, name: string): Map<string, T> {
  const prefix = `${name}/`;
  return new Map(
    [...flat].filter(([key]) => key.startsWith(prefix)).map(([key, item]) => [key.slice(prefix.length), item]),
  );
}
