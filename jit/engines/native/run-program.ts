import { execFile } from 'node:child_process';
import { constants } from 'node:os';

export interface ProgramResult {
  /** Exit code; 128 and more for a signal; undefined where the program couldn't be started. */
  readonly code: number | undefined;
  /** Why it ended, in words: `exit code 1`, `signal SIGKILL`, `ENOENT`. */
  readonly end: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunProgramOptions {
  readonly cwd?: string;
}

/** Runs a program without input, in the language that its messages are looked for in. Never rejects. */
export function runProgram(
  program: string,
  parameters: readonly string[],
  options: RunProgramOptions = {},
): Promise<ProgramResult> {
  const env = { ...process.env, LC_ALL: 'C' };
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...parameters],
      { ...options, env, maxBuffer: 64 << 20, encoding: 'utf8' },
      (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, end: 'exit code 0', stdout, stderr });
        else if (typeof error.code === 'number')
          resolve({ code: error.code, end: `exit code ${error.code}`, stdout, stderr });
        else if (error.signal !== undefined && error.signal !== null)
          resolve({ code: 128 + constants.signals[error.signal], end: `signal ${error.signal}`, stdout, stderr });
        else resolve({ code: undefined, end: error.code ?? error.message, stdout, stderr });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end();
  });
}
