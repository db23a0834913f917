import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMetrics } from '../../checkpoints/files/metrics-log.ts';
import { readRunCheckpoint } from '../../checkpoints/files/read-checkpoint.ts';
import { uniform } from '../../jit/random/draws.ts';
import { rootKey } from '../../jit/random/key.ts';

const LOPT = fileURLToPath(new URL('../../dist/scripts/lopt.js', import.meta.url));
const KILLS = 10;

let root: string;
beforeAll(async () => {
  if (!existsSync(LOPT)) throw new Error(`Cannot test the command line: expected ${LOPT}; run npm run build first`);
  root = await mkdtemp(join(tmpdir(), 'lopt-kill-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

interface Lopt {
  readonly process: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null; stderr: string }>;
}

function lopt(...args: string[]): Lopt {
  const child = spawn(process.execPath, [LOPT, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text) => (stderr += String(text)));
  const ended = new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal, stderr }));
  });
  return { process: child, ended };
}

async function succeed(...args: string[]): Promise<void> {
  const { code, stderr } = await lopt(...args).ended;
  if (code !== 0) throw new Error(`lopt ${args.join(' ')} ended with ${String(code)}: ${stderr}`);
}

/** Everything that must not depend on kills. */
async function outcome(run: string) {
  const exported = join(root, 'exported.onnx');
  await rm(exported, { force: true });
  await succeed('export', run, '--out', exported);
  const { checkpoint, step } = await readRunCheckpoint(run);
  const { tensors, facts } = checkpoint;
  const metrics = (await readMetrics(join(run, 'metrics.ndjson'))).map((record) =>
    Object.assign({}, record, { ms: 0 }),
  );
  return { step, tensors, facts, metrics, exported: await readFile(exported) };
}

/** Engines, with outer steps enough that most kills fall into training. */
const ENGINES = [
  { engine: 'onnx', steps: 300 },
  { engine: 'native', steps: 1200 },
] as const;

describe.each(ENGINES)('a run on $engine that is killed', ({ engine, steps }) => {
  const settings = `--recipe smoke --engine ${engine} --steps ${steps} --seed 3 --set checkpoints.every=7`;
  const SETTINGS = settings.split(' ');

  it(`ends at the same bytes after ${KILLS} kills at random moments`, async () => {
    const [whole, killed] = [join(root, `whole ${engine}`), join(root, `killed ${engine}`)];
    await succeed('meta-train', ...SETTINGS, '--out', whole);
    const moments = uniform(rootKey(`kills ${Date.now()}`), 4 * KILLS);
    let kills = 0;
    for (const moment of moments) {
      if (kills === KILLS) break;
      const started = existsSync(join(killed, 'config.json'));
      const run = lopt('meta-train', ...(started ? ['--resume', killed] : [...SETTINGS, '--out', killed]));
      // Starting takes a second or so: some kills fall into it, most into training.
      const timer = setTimeout(() => run.process.kill('SIGKILL'), 400 + 2600 * moment);
      const { code, signal, stderr } = await run.ended;
      clearTimeout(timer);
      if (signal === 'SIGKILL') kills += 1;
      // Done before its kill: start over, so that ten kills hit runs in progress.
      else if (code === 0) await rm(killed, { recursive: true });
      else throw new Error(`the run ended with ${String(code)}: ${stderr}`);
    }
    expect(kills).toBe(KILLS);
    const started = existsSync(join(killed, 'config.json'));
    await succeed('meta-train', ...(started ? ['--resume', killed] : [...SETTINGS, '--out', killed]));
    expect(await outcome(killed)).toEqual(await outcome(whole));
  });

  it('saves on SIGINT, ends with 130, and goes on to the same bytes', async () => {
    const [whole, stopped] = [join(root, `whole ${engine}`), join(root, `stopped ${engine}`)];
    const run = lopt('meta-train', ...SETTINGS, '--out', stopped);
    while (
      !existsSync(join(stopped, 'metrics.ndjson')) ||
      (await readMetrics(join(stopped, 'metrics.ndjson'))).length < 3
    )
      await new Promise((resolve) => setTimeout(resolve, 20));
    run.process.kill('SIGINT');
    expect(await run.ended).toMatchObject({ code: 130 });
    const { step } = await readRunCheckpoint(stopped);
    expect(await readMetrics(join(stopped, 'metrics.ndjson'))).toHaveLength(step);
    await succeed('meta-train', '--resume', stopped);
    expect(await outcome(stopped)).toEqual(await outcome(whole));
  });
});
