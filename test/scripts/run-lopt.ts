import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** The command as it was built: these tests run what a user runs. */
export const LOPT = fileURLToPath(new URL('../../dist/scripts/lopt.js', import.meta.url));

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What starts the process: a command and its words before node. */
  readonly before?: readonly string[];
  /** Flags for node itself. */
  readonly nodeFlags?: readonly string[];
  /** Sees the process as it starts. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs `lopt` as a child process, without a terminal. */
export function runLopt(
  argv: readonly string[],
  { cwd, environment = {}, before = [], nodeFlags = [], onStart }: RunOptions = {},
): Promise<Ended> {
  if (!existsSync(LOPT)) throw new Error(`Cannot test the command line: expected ${LOPT}; npm run build makes it`);
  return new Promise((resolve, reject) => {
    const [command = process.execPath, ...words] = [...before, process.execPath, ...nodeFlags, LOPT, ...argv];
    const child = spawn(command, words, {
      cwd,
      env: { ...withoutTerminal(process.env), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    onStart?.(child);
  });
}

/** What a test runner sets to colour its own output is none of the command's business. */
function withoutTerminal({
  FORCE_COLOR: _force,
  NO_COLOR: _none,
  LOPT_DEBUG: _debug,
  ...rest
}: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return rest;
}

/** An empty directory that goes away with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'lopt-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
