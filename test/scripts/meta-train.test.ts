import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runLopt, temporaryDirectory } from './run-lopt.ts';

// Each run is a whole process with an engine of its own, so there are few of them and they are short.
const SMOKE = ['meta-train', '--recipe', 'smoke', '--threads', '1'];
const DIGITS = fileURLToPath(new URL('../../tasks/data/digits', import.meta.url));

interface Line {
  readonly step: number;
  readonly metaLoss: number;
}

function metricsOf(run: string): Line[] {
  return readFileSync(join(run, 'metrics.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function newestCheckpoint(run: string): Buffer {
  const steps = readdirSync(join(run, 'checkpoints')).map((file) => Number(/\d+/.exec(file)?.[0]));
  return readFileSync(join(run, 'checkpoints', `step-${Math.max(...steps)}.safetensors`));
}

describe('lopt meta-train', () => {
  test('writes a run, plain progress and no escapes; stopped and resumed it ends in the same bytes', async () => {
    const cwd = temporaryDirectory();
    const whole = await runLopt([...SMOKE, '--steps', '12', '--seed', '0', '--out', '007'], { cwd });
    expect(whole.code).toBe(0);
    expect(whole.stdout).toBe('');
    expect(whole.stderr).not.toContain('\r');
    expect(whole.stderr).not.toContain('\u001B');
    const lines = whole.stderr.split('\n');
    expect(lines.length).toBeLessThan(200);
    expect(lines.filter((line) => /^\d+\/12 steps, .*meta-loss [\d.]+$/.test(line)).length).toBeGreaterThan(0);
    expect(lines.at(-2)).toMatch(/^007: all 12 outer steps done, meta-loss [\d.]+$/);

    const first = await runLopt([...SMOKE, '--steps', '12', '--seed', '0', '--stop-after', '5', '--out', '1e3'], {
      cwd,
    });
    expect(first.code).toBe(0);
    expect(first.stderr.split('\n').at(-2)).toMatch(
      /^1e3: stopped after 5 of 12 outer steps, meta-loss [\d.]+; lopt meta-train --resume 1e3 goes on$/,
    );
    const second = await runLopt(['meta-train', '--resume', '1e3'], { cwd });
    expect(second.code).toBe(0);
    expect(metricsOf(join(cwd, '1e3')).map(({ step }) => step)).toEqual([...Array(12).keys()]);
    expect(newestCheckpoint(join(cwd, '1e3'))).toEqual(newestCheckpoint(join(cwd, '007')));

    const again = await runLopt(['meta-train', '--resume', '1e3'], { cwd });
    expect(again.code).toBe(0);
    expect(again.stderr).toContain('all 12 outer steps are done');
  });

  test('takes paths as they are: blanks, #, %, = and a leading dash, through a symbolic link', async () => {
    const cwd = temporaryDirectory();
    cpSync(DIGITS, join(cwd, 'd=a,b'), { recursive: true });
    mkdirSync(join(cwd, 'real'));
    symlinkSync(join(cwd, 'real'), join(cwd, 'link'));
    const out = 'link/a b#c%';
    const started = await runLopt(
      [...SMOKE, '--steps', '2', '--data', 'digits=d=a,b', '--stop-after', '1', '--out', out],
      { cwd },
    );
    expect(started.stderr).toContain(`--resume 'link/a b#c%' goes on`);
    expect(started.code).toBe(0);
    expect(existsSync(join(cwd, 'real', 'a b#c%', 'config.json'))).toBe(true);
    const resumed = await runLopt(['meta-train', '--resume', out, '--data', 'digits=d=a,b'], { cwd });
    expect(resumed.code).toBe(0);
    expect(metricsOf(join(cwd, out))).toHaveLength(2);
    const dashed = await runLopt([...SMOKE, '--steps', '1', '--out', '-x'], { cwd });
    expect(dashed.code).toBe(0);
    expect(existsSync(join(cwd, '-x', 'config.json'))).toBe(true);
  });

  test('on Ctrl-C saves and exits with 130, and goes on to the same bytes', async () => {
    const cwd = temporaryDirectory();
    const interrupted = await runLopt([...SMOKE, '--out', 'a'], {
      cwd,
      onStart: (child) => {
        child.stderr?.on('data', (text: Buffer | string) => {
          // Once only: the second Ctrl-C means something else.
          if (/\d+\/40 steps/.test(String(text)) && !child.killed) child.kill('SIGINT');
        });
      },
    });
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(/a: stopped after \d+ of 40 outer steps/);
    const done = metricsOf(join(cwd, 'a')).length;
    expect(done).toBeLessThan(40);
    const resumed = await runLopt(['meta-train', '--resume', 'a'], { cwd });
    expect(resumed.code).toBe(0);
    expect(metricsOf(join(cwd, 'a')).map(({ step }) => step)).toEqual([...Array(40).keys()]);
  });

  test('reads a recipe file, overrides its items, and refuses what is wrong in it', async () => {
    const cwd = temporaryDirectory();
    writeFileSync(
      join(cwd, 'mine.json'),
      JSON.stringify({ estimator: { sigma: 0.02, sigmma: 1 }, tasks: [{ name: 'image-mlp' }] }),
    );
    const wrong = await runLopt(['meta-train', '--recipe', 'mine.json', '--out', 'a'], { cwd });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('estimator.sigmma');
    expect(existsSync(join(cwd, 'a'))).toBe(false);
    const set = await runLopt([...SMOKE, '--set', 'estimator.sigma=fast', '--out', 'a'], { cwd });
    expect(set.stderr).toContain('estimator.sigma');
    expect(set.code).toBe(1);
    const missing = await runLopt(['meta-train', '--recipe', 'smal', '--out', 'a'], { cwd });
    expect(missing.stderr).toBe(
      'lopt: Cannot use recipe smal: expected one of smoke, small, celo2, celo2-digits (did you mean small?), or the path of a JSON file\n',
    );
  });
});
