import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where a mark stands in a test file, as messages name the author's code: `file:line`. */
export function placeOfMark(url: string, mark: string): string {
  const file = fileURLToPath(url);
  const lines = readFileSync(file, 'utf8').split('\n');
  const found = lines.flatMap((line, index) => (line.endsWith(`// at ${mark}`) ? [index + 1] : []));
  if (found.length !== 1) throw new Error(`Cannot find the mark ${mark}: expected it once but got ${found.length}`);
  return `${file}:${found[0]}`;
}
