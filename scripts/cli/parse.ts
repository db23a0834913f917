import yargs, { type Argv } from 'yargs';
import type { Command } from './command.ts';
import { suggestion } from './nearest.ts';
import { UsageError, type Options } from './option.ts';

/**
 * The strict layer over yargs. yargs splits the line and renders help; every value stays the text that was typed, until the option
 * reads it. What yargs would guess is switched off, what it would let pass is an error here.
 */
export interface ParsedLine {
  readonly positionals: readonly string[];
  readonly texts: ReadonlyMap<string, readonly string[]>;
}

const PARSER_CONFIGURATION = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'duplicate-arguments-array': true,
  'flatten-duplicate-arrays': false,
  'greedy-arrays': false,
  // A value may begin with a dash: -1e-3, or a directory.
  'nargs-eats-options': true,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'short-option-groups': false,
};

/** A yargs that guesses nothing, never exits, and speaks English. */
export function bareYargs(): Argv {
  return yargs()
    .parserConfiguration(PARSER_CONFIGURATION)
    .locale('en')
    .exitProcess(false)
    .showHelpOnFail(false)
    .version(false)
    .help(false)
    .wrap(HELP_WIDTH)
    .fail((message: string, error: Error | undefined) => {
      throw error ?? new UsageError(message);
    });
}

// A fixed width, so that help reads the same everywhere.
const HELP_WIDTH = 118;

/**
 * Splits the arguments of a command.
 * @throws UsageError for an unknown option, an option without its value, a flag with one, one given twice, or too many or too few positionals.
 */
export function parseLine(name: string, command: Command, argv: readonly string[]): ParsedLine {
  const { options } = command;
  const end = argv.indexOf('--');
  const before = end < 0 ? argv : argv.slice(0, end);
  const after = end < 0 ? [] : argv.slice(end + 1);
  // yargs takes the word after a flag for its value where it is `true` or `false`; said outright, it has no reason to.
  const explicit = before.map((word) => (isFlag(options, word) ? `${word}=true` : word));
  let configured = bareYargs();
  for (const [option, { placeholder }] of Object.entries(options))
    configured =
      placeholder === null
        ? configured.option(option, { type: 'boolean' })
        : configured.option(option, { type: 'string', nargs: 1 });
  const parsed = parseOrExplain(configured, explicit, name);

  const texts = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(parsed)) {
    if (key === '_' || key === '$0' || value === undefined) continue;
    const option = Object.hasOwn(options, key) ? options[key] : undefined;
    if (!option)
      throw new UsageError(
        `Cannot run lopt ${name}: unknown option ${dashes(key)}${suggestion(key, Object.keys(options), '--')}. lopt ${name} --help lists its options.`,
      );
    const given = (Array.isArray(value) ? value : [value]).map(String);
    for (const text of given) checkValue({ name, key, text, options, before });
    if (given.length > 1 && !option.repeatable)
      throw new UsageError(`Cannot run lopt ${name}: expected --${key} once but got it ${given.length} times`);
    texts.set(key, given);
  }
  const positionals = [...parsed._.map(String), ...after];
  checkPositionals(name, command, positionals);
  return { positionals, texts };
}

/** The help text of a command. */
export async function commandHelp(name: string, command: Command): Promise<string> {
  const usage = command.positionals ? ` ${command.positionals.usage}` : '';
  const positionals = command.positionals ? `\n\n${command.positionals.usage}: ${command.positionals.describe}` : '';
  let configured = bareYargs()
    .scriptName('lopt')
    .usage(`lopt ${name}${usage} [options]\n\n${command.describe}${positionals}`)
    .updateStrings({ 'Options:': 'Options:', 'Examples:': 'Examples:' });
  for (const [option, { describe, placeholder, defaultText }] of Object.entries(command.options))
    configured = configured.option(placeholder === null ? option : `${option} ${placeholder}`, {
      describe,
      ...(defaultText !== undefined && { defaultDescription: defaultText, default: defaultText }),
    });
  configured = configured.option('help', { describe: 'Show this text' });
  for (const [line, describe] of command.examples) configured = configured.example(`lopt ${line}`, describe);
  return await configured.getHelp();
}

function isFlag(options: Options, word: string): boolean {
  const name = word.startsWith('--') ? word.slice(2) : '';
  return Object.hasOwn(options, name) && options[name]?.placeholder === null;
}

function parseOrExplain(
  configured: Argv,
  words: readonly string[],
  name: string,
): Record<string, unknown> & { _: (string | number)[] } {
  try {
    return configured.parseSync([...words]);
  } catch (error) {
    const missing = error instanceof Error && /^Not enough arguments following: (.*)$/.exec(error.message)?.[1];
    if (!missing) throw error;
    throw new UsageError(`Cannot run lopt ${name}: expected a value after --${missing} but got none`);
  }
}

function checkValue({
  name,
  key,
  text,
  options,
  before,
}: {
  readonly name: string;
  readonly key: string;
  readonly text: string;
  readonly options: Options;
  readonly before: readonly string[];
}): void {
  if (options[key]?.placeholder === null) {
    const typed = before.find((word) => word.startsWith(`--${key}=`));
    if (typed)
      throw new UsageError(`Cannot run lopt ${name}: expected --${key} alone, as it takes no value, but got ${typed}`);
    return;
  }
  const swallowed = /^--([^=]+)/.exec(text)?.[1];
  if (swallowed !== undefined && Object.hasOwn(options, swallowed) && !before.includes(`--${key}=${text}`))
    throw new UsageError(
      `Cannot run lopt ${name}: expected a value after --${key} but got the option --${swallowed} (if a value is meant, write --${key}=--${swallowed})`,
    );
}

function checkPositionals(name: string, { positionals }: Command, given: readonly string[]): void {
  const [min, max] = [positionals?.min ?? 0, positionals?.max ?? 0];
  if (given.length > max)
    throw new UsageError(
      max === 0
        ? `Cannot run lopt ${name}: expected options only but got ${given.map((word) => JSON.stringify(word)).join(', ')}`
        : `Cannot run lopt ${name}: expected at most ${max} of ${positionals?.usage} but got ${given.length}: ${given.join(' ')}`,
    );
  if (given.length < min)
    throw new UsageError(
      `Cannot run lopt ${name}: expected ${positionals?.usage} but got ${given.length === 0 ? 'none' : `only ${given.length}`}. lopt ${name} --help shows how.`,
    );
}

function dashes(key: string): string {
  return key.length === 1 ? `-${key}` : `--${key}`;
}
