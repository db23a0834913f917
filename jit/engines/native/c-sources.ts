import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The C sources that ship with the engine: beside this module, or in the sources when this module is what was built from them. */
export const C_FOLDER = findFolder();

function findFolder(): string {
  const candidates = ['./c/', '../../../../jit/engines/native/c/'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((candidate) => existsSync(join(candidate, 'pool.h')));
  if (found === undefined)
    throw new Error(
      `Cannot find the C headers that ship with lopt: expected them in ${candidates.join(' or ')}; install lopt again`,
    );
  return found;
}

/** Text of a C source or header that ships with the engine. @throws Error when it can't be read. */
export function shippedSource(name: string): string {
  return readFileSync(join(C_FOLDER, name), 'utf8');
}

/**
 * All that a C source includes by `#include "name"`, directly or through another header, in order of first mention: the text by name.
 * A name is looked up in `headers` and then among those that ship; conditions around an include don't count.
 * @throws RangeError for a header that is in neither.
 */
export function includedHeaders(
  source: string,
  headers: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (text: string): void => {
    for (const [, name = ''] of text.matchAll(/^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"/gm)) {
      if (found.has(name)) continue;
      // Plain names only: they are written side by side when the source is compiled.
      const header = /^[\w-]+\.h$/.test(name) ? headerText(name, headers) : undefined;
      if (header === undefined)
        throw new RangeError(
          `Cannot compile: expected every included header among those given or those in ${C_FOLDER} but got #include "${name}"`,
        );
      found.set(name, header);
      visit(header);
    }
  };
  visit(source);
  return found;
}

function headerText(name: string, headers: Readonly<Record<string, string>>): string | undefined {
  if (Object.hasOwn(headers, name)) return headers[name];
  return existsSync(join(C_FOLDER, name)) ? shippedSource(name) : undefined;
}
