import { describe, expect, test } from 'vitest';
import { defineCommand, type CommandContext } from '../../scripts/cli/command.ts';
import {
  flag,
  optional,
  repeated,
  required,
  withDefault,
  type OptionValues,
  type Options,
} from '../../scripts/cli/option.ts';
import { commandHelp, parseLine } from '../../scripts/cli/parse.ts';
import { assignment, choice, count, jsonObject, number, text, threads } from '../../scripts/cli/read-text.ts';

const options = {
  lr: withDefault('Learning rate', 'X', number({ min: 0 }), { value: 0.1 }),
  shift: optional('A number', 'X', number()),
  steps: optional('Steps', 'N', count()),
  threads: optional('Threads', 'N', threads),
  engine: optional('Engine', 'NAME', choice(['onnx', 'eager'])),
  out: optional('Where to', 'DIR', text),
  set: repeated('One item', 'A.B=C', assignment),
  options: optional('Options', 'JSON', jsonObject),
  json: flag('As JSON'),
} satisfies Options;

/** Runs a command line and gives what the command got. */
async function run(
  argv: readonly string[],
): Promise<{ positionals: readonly string[]; options: OptionValues<typeof options> }> {
  let given: { positionals: readonly string[]; options: OptionValues<typeof options> } | undefined;
  const command = defineCommand({
    describe: 'Tries options.',
    positionals: { usage: 'NAME...', describe: 'names', min: 1, max: 3 },
    options,
    examples: [['try a', 'Tries a']],
    run: async (received) => {
      given = received;
    },
  });
  // The command under test touches nothing of its context.
  await command.execute(parseLine('try', command, argv), {} as CommandContext);
  if (!given) throw new Error('expected the command to run');
  return given;
}

async function messageOf(argv: readonly string[]): Promise<string> {
  try {
    await run(argv);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new Error(`expected ${argv.join(' ')} to be refused`);
}

describe('values', () => {
  test('names that look like numbers stay as they were typed', async () => {
    const { positionals, options } = await run(['1e3', '007', '0x10', '--out', '12345678901234567890']);
    expect(positionals).toEqual(['1e3', '007', '0x10']);
    expect(options.out).toBe('12345678901234567890');
  });

  test('numbers may begin with a dash and have exponents', async () => {
    const { options } = await run(['a', '--shift', '-1e-3', '--lr=1e3', '--steps', '1e3']);
    expect(options).toMatchObject({ shift: -1e-3, lr: 1000, steps: 1000 });
  });

  test('zero is not unset', async () => {
    expect((await run(['a', '--lr', '0', '--steps', '0'])).options).toMatchObject({ lr: 0, steps: 0 });
  });

  test('what is absent is undefined, the default, none or false', async () => {
    const { options } = await run(['a']);
    expect(options.steps).toBeUndefined();
    expect(options.lr).toBe(0.1);
    expect(options.set).toEqual([]);
    expect(options.json).toBe(false);
  });

  test('paths may begin with a dash and hold blanks, #, %, commas and =', async () => {
    const { options, positionals } = await run(['--out', '-a b#c%', '--set', 'mnist=../d=a,b', '--', '-x', '--json']);
    expect(options.out).toBe('-a b#c%');
    expect(options.set).toEqual([['mnist', '../d=a,b']]);
    expect(positionals).toEqual(['-x', '--json']);
  });

  test('a flag takes nothing of what follows it', async () => {
    const { options, positionals } = await run(['--json', 'true', 'false']);
    expect(options.json).toBe(true);
    expect(positionals).toEqual(['true', 'false']);
  });

  test('repeated options keep their order', async () => {
    const { options } = await run(['a', '--set', 'a.b=1', '--set', 'c=-2']);
    expect(options.set).toEqual([
      ['a.b', '1'],
      ['c', '-2'],
    ]);
  });
});

describe('refusals', () => {
  test.each<[string[], string]>([
    [['a', '--lr', 'fast'], 'Cannot read --lr: expected a number but got "fast"'],
    [['a', '--lr', 'NaN'], 'Cannot read --lr: expected a number but got "NaN"'],
    [['a', '--lr', '0x10'], 'Cannot read --lr: expected a number but got "0x10"'],
    [['a', '--lr', '1e999'], 'Cannot read --lr: expected a number but got "1e999"'],
    [['a', '--lr', '-1'], 'Cannot read --lr: expected a number of at least 0 but got -1'],
    [['a', '--steps', '1.5'], 'Cannot read --steps: expected a whole number of at least 0 but got "1.5"'],
    [['a', '--threads', '0'], 'Cannot read --threads: expected a whole number from 1 to 1024 but got "0"'],
    [['a', '--threads', '-1'], 'Cannot read --threads: expected a whole number from 1 to 1024 but got "-1"'],
    [['a', '--threads', 'two'], 'Cannot read --threads: expected a whole number from 1 to 1024 but got "two"'],
    [['a', '--engine', 'onx'], 'Cannot read --engine: expected one of onnx, eager but got "onx"'],
    [['a', '--set', 'a'], 'Cannot read --set: expected NAME=VALUE but got "a"'],
    [['a', '--options', '[1]'], `Cannot read --options: expected a JSON object such as '{"hidden":4}' but got "[1]"`],
    [['a', '--out='], 'Cannot read --out: expected a value but got an empty text'],
    [['a', '--out'], 'Cannot run lopt try: expected a value after --out but got none'],
    [
      ['a', '--out', '--json'],
      'Cannot run lopt try: expected a value after --out but got the option --json (if a value is meant, write --out=--json)',
    ],
    [['a', '--out', 'x', '--out', 'y'], 'Cannot run lopt try: expected --out once but got it 2 times'],
    [['a', '--json=no'], 'Cannot run lopt try: expected --json alone, as it takes no value, but got --json=no'],
    [
      ['a', '--step', '5'],
      'Cannot run lopt try: unknown option --step (did you mean --steps?). lopt try --help lists its options.',
    ],
    [['a', '-x'], 'Cannot run lopt try: unknown option -x. lopt try --help lists its options.'],
    [['a', '--no-json'], 'Cannot run lopt try: unknown option --no-json. lopt try --help lists its options.'],
    [[], 'Cannot run lopt try: expected NAME... but got none. lopt try --help shows how.'],
    [['a', 'b', 'c', 'd'], 'Cannot run lopt try: expected at most 3 of NAME... but got 4: a b c d'],
  ])('%j', async (argv, message) => {
    expect(await messageOf(argv)).toBe(message);
  });

  test('of JSON that can’t be read name the place', async () => {
    expect(await messageOf(['a', '--options', '{hidden:4}'])).toMatch(
      /^Cannot read --options: expected a JSON object such as '\{"hidden":4\}' but got "\{hidden:4\}" \(.+\)$/,
    );
  });
});

test('a required option is named when it lacks', () => {
  expect(() => required('Where to', 'DIR', text).read([], '--out')).toThrow(
    'Cannot run without --out: expected --out DIR',
  );
});

test('help shows usage, options with defaults, and examples', async () => {
  const command = defineCommand({
    describe: 'Tries options.',
    positionals: { usage: 'NAME...', describe: 'names of things', min: 1, max: 3 },
    options: { lr: options.lr, json: options.json },
    examples: [['try a --lr 1', 'Tries a']],
    run: async () => undefined,
  });
  expect(await commandHelp('try', command)).toMatchInlineSnapshot(`
    "lopt try NAME... [options]

    Tries options.

    NAME...: names of things

    Options:
      --lr X  Learning rate                                                                                 [default: 0.1]
      --json  As JSON
      --help  Show this text

    Examples:
      lopt try a --lr 1  Tries a"
  `);
});
