import type { Writable } from 'node:stream';
import type { Options, OptionValues } from './option.ts';

/** The world around a command. */
export interface CommandContext {
  /** Results, and nothing else. */
  readonly stdout: Writable;
  /** Progress and messages. */
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C, SIGTERM or a reader that went away: save and return. */
  readonly signal: AbortSignal;
}

/** What a command takes besides options. */
export interface Positionals {
  /** As usage lines show it: `OPTIMIZER...`. */
  readonly usage: string;
  readonly describe: string;
  readonly min: number;
  readonly max: number;
}

/** A command: what help says of it, and what it does. */
export interface CommandSpec<O extends Options> {
  readonly describe: string;
  readonly positionals?: Positionals;
  readonly options: O;
  /** Command line (without `lopt`) and what it does. */
  readonly examples: readonly (readonly [line: string, describe: string])[];
  /** Gives the exit code; nothing means 0. Whatever is heavy is imported inside. */
  run(
    given: { readonly positionals: readonly string[]; readonly options: OptionValues<O> },
    context: CommandContext,
  ): Promise<number | void>;
}

/** A command whose option types are its own affair. */
export interface Command {
  readonly describe: string;
  readonly positionals?: Positionals;
  readonly options: Options;
  readonly examples: CommandSpec<Options>['examples'];
  /** Reads the options' texts and runs. @throws UsageError for what can't be read. */
  execute(
    given: { readonly positionals: readonly string[]; readonly texts: ReadonlyMap<string, readonly string[]> },
    context: CommandContext,
  ): Promise<number>;
}

/** A command from its spec. */
export function defineCommand<O extends Options>(spec: CommandSpec<O>): Command {
  return {
    describe: spec.describe,
    ...(spec.positionals && { positionals: spec.positionals }),
    options: spec.options,
    examples: spec.examples,
    async execute({ positionals, texts }, context) {
      const values = Object.fromEntries(
        Object.entries(spec.options).map(([name, option]) => [name, option.read(texts.get(name) ?? [], `--${name}`)]),
      );
      // Object.fromEntries forgets which name has which type; each value was made by the option of its name.
      const options = values as OptionValues<O>;
      return (await spec.run({ positionals, options }, context)) ?? 0;
    },
  };
}
