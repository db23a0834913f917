import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** As it was built: the limit below needs a process of its own. */
const MODULE = new URL('../../../dist/checkpoints/files/atomic-write.js', import.meta.url);

test.runIf(process.platform === 'linux')(
  'a write that the system breaks off half-way leaves the old file, for real',
  async () => {
    if (!existsSync(MODULE)) throw new Error(`expected ${MODULE.href}; npm run build makes it`);
    const directory = await mkdtemp(join(tmpdir(), 'lopt-full-'));
    const path = join(directory, 'run.safetensors');
    await writeFile(path, 'old');
    const program = `
    const { writeFileAtomically } = await import(${JSON.stringify(MODULE.href)});
    await writeFileAtomically(${JSON.stringify(path)}, new Uint8Array(1 << 20)).catch((error) => console.log(error.message));`;
    // No file of more than 64 blocks of 1 KiB may be written: the write fails after the first of them, as on a full disk.
    const { stdout } = spawnSync(
      'bash',
      ['-c', 'ulimit -f 64; exec "$0" --input-type=module -e "$1"', process.execPath, program],
      {
        encoding: 'utf8',
      },
    );
    expect(stdout).toBe(
      `Cannot write ${path}: the file would be larger than this process may write (EFBIG). What it held before is unchanged\n`,
    );
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(directory)).toEqual(['run.safetensors']);
    await rm(directory, { recursive: true });
  },
);
