import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

// Imports go one way, so that every part can be read, tested and moved to a browser without those above it.

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Folders from the lowest up: each may import from itself and those before it. */
const FOLDERS = ['jit', 'lopt', 'tasks', 'checkpoints', 'meta', 'scripts'];
/** The same inside jit; random stands alone. */
const JIT_FOLDERS = ['jit/graph', 'jit/transform', 'jit/engines', 'jit/trace'];
const JIT_ALONE = 'jit/random';

/** Where `node:` modules may be used; everything else runs in a browser. */
const NODE_FOLDERS = ['tasks/files', 'checkpoints/files', 'jit/engines/native', 'meta/workers', 'scripts'];
const NODE_FILES = new Set([
  'jit/engines/onnx/loader.ts',
  'jit/engines/onnx/onnx-worker.ts',
  'jit/engines/onnx/pool-worker.ts',
]);

/** Packages that code under a folder may import. */
const JIT_PACKAGES = ['@tensorflow/tfjs-core', 'onnxruntime-node', 'onnx-proto', 'koffi', 'seedrandom'];

interface Import {
  readonly file: string;
  /** As written. */
  readonly specifier: string;
  /** Path of a relative import from the root, without a leading ./ */
  readonly target: string | null;
  readonly dynamic: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

/** Imports of one source text; comments don't count. */
function importsOf(file: string, source: string): Import[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const pattern =
    /(?:^|[;\n])\s*(?:import|export)\s(?:[^'";]*?\sfrom\s*)?['"]([^'"]+)['"]|(\bimport\()\s*['"]([^'"]+)['"]/g;
  return [...code.matchAll(pattern)].map(([, named, dynamic, lazy]) => {
    const specifier = named ?? lazy ?? '';
    const target = specifier.startsWith('.') ? join(dirname(file), specifier).replaceAll('\\', '/') : null;
    return { file, specifier, target, dynamic: dynamic !== undefined };
  });
}

function placeIn(folders: readonly string[], path: string): number {
  return folders.findIndex((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** What is wrong with an import, or nothing. */
function fault({ file, specifier, target }: Import): string | undefined {
  const where = `${file} imports ${specifier}`;
  if (target !== null) {
    const [from, to] = [placeIn(FOLDERS, file), placeIn(FOLDERS, target)];
    if (to > from) return `${where}: ${FOLDERS[from]} may not import from ${FOLDERS[to]}, which stands above it`;
    if (to < 0 && from >= 0) return `${where}: expected a file of one of the folders ${FOLDERS.join(', ')}`;
    if (!specifier.endsWith('.ts')) return `${where}: expected the ending .ts`;
    return jitFault(where, file, target);
  }
  if (specifier.startsWith('node:')) {
    const allowed = NODE_FILES.has(file) || NODE_FOLDERS.some((folder) => file.startsWith(`${folder}/`));
    return allowed
      ? undefined
      : `${where}: node: modules may be used in ${[...NODE_FOLDERS, ...NODE_FILES].join(', ')} only`;
  }
  if (file.startsWith('jit/') && !JIT_PACKAGES.includes(specifier))
    return `${where}: jit may import the packages ${JIT_PACKAGES.join(', ')} only`;
  return undefined;
}

function jitFault(where: string, file: string, target: string): string | undefined {
  if (!file.startsWith('jit/')) return undefined;
  const alone = (path: string): boolean => path.startsWith(`${JIT_ALONE}/`);
  if (alone(file) !== alone(target)) return `${where}: ${JIT_ALONE} stands alone`;
  const [from, to] = [placeIn(JIT_FOLDERS, file), placeIn(JIT_FOLDERS, target)];
  return to > from
    ? `${where}: ${JIT_FOLDERS[from]} may not import from ${JIT_FOLDERS[to]}, which stands above it`
    : undefined;
}

describe('imports', () => {
  const files = FOLDERS.flatMap(sourceFiles);

  test('go one way, and node: stays where it may be', () => {
    const imports = files.flatMap((file) => importsOf(file, readFileSync(join(ROOT, file), 'utf8')));
    expect(imports.length).toBeGreaterThan(files.length / 2);
    expect(imports.map(fault).filter((text) => text !== undefined)).toEqual([]);
  });

  test('engines load by dynamic import only', () => {
    const runtimes = new Set([
      'onnxruntime-node',
      '@tensorflow/tfjs-node',
      '@tensorflow/tfjs-node-gpu',
      '@tensorflow/tfjs-backend-wasm',
    ]);
    const eager = files
      .flatMap((file) =>
        importsOf(file, readFileSync(join(ROOT, file), 'utf8').replaceAll(/^import type [^;]*;/gm, '')),
      )
      .filter(({ specifier, dynamic }) => runtimes.has(specifier) && !dynamic);
    expect(eager.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
  });

  test('are found, and faults named', () => {
    const source = [
      "import type { A } from '../lopt/a.ts';",
      "import { x,\n  y } from './b.ts';",
      "export { z } from '../meta/z.ts';",
      "// import '../scripts/no.ts';",
      "const lazy = await import('node:fs');",
    ].join('\n');
    const imports = importsOf('tasks/t.ts', source);
    expect(imports.map(({ specifier }) => specifier)).toEqual(['../lopt/a.ts', './b.ts', '../meta/z.ts', 'node:fs']);
    expect(imports.map(fault)).toEqual([
      undefined,
      undefined,
      'tasks/t.ts imports ../meta/z.ts: tasks may not import from meta, which stands above it',
      'tasks/t.ts imports node:fs: node: modules may be used in tasks/files, checkpoints/files, jit/engines/native, meta/workers, scripts, jit/engines/onnx/loader.ts, jit/engines/onnx/onnx-worker.ts, jit/engines/onnx/pool-worker.ts only',
    ]);
    expect(importsOf('jit/graph/g.ts', "import { k } from '../random/key.ts';").map(fault)).toEqual([
      'jit/graph/g.ts imports ../random/key.ts: jit/random stands alone',
    ]);
    expect(importsOf('jit/graph/g.ts', "import { t } from '../trace/t.ts';").map(fault)).toEqual([
      'jit/graph/g.ts imports ../trace/t.ts: jit/graph may not import from jit/trace, which stands above it',
    ]);
  });
});

test('jit names no optimizer and no task', () => {
  const names = /\b(adafac|celo2?|velo|mu-?lo|adamw?|lion|muon|rnn-?mlp|image-?mlp)\b/i;
  const naming = sourceFiles('jit').filter((file) => names.test(readFileSync(join(ROOT, file), 'utf8')));
  expect(naming).toEqual([]);
});

test('no file is called by what says nothing', () => {
  const vague = /(^|[/-])(utils?|common|helpers?|misc)(\.|\/|-)/;
  expect(FOLDERS.flatMap(sourceFiles).filter((file) => vague.test(file))).toEqual([]);
});

// The lint rule can't tell these from the rest: a typed array read inside a bounded loop is never undefined, and says so.
test('non-null assertions stand after an element access only', () => {
  const literals = /\/\*[\s\S]*?\*\/|\/\/.*$|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/gm;
  const asserting = FOLDERS.flatMap(sourceFiles).flatMap((file) =>
    readFileSync(join(ROOT, file), 'utf8')
      .replaceAll(literals, (literal) => literal.replaceAll(/[^\n]/g, ' '))
      .split('\n')
      .flatMap((line, index) => (/[\w$)]!(?!=)/.test(line) ? [`${file}:${index + 1}`] : [])),
  );
  expect(asserting).toEqual([]);
});
