import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../scripts/run-lopt.ts';

// Every JavaScript block of the documentation runs as it stands, in a project that depends on lopt.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FILES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];
const run = promisify(execFile);

interface Block {
  readonly file: string;
  readonly line: number;
  readonly code: string;
}

/** Blocks fenced as js. One fenced as `js fragment` is a part of a program and isn't run. */
function blocksOf(file: string): Block[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map((match) => ({
    file,
    line: text.slice(0, match.index).split('\n').length,
    code: match[1] ?? '',
  }));
}

/** A directory in which `lopt` and TensorFlow.js resolve as in a project that installed them. */
function project(): string {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(ROOT, join(directory, 'node_modules', 'lopt'), 'dir');
  symlinkSync(join(ROOT, 'node_modules', '@tensorflow'), join(directory, 'node_modules', '@tensorflow'), 'dir');
  return directory;
}

const blocks = FILES.flatMap(blocksOf);

test.each(blocks.map((block): [string, Block] => [`${block.file}:${block.line}`, block]))('%s', async (_, { code }) => {
  const directory = project();
  writeFileSync(join(directory, 'block.mjs'), code);
  const { stderr } = await run(process.execPath, ['block.mjs'], { cwd: directory });
  expect(stderr).not.toMatch(/Error/);
});

test('the README has code to run', () => {
  expect(blocks.filter(({ file }) => file === 'README.md').length).toBeGreaterThanOrEqual(2);
});
