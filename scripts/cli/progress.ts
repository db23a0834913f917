import cliProgress from 'cli-progress';
import type { CommandContext } from './command.ts';

/** What a long command tells of where it is. */
export interface ProgressUpdate {
  /** Steps done of `total`. */
  readonly step: number;
  /** Values to show beside it, such as `meta-loss 1.234`. */
  readonly detail?: string;
}

/** A bar on a terminal, a line now and then elsewhere. */
export interface Progress {
  update(update: ProgressUpdate): void;
  /** Prints a line without tearing the bar. */
  note(text: string): void;
  stop(): void;
}

export interface ProgressOptions {
  /** What is counted, in the plural: `steps`. */
  readonly unit: string;
  readonly total: number;
  /** Steps done before this was made: they don't count for the speed. */
  readonly start?: number;
}

// At most one line for each of these shares of the whole, and one a second: a log stays readable however long or fast the run.
const LINES = 50;
const LINE_MS = 1000;

/**
 * Progress on stderr: steps a second, what the command adds (the meta-loss) and the time left. Where stderr is no terminal, or a
 * dumb one, or NO_COLOR asks for plain text: whole lines without carriage returns or escapes, fewer than 200 of them.
 */
export function createProgress(options: ProgressOptions, { stderr, environment }: CommandContext): Progress {
  const plain = stderr.isTTY !== true || environment['TERM'] === 'dumb' || Boolean(environment['NO_COLOR']);
  return plain ? lineProgress(options, stderr) : barProgress(options, stderr);
}

function lineProgress({ unit, total, start = 0 }: ProgressOptions, stderr: CommandContext['stderr']): Progress {
  const speed = speedometer({ unit, start });
  let shown = -1;
  let shownMs = Number.NEGATIVE_INFINITY;
  return {
    update({ step, detail }) {
      const share = total === 0 ? LINES : Math.floor((step / total) * LINES);
      const now = performance.now();
      if (share === shown || (step !== total && now - shownMs < LINE_MS)) return;
      shown = share;
      shownMs = now;
      stderr.write(`${[`${step}/${total} ${unit}`, ...speed(step, total), ...(detail ? [detail] : [])].join(', ')}\n`);
    },
    note: (text) => void stderr.write(`${text}\n`),
    stop() {},
  };
}

function barProgress({ unit, total, start = 0 }: ProgressOptions, stderr: CommandContext['stderr']): Progress {
  const speed = speedometer({ unit, start });
  const bar = new cliProgress.SingleBar({
    format: `{bar} {value}/{total} ${unit}{rest}`,
    stream: stderr,
    barsize: 24,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    linewrap: false,
    fps: 8,
    gracefulExit: false,
    clearOnComplete: false,
  });
  bar.start(total, start, { rest: '' });
  return {
    update({ step, detail }) {
      bar.update(step, {
        rest: [...speed(step, total), ...(detail ? [detail] : [])].map((part) => ` · ${part}`).join(''),
      });
    },
    note(text) {
      // Clears the bar's line; the next frame draws it again below the note.
      stderr.write(`\r\u001B[K${text}\n`);
      bar.render();
    },
    stop: () => bar.stop(),
  };
}

/** Speed and time left as texts, from the steps done since `start`; nothing before the first step. */
function speedometer({
  unit,
  start,
}: Required<Omit<ProgressOptions, 'total'>>): (step: number, total: number) => string[] {
  const beganMs = performance.now();
  return (step, total) => {
    const perSecond = ((step - start) * 1000) / (performance.now() - beganMs);
    if (!(perSecond > 0)) return [];
    const left = step === total ? [] : [`${durationText(((total - step) / perSecond) * 1000)} left`];
    return [`${shortNumber(perSecond)} ${unit}/s`, ...left];
  };
}

/** Three significant digits: 0.0123, 1.23, 123. */
export function shortNumber(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);
}

/** A duration as a person says it: 850 ms, 12 s, 3 min 20 s, 2 h 5 min. */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
