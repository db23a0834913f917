/**
 * Ctrl-C and its like. The first signal asks the command to save and return; the second ends the process at once, which tears nothing
 * because files are written aside and renamed.
 */

/** Why a command was asked to stop, and the exit code that says so: 128 + the signal's number, as shells have it. */
export interface StopReason {
  readonly cause: 'SIGINT' | 'SIGTERM' | 'EPIPE';
  readonly exitCode: 130 | 143 | 141;
}

/** Carried by an abort signal: a request to stop, no fault. */
export class StopRequest extends Error {
  override readonly name = 'StopRequest';
  readonly reason: StopReason;
  constructor(reason: StopReason) {
    super(`stopped by ${reason.cause}`);
    this.reason = reason;
  }
}

/** Watches signals and readers that go away. The returned abort signal's reason is a StopRequest. */
export function watchSignals(): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: StopReason): void => {
    if (controller.signal.aborted && reason.cause !== 'EPIPE') process.exit(reason.exitCode);
    controller.abort(new StopRequest(reason));
  };
  process.on('SIGINT', () => stop({ cause: 'SIGINT', exitCode: 130 }));
  process.on('SIGTERM', () => stop({ cause: 'SIGTERM', exitCode: 143 }));
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      stop({ cause: 'EPIPE', exitCode: 141 });
    });
  return controller.signal;
}

/** The exit code that a stopped command ends with; undefined where nothing stopped it. */
export function stoppedExitCode(signal: AbortSignal): number | undefined {
  return signal.aborted && signal.reason instanceof StopRequest ? signal.reason.reason.exitCode : undefined;
}
