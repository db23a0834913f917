import type { Engine, Executable } from '../../jit/engines/engine.ts';

/** What part of the time went where, from 0 to 1. */
export interface Share {
  readonly part: string;
  readonly share: number;
}

/** Adds up the time during which parts are under way; overlapping calls of a part count once. */
export class PartTimer {
  readonly #parts = new Map<string, { ms: number; active: number; sinceMs: number }>();

  /** Times a call. */
  async time<T>(name: string, call: () => Promise<T>): Promise<T> {
    const part = this.#part(name);
    if (part.active === 0) part.sinceMs = performance.now();
    part.active += 1;
    try {
      return await call();
    } finally {
      part.active -= 1;
      if (part.active === 0) part.ms += performance.now() - part.sinceMs;
    }
  }

  /** Times a call that returns at once. */
  timeSync<T>(name: string, call: () => T): T {
    const part = this.#part(name);
    const beganMs = performance.now();
    try {
      return call();
    } finally {
      part.ms += performance.now() - beganMs;
    }
  }

  reset(): void {
    this.#parts.clear();
  }

  /** Shares of `totalMs`; what no part was timed for is the host's own. */
  shares(totalMs: number): readonly Share[] {
    const timed = [...this.#parts].map(([part, { ms }]) => ({ part, share: ms / totalMs }));
    const rest = 1 - timed.reduce((sum, { share }) => sum + share, 0);
    return [...timed, { part: 'noise, plans, credit (host)', share: Math.max(0, rest) }].toSorted(
      (a, b) => b.share - a.share,
    );
  }

  #part(name: string): { ms: number; active: number; sinceMs: number } {
    const part = this.#parts.get(name) ?? { ms: 0, active: 0, sinceMs: 0 };
    this.#parts.set(name, part);
    return part;
  }
}

/** An engine whose runs and copies are timed. */
export function timedEngine(engine: Engine, timer: PartTimer): Engine {
  return {
    description: engine.description,
    concurrency: engine.concurrency,
    upload: (array) => timer.timeSync('copies in', () => engine.upload(array)),
    download: (handle) => engine.download(handle),
    compile: async (graph, options): Promise<Executable> => {
      const executable = await engine.compile(graph, options);
      const part = (options?.particles ?? 1) > 1 ? 'windows (engine)' : 'outer update (engine)';
      return {
        run: (inputs) => timer.time(part, () => executable.run(inputs)),
        dispose: () => executable.dispose(),
      };
    },
    dispose: () => engine.dispose(),
  };
}
