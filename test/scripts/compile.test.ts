import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runLopt, temporaryDirectory } from './run-lopt.ts';

const SMOKE = ['compile', '--recipe', 'smoke', '--set', 'estimator.window=2'];

describe('lopt compile', () => {
  test('shows the graph, the loops, the fused loops and the C code of a task', async () => {
    const shown = await Promise.all(
      ['graph', 'loops', 'fused', 'c'].map(async (form) => (await runLopt([...SMOKE, '--emit', form])).stdout),
    );
    const [graph = '', loops = '', fused = '', c = ''] = shown;
    expect(graph).toMatch(/^graph adafac-mlp on image-mlp\n/);
    expect(graph).toContain('input %0 float32[3] values/decays/momentum');
    expect(loops).toContain('repeat scan');
    const kernels = (text: string) => text.split('\n').filter((line) => /^ *kernel /.test(line)).length;
    expect(kernels(fused)).toBeGreaterThan(0);
    expect(kernels(fused)).toBeLessThan(kernels(loops) / 2);
    expect(c).toContain('#include "kernel.h"');
    expect(c).toMatch(/LOPT_PARTICLES\(particle, \d+\)\n$/);
    // Each function stands under the loops that it was made from.
    expect(c).toMatch(
      /\/\/ kernel .*\n\/\/ +for i\d+ in \d+\n(\/\/ .*\n)+static __attribute__\(\(noinline\)\) void k0/,
    );
  });

  test('writes a file, and names the tasks that there are', async () => {
    const cwd = temporaryDirectory();
    const written = await runLopt([...SMOKE, '--task', '2', '--out', 'smoke.c'], { cwd });
    expect(written).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(join(cwd, 'smoke.c'), 'utf8')).toContain('lopt');
    const refused = await runLopt([...SMOKE, '--task', '3']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toBe('lopt: Cannot compile task 3: expected one of the 2 tasks of smoke\n');
  });
});
