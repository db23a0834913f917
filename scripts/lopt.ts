#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import type { CommandContext } from './cli/command.ts';
import { suggestion } from './cli/nearest.ts';
import { UsageError } from './cli/option.ts';
import { bareYargs, commandHelp, parseLine } from './cli/parse.ts';
import { StopRequest, stoppedExitCode, watchSignals } from './cli/signals.ts';
import { COMMANDS } from './commands.ts';

/**
 * The command line. Only what the named command needs is loaded: `lopt --help` loads yargs and nothing heavy.
 * Results go to stdout, progress and messages to stderr. Exit codes: 0, 1 for an error, 130 and 143 after Ctrl-C and SIGTERM.
 */
async function main(argv: readonly string[], context: CommandContext): Promise<number> {
  const [first, second] = argv;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    await print(context, await overview([...COMMANDS.keys()]));
    return first === undefined ? 1 : 0;
  }
  if (first === '--version') {
    await print(context, await version());
    return 0;
  }
  const name = COMMANDS.has(first) ? first : `${first} ${second ?? ''}`.trim();
  const entry = COMMANDS.get(name);
  if (!entry) return await unknownCommand(argv, context);
  const command = await entry.load();
  const rest = argv.slice(name.split(' ').length);
  if (wantsHelp(rest)) {
    await print(context, await commandHelp(name, command));
    return 0;
  }
  return await command.execute(parseLine(name, command, rest), context);
}

/** Help was asked for, not given as a value or after `--`. */
function wantsHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return (end < 0 ? words : words.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

/** A group such as `bench` shows its members; anything else is an error that suggests. */
async function unknownCommand([first = '', ...rest]: readonly string[], context: CommandContext): Promise<number> {
  const members = [...COMMANDS.keys()].filter((name) => name.startsWith(`${first} `));
  if (members.length > 0 && wantsHelp(rest)) {
    await print(context, await overview(members));
    return 0;
  }
  if (members.length > 0)
    throw new UsageError(
      `Cannot run lopt ${first}: expected one of ${members.join(', ')} but got ${rest[0] === undefined ? 'nothing more' : JSON.stringify(rest[0])}`,
    );
  throw new UsageError(
    first.startsWith('-')
      ? `Cannot run lopt: expected a command before ${first}. lopt --help lists the commands.`
      : `Cannot run lopt: unknown command ${JSON.stringify(first)}${suggestion(first, COMMANDS.keys())}. lopt --help lists the commands.`,
  );
}

async function overview(names: readonly string[]): Promise<string> {
  let configured = bareYargs().scriptName('lopt').usage('lopt COMMAND [options]');
  for (const name of names) configured = configured.command(name, COMMANDS.get(name)?.summary ?? '');
  return await configured
    .option('help', { describe: 'Show this text, or that of a command: lopt evaluate --help' })
    .option('version', { describe: 'Show the version' })
    .example('lopt meta-train --recipe smoke --out runs/a', 'Meta-train for a few seconds')
    .example('lopt train --task image-mlp --optimizer runs/a', 'Use the result on a task')
    .example('lopt evaluate runs/a adam --tasks held-out', 'Compare it with tuned Adam')
    .getHelp();
}

async function version(): Promise<string> {
  // The package's own file, two folders above dist/scripts.
  const file = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(file) as { version: unknown }).version);
}

function print({ stdout }: CommandContext, text: string): Promise<void> {
  return new Promise((resolve) => {
    stdout.write(`${text}\n`, () => resolve());
  });
}

/** One line for the user; the stack where LOPT_DEBUG asks for it. */
function report(error: unknown, { stderr, environment }: CommandContext): void {
  const message = error instanceof Error ? error.message : String(error);
  const text = environment['LOPT_DEBUG'] && error instanceof Error ? (error.stack ?? message) : message;
  stderr.write(`lopt: ${text}\n`);
}

const signal = watchSignals();
const context: CommandContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  signal,
};

let exitCode: number;
try {
  exitCode = await main(process.argv.slice(2), context);
} catch (error) {
  exitCode = 1;
  const askedFor = error instanceof StopRequest || (error instanceof Error && error.name === 'AbortError');
  if (!(askedFor && signal.aborted)) report(error, context);
}
// Node.js writes to pipes later: what a reader hasn't taken yet would be lost.
for (const stream of [process.stdout, process.stderr])
  if (!stream.destroyed) await new Promise<void>((resolve) => stream.write('', () => resolve()));
// Worker threads and sessions may linger; what had to be saved has been.
process.exit(stoppedExitCode(signal) ?? exitCode);
