import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { normalOfWord } from '../../../jit/random/normal-quantile.ts';

const there = spawnSync('cc', ['--version']).status === 0;
if (!there) console.log('skipped: there is no C compiler named cc');

describe('normalOfWord', () => {
  it.skipIf(!there).each(['-O0', '-O3'])('is reproduced bit for bit in C with %s', (optimisation) => {
    const folder = mkdtempSync(join(tmpdir(), 'lopt-normal-'));
    try {
      const source = fileURLToPath(new URL('normal-quantile.c', import.meta.url));
      const program = join(folder, 'normal');
      const flags = [optimisation, '-ffp-contract=off', '-o', program, source, '-lm'];
      expect(spawnSync('cc', flags, { encoding: 'utf8' }).stderr).toBe('');
      const { stdout } = spawnSync(program, { maxBuffer: 2 ** 23 });
      const inC = new Float32Array(Uint8Array.from(stdout).buffer);
      const ours = new Float32Array(1_000_000);
      let word = 12_345;
      for (let i = 0; i < ours.length; i += 1) {
        word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
        ours[i] = normalOfWord(word);
      }
      expect(inC.length).toBe(ours.length);
      expect(Buffer.compare(Buffer.from(inC.buffer), Buffer.from(ours.buffer))).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
