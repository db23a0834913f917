import { availableParallelism } from 'node:os';
import { UsageError, type TextReader } from './option.ts';

/** Any text but the empty one: names and paths, exactly as typed. */
export const text: TextReader<string> = (given, name) => {
  if (given === '') throw new UsageError(`Cannot read ${name}: expected a value but got an empty text`);
  return given;
};

// What a person writes for a number: digits, a sign, a point, an exponent. No hexadecimal, no blanks, no Infinity.
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** A finite number, such as 0.01, -1e-3 or 1e3. */
export function number({
  min = Number.NEGATIVE_INFINITY,
  max = Number.POSITIVE_INFINITY,
}: {
  readonly min?: number;
  readonly max?: number;
} = {}): TextReader<number> {
  return (given, name) => {
    const value = NUMBER.test(given) ? Number(given) : Number.NaN;
    if (!Number.isFinite(value))
      throw new UsageError(`Cannot read ${name}: expected a number but got ${quoted(given)}`);
    if (value < min || value > max)
      throw new UsageError(`Cannot read ${name}: expected a number ${rangeText(min, max)} but got ${given}`);
    return value;
  };
}

/** A whole number, written in any way that means one: 500, 1e3. */
export function count({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: { readonly min?: number; readonly max?: number } = {}): TextReader<number> {
  return (given, name) => {
    const value = NUMBER.test(given) ? Number(given) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < min || value > max)
      throw new UsageError(
        `Cannot read ${name}: expected a whole number ${rangeText(min, max === Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : max)} but got ${quoted(given)}`,
      );
    return value;
  };
}

/** One of a closed set. */
export function choice<const C extends readonly string[]>(choices: C): TextReader<C[number]> {
  return (given, name) => {
    const found = choices.find((choice) => choice === given);
    if (found === undefined)
      throw new UsageError(`Cannot read ${name}: expected one of ${choices.join(', ')} but got ${quoted(given)}`);
    return found;
  };
}

/** A JSON object. */
export const jsonObject: TextReader<Readonly<Record<string, unknown>>> = (given, name) => {
  let value: unknown;
  try {
    value = JSON.parse(given);
  } catch (error) {
    throw new UsageError(
      `Cannot read ${name}: expected a JSON object such as '{"hidden":4}' but got ${quoted(given)} (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`Cannot read ${name}: expected a JSON object such as '{"hidden":4}' but got ${quoted(given)}`);
  return value as Record<string, unknown>;
};

/** NAME=VALUE, split at the first `=` (values are paths and may hold more of them). */
export const assignment: TextReader<readonly [name: string, value: string]> = (given, name) => {
  const at = given.indexOf('=');
  if (at < 1 || at === given.length - 1)
    throw new UsageError(`Cannot read ${name}: expected NAME=VALUE but got ${quoted(given)}`);
  return [given.slice(0, at), given.slice(at + 1)];
};

/** Number of threads, 1 to 1024. */
export const threads: TextReader<number> = count({ min: 1, max: 1024 });

/** Threads that this process may use: affinity and container limits count. */
export function defaultThreads(): number {
  return availableParallelism();
}

function rangeText(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === Number.NEGATIVE_INFINITY ? '' : `of at least ${min}`;
  return min === Number.NEGATIVE_INFINITY ? `of at most ${max}` : `from ${min} to ${max}`;
}

function quoted(given: string): string {
  return JSON.stringify(given);
}
