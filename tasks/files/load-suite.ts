import { readFile } from 'node:fs/promises';
import { type Suite, readSuite } from '../suites/suite.ts';
import { shippedFile } from './load-data-sets.ts';

/** Suites that ship with the project, by name. */
export const SHIPPED_SUITES = ['held-out', 'development'] as const;

/**
 * A suite by the name of one that ships, or by the path of a JSON file.
 * @throws RangeError when there is no such file; SyntaxError when it isn't JSON; TypeError or RangeError when it is no suite.
 */
export async function loadSuite(reference: string): Promise<Suite> {
  const file = SHIPPED_SUITES.some((name) => name === reference)
    ? shippedFile(`tasks/suites/${reference}.json`)
    : reference;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new RangeError(
      `Cannot load suite ${reference}: expected one of ${SHIPPED_SUITES.join(', ')} or the path of a JSON file that can be read`,
      { cause },
    );
  });
  return readSuite(parseJson(text, file), { file });
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot load suite ${file}: expected JSON but it can't be parsed: ${String(cause)}`, {
      cause,
    });
  }
}
