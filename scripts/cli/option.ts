/**
 * Options of commands as typed data. Every value arrives from the command line as the text that was typed and is read by the option's
 * own `read`: nothing is guessed to be a number (a run directory may be called 1e3), and no bad number becomes NaN.
 */

/** One option. `T` is what the command gets. */
export interface Option<T> {
  readonly describe: string;
  /** What stands for the value in help texts, such as DIR. A flag has none. */
  readonly placeholder: string | null;
  readonly repeatable: boolean;
  /** The default as help shows it. */
  readonly defaultText?: string;
  /** From the texts given (none where the option is absent). @throws RangeError or SyntaxError for what it can't take. */
  read(texts: readonly string[], name: string): T;
}

/** Options by name. */
// The value types differ from option to option; `OptionValues` gives each its own back.
export type Options = Readonly<Record<string, Option<unknown>>>;

/** What a command gets of its options. */
export type OptionValues<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

/** Reads one text. `name` is the option as typed, `--steps`, for messages. */
export type TextReader<T> = (text: string, name: string) => T;

/** A switch without a value. */
export function flag(describe: string): Option<boolean> {
  return { describe, placeholder: null, repeatable: false, read: (texts) => texts.length > 0 };
}

/** An option that may be left out: the command gets undefined. */
export function optional<T>(describe: string, placeholder: string, reader: TextReader<T>): Option<T | undefined> {
  return {
    describe,
    placeholder,
    repeatable: false,
    read: ([text], name) => (text === undefined ? undefined : reader(text, name)),
  };
}

/** An option with a default. `defaultText` is how help shows it. */
export function withDefault<T>(
  describe: string,
  placeholder: string,
  reader: TextReader<T>,
  { value, text = String(value) }: { readonly value: T; readonly text?: string },
): Option<T> {
  return {
    describe,
    placeholder,
    repeatable: false,
    defaultText: text,
    read: ([given], name) => (given === undefined ? value : reader(given, name)),
  };
}

/** An option that must be given. */
export function required<T>(describe: string, placeholder: string, reader: TextReader<T>): Option<T> {
  return {
    describe: `${describe} (required)`,
    placeholder,
    repeatable: false,
    read: ([text], name) => {
      if (text === undefined) throw new UsageError(`Cannot run without ${name}: expected ${name} ${placeholder}`);
      return reader(text, name);
    },
  };
}

/** An option that may be given several times: the command gets all values in order. */
export function repeated<T>(describe: string, placeholder: string, reader: TextReader<T>): Option<readonly T[]> {
  return {
    describe: `${describe} (may be repeated)`,
    placeholder,
    repeatable: true,
    read: (texts, name) => texts.map((text) => reader(text, name)),
  };
}

/** A command line that can't be carried out as typed: a message without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
