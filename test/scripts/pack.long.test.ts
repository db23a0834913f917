import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from './run-lopt.ts';

// What `npm pack` packs, installed in an empty project. Its dependencies are those of this checkout, linked, so nothing is downloaded.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

async function install(): Promise<{ readonly project: string; readonly lopt: string }> {
  const project = temporaryDirectory();
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: ROOT });
  const [{ filename }] = JSON.parse(stdout) as [{ readonly filename: string }];
  await run('tar', ['-xzf', filename], { cwd: project });
  const modules = join(project, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'dir');
  renameSync(join(project, 'package'), join(modules, 'lopt'));
  const { bin } = JSON.parse(readFileSync(join(modules, 'lopt', 'package.json'), 'utf8')) as {
    readonly bin: { readonly lopt: string };
  };
  return { project, lopt: join(modules, 'lopt', bin.lopt) };
}

describe('the package', () => {
  test('runs in an empty project: help, a short meta-training, the README’s code', async () => {
    const { project, lopt } = await install();
    const help = await run(process.execPath, [lopt, '--help'], { cwd: project });
    expect(help.stdout).toContain('lopt meta-train');
    const version = await run(process.execPath, [lopt, '--version'], { cwd: project });
    const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
    expect(version.stdout.trim()).toBe(own.version);
    await run(process.execPath, [lopt, 'meta-train', '--recipe', 'smoke', '--steps', '20', '--out', 'run'], {
      cwd: project,
    });
    expect(
      readFileSync(join(project, 'run', 'metrics.ndjson'), 'utf8')
        .trimEnd()
        .split('\n'),
    ).toHaveLength(20);
    const blocks = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```js\n([\s\S]*?)^```$/gm)];
    expect(blocks.length).toBeGreaterThan(0);
    for (const [index, [, code = '']] of blocks.entries()) {
      writeFileSync(join(project, `block${index}.mjs`), code);
      await run(process.execPath, [`block${index}.mjs`], { cwd: project });
    }
  });

  test('has what it ships and nothing else', async () => {
    const { stdout } = await run('npm', ['pack', '--json', '--dry-run'], { cwd: ROOT });
    const [{ files }] = JSON.parse(stdout) as [{ readonly files: readonly { readonly path: string }[] }];
    const paths = files.map(({ path }) => path);
    expect(paths).toContain('dist/index.js');
    expect(paths).toContain('dist/index.d.ts');
    expect(paths.some((path) => path.startsWith('tasks/data/digits/'))).toBe(true);
    const folders = new Set(paths.map((path) => path.split('/')[0]));
    expect(
      [...folders].filter(
        (folder) =>
          !['dist', 'tasks', 'checkpoints', 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'].includes(
            folder ?? '',
          ),
      ),
    ).toEqual([]);
    expect(paths.filter((path) => /(^|\/)test\/|\.test\.|\/\.[^/]*$/.test(path))).toEqual([]);
    expect(existsSync(join(ROOT, 'dist'))).toBe(true);
  });
});
