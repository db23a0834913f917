import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { commandHelp, parseLine } from '../../scripts/cli/parse.ts';
import { COMMANDS } from '../../scripts/commands.ts';
import { runLopt } from './run-lopt.ts';
import { splitWords } from './split-words.ts';

describe.each([...COMMANDS])('lopt %s', (name, entry) => {
  test('shows examples that its own options take', async () => {
    const command = await entry.load();
    expect(command.examples.length).toBeGreaterThan(0);
    for (const [line] of command.examples) {
      const words = splitWords(line);
      const own = name.split(' ');
      expect(words.slice(0, own.length)).toEqual(own);
      const { texts } = parseLine(name, command, words.slice(own.length));
      for (const [option, given] of texts) command.options[option]?.read(given, `--${option}`);
    }
  });

  test('explains every option', async () => {
    const command = await entry.load();
    const help = await commandHelp(name, command);
    expect(help).toContain(`lopt ${name}`);
    for (const [option, { placeholder }] of Object.entries(command.options))
      expect(help).toContain(`--${option}${placeholder === null ? '' : ` ${placeholder}`}`);
    // Readable on a terminal of 118 columns.
    for (const line of help.split('\n').slice(3)) expect(line.length).toBeLessThanOrEqual(118);
  });
});

describe('lopt', () => {
  test('--help lists the commands and loads nothing heavy', async () => {
    const hook = fileURLToPath(new URL('log-imports.mjs', import.meta.url));
    const { code, stdout, stderr } = await runLopt(['--help'], { nodeFlags: ['--import', `file://${hook}`] });
    expect(code).toBe(0);
    for (const name of COMMANDS.keys()) expect(stdout).toContain(`lopt ${name}`);
    const imported = stderr.split('\n').filter((line) => line.startsWith('imported '));
    expect(imported.some((line) => line.endsWith('/yargs/index.mjs'))).toBe(true);
    expect(imported.filter((line) => /tensorflow|onnx|koffi|\/(jit|lopt|tasks|checkpoints|meta)\//.test(line))).toEqual(
      [],
    );
  });

  test('without a command shows the overview and fails', async () => {
    const { code, stdout } = await runLopt([]);
    expect(code).toBe(1);
    expect(stdout).toContain('lopt COMMAND [options]');
  });

  test('--version is the package’s', async () => {
    const { stdout } = await runLopt(['--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('bench --help lists its members', async () => {
    const { code, stdout } = await runLopt(['bench', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('lopt bench pes');
    expect(stdout).toContain('lopt bench update');
    expect(stdout).not.toContain('lopt evaluate  ');
  });

  test.each<[string[], string]>([
    [
      ['evalute'],
      'lopt: Cannot run lopt: unknown command "evalute" (did you mean evaluate?). lopt --help lists the commands.',
    ],
    [['bench'], 'lopt: Cannot run lopt bench: expected one of bench pes, bench update but got nothing more'],
    [['--json', 'tasks'], 'lopt: Cannot run lopt: expected a command before --json. lopt --help lists the commands.'],
    [
      ['tasks', '--jsn'],
      'lopt: Cannot run lopt tasks: unknown option --jsn (did you mean --json?). lopt tasks --help lists its options.',
    ],
    [
      ['meta-train', '--recipe', 'smoke'],
      'lopt: Cannot start a run: expected --recipe RECIPE and --out DIR (or --resume RUN) but --out is missing',
    ],
    [
      ['meta-train', '--resume', 'runs/a', '--seed', '1'],
      'lopt: Cannot resume runs/a with --seed: a run keeps its config. --steps, --stop-after, --data, --engine, --device and --threads may be given',
    ],
    [
      ['bench', 'update', '--optimizer', 'adam', '--threads', 'two'],
      'lopt: Cannot read --threads: expected a whole number from 1 to 1024 but got "two"',
    ],
    [
      ['bench', 'update', '--optimizer', 'adam', '--sizes', '2410,3m'],
      'lopt: Cannot read --sizes: expected sizes among 2410, 100k, 1m, 10m, separated by commas, but got "2410,3m"',
    ],
  ])('%j fails with a message and no stack', async (argv, message) => {
    const { code, stdout, stderr } = await runLopt(argv);
    expect(stderr).toBe(`${message}\n`);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });

  test('shows the stack where LOPT_DEBUG asks for it', async () => {
    const { stderr } = await runLopt(['evalute'], { environment: { LOPT_DEBUG: '1' } });
    expect(stderr).toMatch(/\n {4}at /);
  });

  test.each(['tasks', 'optimizers', 'recipes'])('%s --json is JSON only', async (what) => {
    const { code, stdout, stderr } = await runLopt([what, '--json']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const items = JSON.parse(stdout) as { readonly name: string }[];
    expect(items.length).toBeGreaterThan(0);
  });

  test('optimizers adam shows its options', async () => {
    const { stdout } = await runLopt(['optimizers', 'adam']);
    expect(stdout).toContain('Kingma & Ba 2014');
    expect(stdout).toMatch(/beta1 .*default 0\.9/);
  });

  test('recipes smal suggests', async () => {
    const { code, stderr } = await runLopt(['recipes', 'smal']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'lopt: Cannot show smal of the recipes: expected one of smoke, small, celo2, celo2-digits (did you mean small?)\n',
    );
  });

  test('a reader that goes away is no error worth a stack', async () => {
    const { stderr } = await runLopt(['optimizers', '--json'], { onStart: (child) => child.stdout?.destroy() });
    expect(stderr).toBe('');
  });
});
