import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runLopt, temporaryDirectory } from './run-lopt.ts';

// What is done with a run: evaluate, train, export. One run serves all.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const QUICK = ['--steps', '10', '--seeds', '1', '--tuning-seeds', '1', '--threads', '2'];
let directory = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lopt-test-'));
  // A name that looks like a number.
  const { code, stderr } = await runLopt(['meta-train', '--recipe', 'smoke', '--steps', '1', '--out', '0x10'], {
    cwd: directory,
  });
  expect(stderr).toContain('0x10: all 1 outer steps done');
  expect(code).toBe(0);
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What keeps a process to one processor, where the system has it. */
function onOneProcessor(): readonly string[] {
  return existsSync('/usr/bin/taskset') ? ['/usr/bin/taskset', '-c', '0'] : [];
}

interface Entry {
  readonly optimizer: string;
  readonly kind: string;
  readonly seen: boolean | null;
  readonly diverged: number;
  readonly final: { readonly mean: number | string; readonly interval: unknown };
}

interface Result {
  readonly rows: readonly { readonly dataSet: string; readonly entries: readonly Entry[] }[];
}

describe('lopt evaluate', () => {
  test('prints JSON only, writes a page, and says what was seen and what diverged', async () => {
    const wild = 'sgd{"lr":1e30}';
    const argv = [
      'evaluate',
      '0x10',
      wild,
      '--tasks',
      'image-mlp{"hidden":[4]}',
      ...QUICK,
      '--json',
      '--out',
      'report 1%#',
    ];
    const { code, stdout, stderr } = await runLopt(argv, { cwd: directory });
    expect(code).toBe(0);
    expect(stderr).not.toContain('\r');
    const result = JSON.parse(stdout) as Result;
    const [row] = result.rows;
    expect(row?.entries.map(({ optimizer, kind, seen }) => [optimizer, kind, seen])).toEqual([
      ['0x10', 'learned', true],
      [wild, 'hand', null],
      ['adam', 'hand', null],
    ]);
    expect(row?.dataSet).toBe('digits');
    expect(row?.entries[1]?.diverged).toBe(1);
    // A diverged mean is a text, an interval of one seed is missing: they can be told apart.
    expect(row?.entries[1]?.final).toEqual({ mean: 'NaN', interval: null, count: 0 });
    expect(row?.entries[2]?.final.interval).toBeNull();
    const page = readFileSync(join(directory, 'report 1%#', 'index.html'), 'utf8');
    expect(page).toContain('0x10');
    expect(page).not.toMatch(/NaN|Infinity/);
    expect(JSON.parse(readFileSync(join(directory, 'report 1%#', 'report.json'), 'utf8'))).toEqual(result);
  });

  test('what meta-training saw is seen under another name too, of a run and of a file', async () => {
    const exported = await runLopt(['export', '0x10', '--out', 'seen.onnx'], { cwd: directory });
    expect(exported.code).toBe(0);
    const data = ['--data', `other=${join(ROOT, 'tasks', 'data', 'digits')}`];
    const tasks = ['other', 'glyphs-dotted'].flatMap((name) => ['--tasks', `softmax-regression{"data":"${name}"}`]);
    const { stdout } = await runLopt(['evaluate', '0x10', 'seen.onnx', ...data, ...tasks, ...QUICK, '--json'], {
      cwd: directory,
    });
    const seen = (JSON.parse(stdout) as Result).rows.map(({ entries }) => entries.map((entry) => entry.seen));
    expect(seen).toEqual([
      [true, true, null],
      [false, false, null],
    ]);
  });

  test('says before it runs that the report can’t be written', async () => {
    writeFileSync(join(directory, 'a-file'), '');
    const places = [
      ['a-file', 'it is a file'],
      ['a-file/below', 'a part of the path is no directory (ENOTDIR)'],
      ...(existsSync('/proc/self') ? [['/proc/no/such', 'there is no such file or directory (ENOENT)']] : []),
    ];
    for (const [out = '', reason] of places) {
      const argv = ['evaluate', 'adam', '--tasks', 'quadratic', ...QUICK, '--out', out];
      const { code, stdout, stderr } = await runLopt(argv, { cwd: directory });
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toBe(`lopt: Cannot write a report to ${out}: ${reason}. Give another --out DIR\n`);
    }
  });

  test('suggests a task', async () => {
    const { code, stderr } = await runLopt(['evaluate', 'adam', '--tasks', 'image-mpl'], { cwd: directory });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^lopt: Cannot read --tasks image-mpl: expected a suite \(held-out, development, or a \.json file\), a task module \(\.js\), or a task of .*image-mlp.* \(did you mean image-mlp\?\)\n$/,
    );
  });

  test('names what there is when an optimizer isn’t', async () => {
    const { code, stderr } = await runLopt(['evaluate', 'runs/none', '--tasks', 'softmax-regression'], {
      cwd: directory,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lopt: Cannot load runs\/none: expected .*\n$/);
    expect(stderr).not.toContain('    at ');
  });
});

describe('lopt train', () => {
  test('draws curves of a task module whose path is full of traps', async () => {
    const path = 'my tasks/#1%20 é.js';
    mkdirSync(join(directory, 'my tasks'));
    copyFileSync(join(ROOT, 'examples', 'my-task.js'), join(directory, path));
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'), 'dir');
    const { code, stdout, stderr } = await runLopt(
      ['train', '--task', path, '--optimizer', 'adam{"lr":0.01}', '--steps', '20'],
      {
        cwd: directory,
      },
    );
    expect(stderr).toMatch(/20\/20 steps/);
    expect(code).toBe(0);
    expect(stdout).toContain(`${path} with adam{"lr":0.01}`);
    expect(stdout).toContain('● training loss   ○ test loss');
    expect(stdout).toMatch(/test loss [\d.]+, [\d.e-]+ ms a step\n$/);
  });

  test('gives curves as JSON', async () => {
    const { stdout } = await runLopt(
      ['train', '--task', 'softmax-regression', '--optimizer', '0x10', '--steps', '10', '--json'],
      { cwd: directory },
    );
    const curves = JSON.parse(stdout) as {
      readonly steps: number[];
      readonly trainingLosses: number[];
      readonly testLosses: number[];
    };
    expect(curves.steps.at(-1)).toBe(10);
    expect(curves.trainingLosses).toHaveLength(10);
    expect(curves.testLosses).toHaveLength(curves.steps.length);
  });

  test('explains a module that is no task', async () => {
    writeFileSync(join(directory, 'no-task.mjs'), 'export const other = 1;');
    const { code, stderr } = await runLopt(['train', '--task', './no-task.mjs', '--optimizer', 'adam'], {
      cwd: directory,
    });
    expect(code).toBe(1);
    expect(stderr).toBe(
      'lopt: Cannot use ./no-task.mjs as a task: expected a default export, or an export named task, but it exports other; see docs/add-a-task.md\n',
    );
  });
});

describe('lopt export', () => {
  test('writes a file for the recipe’s first task, says so, and its optimizer is loaded back', async () => {
    const { code, stderr } = await runLopt(['export', '0x10', '--out', '1e2'], { cwd: directory });
    expect(stderr).toContain("without --params: exported for the parameters of the recipe's first task, image-mlp:");
    expect(code).toBe(0);
    expect(existsSync(join(directory, '1e2'))).toBe(true);
    const again = await runLopt(['export', '0x10', '--out', 'again'], { cwd: directory });
    expect(again.code).toBe(0);
    expect(readFileSync(join(directory, 'again')).equals(readFileSync(join(directory, '1e2')))).toBe(true);
    // The exported file is an optimizer like any other, and remembers what meta-training saw.
    renameSync(join(directory, 'again'), join(directory, 'again.onnx'));
    const { stdout } = await runLopt(['evaluate', 'again.onnx', '--tasks', 'softmax-regression', ...QUICK, '--json'], {
      cwd: directory,
    });
    expect((JSON.parse(stdout) as Result).rows[0]?.entries[0]).toMatchObject({
      optimizer: 'again.onnx',
      kind: 'learned',
      seen: true,
    });
  });

  test.each([
    ['replaced', []],
    ['given', ['--data', 'mnist=tasks/data/digits']],
  ])('needs no data again of a run whose data was %s', async (name, data) => {
    const run = join(directory, name);
    const set = ['--set', 'tasks.0.options.data=mnist'];
    const trained = await runLopt(['meta-train', '--recipe', 'smoke', '--steps', '1', ...set, ...data, '--out', run], {
      cwd: ROOT,
    });
    expect(trained.code).toBe(0);
    const { code, stderr } = await runLopt(['export', run, '--out', `${run}.onnx`]);
    expect(stderr).toMatch(
      /^without --params: exported for the parameters of the recipe's first task, image-mlp: .* \[\d+,10\], \S+ \[10\]\n.*\n$/,
    );
    expect(code).toBe(0);
  });

  test('takes shapes from a file, and asks for them where there is no recipe', async () => {
    writeFileSync(join(directory, 'shapes.json'), JSON.stringify({ w: [3, 2], b: { shape: [2], role: 'bias' } }));
    const given = await runLopt(['export', 'adam', '--params', 'shapes.json', '--out', 'adam.onnx'], {
      cwd: directory,
    });
    expect(given.stderr).toMatch(/^adam\.onnx: [\d,]+ bytes, 2 parameters\n$/);
    const none = await runLopt(['export', 'adam', '--out', 'other.onnx'], { cwd: directory });
    expect(none.code).toBe(1);
    expect(none.stderr).toBe(
      'lopt: Cannot export adam: expected --params SHAPES.json, as it comes from no recipe with tasks\n',
    );
    expect(existsSync(join(directory, 'other.onnx'))).toBe(false);
  });
});

describe('lopt bench', () => {
  test('update --json has the keys that scripts read, and uses no more threads than the process may', async () => {
    const argv = ['bench', 'update', '--optimizer', 'adam', '--sizes', '2410', '--repeats', '2', '--json'];
    const { code, stdout, stderr } = await runLopt(argv, { before: onOneProcessor() });
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const [result] = JSON.parse(stdout) as [Record<string, unknown>];
    expect(Object.keys(result)).toEqual([
      'case',
      'engine',
      'device',
      'threads',
      'params',
      'nsPerParam',
      'firstStepMs',
      'peakMemoryBytes',
    ]);
    expect(result).toMatchObject({
      case: 'update adam 2410',
      engine: 'onnx',
      device: 'cpu',
      params: 2410,
      ...(onOneProcessor().length > 0 && { threads: 1 }),
    });
    const { min, median, max } = result['nsPerParam'] as { min: number; median: number; max: number };
    expect(min).toBeGreaterThan(0);
    expect(median).toBeGreaterThanOrEqual(min);
    expect(max).toBeGreaterThanOrEqual(median);
  });

  test('pes --json has the keys that scripts read', async () => {
    const argv = [
      'bench',
      'pes',
      '--optimizer-options',
      '{"hidden":4}',
      '--task-options',
      '{"image":[4,4,1],"hidden":[4]}',
      '--batch',
      '8',
    ];
    const { code, stdout } = await runLopt([...argv, '--pairs', '2', '--window', '5', '--repeats', '1', '--json']);
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as Record<string, unknown>;
    expect(Object.keys(result)).toEqual([
      'case',
      'engine',
      'device',
      'threads',
      'params',
      'particles',
      'window',
      'nsPerParticleParamStep',
      'firstStepMs',
      'peakMemoryBytes',
    ]);
    // 4 x 4 pixels to 4 to 10, biases included.
    expect(result).toMatchObject({ params: 4 * 16 + 4 + 4 * 10 + 10, particles: 4, window: 5 });
  });
});

describe('lopt conform', () => {
  const golden = join(ROOT, 'test', 'goldens', 'hand', 'adam.json.gz');

  test('replays a golden', async () => {
    const { code, stdout } = await runLopt(['conform', golden, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      checked: [{ file: golden, optimizer: 'adam', conforms: true }],
      skipped: [],
      conforming: 1,
    });
  });

  test('fails where a file is no trajectory, skips it where asked, and fails where none was checked', async () => {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, 'other.json'), '{"what": "ever"}');
    const strict = await runLopt(['conform', 'other.json', golden], { cwd });
    expect(strict.code).toBe(1);
    expect(strict.stderr).toMatch(
      /^lopt: other\.json: Cannot read a golden trajectory: .* \(--known-only skips such files\)\n$/,
    );
    const lenient = await runLopt(['conform', 'other.json', golden, '--known-only'], { cwd });
    expect(lenient.stdout).toContain('1 of 1 conform, 1 skipped');
    expect(lenient.code).toBe(0);
    const none = await runLopt(['conform', 'other.json', '--known-only'], { cwd });
    expect(none.stdout).toContain('0 of 0 conform, 1 skipped');
    expect(none.code).toBe(1);
  });
});
