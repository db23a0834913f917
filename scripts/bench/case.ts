import type { EngineDescription } from '../../jit/engines/engine.ts';
import { spread, type Spread } from '../../meta/statistics.ts';

/** What every benchmark result says besides its times. */
export interface BenchCase {
  readonly case: string;
  readonly engine: string;
  readonly device: string;
  readonly threads: number;
  /** Elements of all parameters. */
  readonly params: number;
}

/** The engine's part of a result. */
export function engineFacts({
  name,
  device,
  threads,
}: EngineDescription): Pick<BenchCase, 'engine' | 'device' | 'threads'> {
  return { engine: name, device, threads };
}

/** The highest resident memory of this process so far. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Milliseconds since the process began, loading of modules included. */
export function sinceStartMs(): number {
  return process.uptime() * 1000;
}

export interface RepeatOptions {
  /** At least so many measurements... */
  readonly least: number;
  /** ...and more until this much time has passed... */
  readonly ms: number;
  /** ...but no more than these. */
  readonly most: number;
  readonly signal: AbortSignal;
}

/** Runs a step again and again; gives the milliseconds of each and when the first was done. The first, which compiles lazily, isn't measured. */
export async function repeat(
  step: () => Promise<void>,
  { least, ms, most, signal }: RepeatOptions,
): Promise<{ readonly firstStepMs: number; readonly timesMs: Spread }> {
  await step();
  const firstStepMs = sinceStartMs();
  // One more unmeasured: code that was just compiled is not warm yet.
  await step();
  const times: number[] = [];
  const beganMs = performance.now();
  while (times.length < least || (times.length < most && performance.now() - beganMs < ms)) {
    signal.throwIfAborted();
    const startMs = performance.now();
    await step();
    times.push(performance.now() - startMs);
  }
  return { firstStepMs: Math.round(firstStepMs), timesMs: spread(times) };
}

/** A spread in other units. */
export function scaled({ min, median, max }: Spread, factor: number): Spread {
  return { min: threeDigits(min * factor), median: threeDigits(median * factor), max: threeDigits(max * factor) };
}

function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}
