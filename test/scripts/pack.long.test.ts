import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from './run-lopt.ts';

// What `npm pack` packs, installed in an empty project as a user does it: npm brings the dependencies and peers that package.json
// declares and nothing of this checkout.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/** Runs a command that downloads; a download may fail for a moment. */
async function retried(command: string, args: readonly string[], cwd: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1)
    try {
      await run(command, [...args], { cwd });
      return;
    } catch (error) {
      if (attempt === 3) throw error;
    }
}

async function install(): Promise<{ readonly project: string; readonly lopt: string }> {
  const project = temporaryDirectory();
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: ROOT });
  const [{ filename }] = JSON.parse(stdout) as [{ readonly filename: string }];
  writeFileSync(join(project, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  await retried('npm', ['install', ...flags, `./${filename}`], project);
  return { project, lopt: join(project, 'node_modules', '.bin', 'lopt') };
}

describe('the package', () => {
  test('runs in an empty project: help, a short meta-training, the README’s code', async () => {
    const { project, lopt } = await install();
    const help = await run(lopt, ['--help'], { cwd: project });
    expect(help.stdout).toContain('lopt meta-train');
    const version = await run(lopt, ['--version'], { cwd: project });
    const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
    expect(version.stdout.trim()).toBe(own.version);
    await run(lopt, ['meta-train', '--recipe', 'smoke', '--steps', '20', '--out', 'run'], {
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
    expect(paths).toContain('jit/engines/native/c/pool.h');
    expect(
      paths.filter((path) => path.startsWith('jit/') && !/^jit\/engines\/native\/c\/[\w-]+\.[ch]$/.test(path)),
    ).toEqual([]);
    const folders = new Set(paths.map((path) => path.split('/')[0]));
    expect(
      [...folders].filter(
        (folder) =>
          !['dist', 'jit', 'tasks', 'checkpoints', 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'].includes(
            folder ?? '',
          ),
      ),
    ).toEqual([]);
    expect(paths.filter((path) => /(^|\/)test\/|\.test\.|\/\.[^/]*$/.test(path))).toEqual([]);
    expect(existsSync(join(ROOT, 'dist'))).toBe(true);
  });
});
