import { execFile, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { LOPT, runLopt, temporaryDirectory, type Ended } from './run-lopt.ts';

// Signals to real processes: what a person's Ctrl-C, a scheduler's SIGTERM and a closed pipe do.

const SMOKE = ['meta-train', '--recipe', 'smoke', '--steps', '5000', '--threads', '1'];
const run = promisify(execFile);

/** Calls back once, when stderr first shows a text. */
function whenShown(child: ChildProcess, pattern: RegExp, action: () => void): void {
  let seen = '';
  const listen = (text: Buffer | string): void => {
    seen += String(text);
    if (!pattern.test(seen)) return;
    child.stderr?.off('data', listen);
    action();
  };
  child.stderr?.on('data', listen);
}

function signalled(signals: readonly NodeJS.Signals[], at: RegExp, cwd: string): Promise<Ended> {
  return runLopt([...SMOKE, '--out', 'a'], {
    cwd,
    onStart: (child) =>
      whenShown(child, at, () => {
        for (const signal of signals) child.kill(signal);
      }),
  });
}

/** The run goes on from where it is, for one more step, and its metrics have no gap. */
async function expectResumable(cwd: string): Promise<void> {
  const resumed = await runLopt(['meta-train', '--resume', 'a', '--stop-after', '1'], { cwd });
  expect(resumed.stderr).toMatch(/a: stopped after \d+ of 5000 outer steps/);
  expect(resumed.code).toBe(0);
  const steps = readFileSync(join(cwd, 'a', 'metrics.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { readonly step: number }).step);
  expect(steps).toEqual([...steps.keys()]);
}

describe('meta-train', () => {
  test.each<[NodeJS.Signals, number]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('%s saves and exits with %i', async (signal, code) => {
    const cwd = temporaryDirectory();
    const ended = await signalled([signal], /\d+\/5000 steps/, cwd);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain('lopt meta-train --resume a goes on');
    await expectResumable(cwd);
  });

  test('three Ctrl-C at once end it at once and tear nothing', async () => {
    const cwd = temporaryDirectory();
    const ended = await signalled(['SIGINT', 'SIGINT', 'SIGINT'], /[1-9]\d*\/5000 steps/, cwd);
    expect(ended.code).toBe(130);
    await expectResumable(cwd);
  });

  test('Ctrl-C while it compiles ends it with 130', async () => {
    const cwd = temporaryDirectory();
    const ended = await signalled(['SIGINT'], /engine onnx/, cwd);
    expect(ended.code).toBe(130);
    expect(existsSync(join(cwd, 'a', 'config.json'))).toBe(true);
    await expectResumable(cwd);
  });

  test('a closed pipe ends it without a stack, and it resumes', async () => {
    const cwd = temporaryDirectory();
    const script = `"${process.execPath}" "${LOPT}" ${SMOKE.join(' ')} --out a 2>&1 | head -1`;
    const { stdout, stderr } = await run('bash', ['-c', script], { cwd });
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe('');
    await expectResumable(cwd);
  });
});

test('Ctrl-C to evaluate exits with 130', async () => {
  const ended = await runLopt(['evaluate', 'adam', '--tasks', 'image-mlp', '--steps', '2000'], {
    onStart: (child) => whenShown(child, /steps/, () => child.kill('SIGINT')),
  });
  expect(ended.code).toBe(130);
  expect(ended.stdout).toBe('');
});
