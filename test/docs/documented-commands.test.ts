import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseLine } from '../../scripts/cli/parse.ts';
import { COMMANDS } from '../../scripts/commands.ts';
import { splitWords } from '../scripts/split-words.ts';

// Every command line that the documentation shows is one that the command line takes.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FILES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

/** Lines of indented code blocks that begin with lopt. */
function commandLines(file: string): string[] {
  return readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .flatMap((line) => /^ {4}((?:npx )?lopt [a-z].*)$/.exec(line)?.[1]?.replace(/^npx /, '') ?? []);
}

test.each(FILES.flatMap((file) => commandLines(file).map((line): [string, string] => [file, line])))(
  '%s: %s',
  async (_, line) => {
    const [, first = '', second = '', ...rest] = splitWords(line);
    const name = COMMANDS.has(first) ? first : `${first} ${second}`;
    const command = await COMMANDS.get(name)?.load();
    if (!command) throw new Error(`expected one of ${[...COMMANDS.keys()].join(', ')} but got ${name}`);
    const argv = COMMANDS.has(first) ? [second, ...rest].filter((word) => word !== '') : rest;
    if (argv.includes('--help')) return;
    const { texts } = parseLine(name, command, argv);
    for (const [option, given] of texts)
      expect(() => command.options[option]?.read(given, `--${option}`)).not.toThrow();
  },
);
