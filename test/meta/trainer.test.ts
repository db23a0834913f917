import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointError } from '../../checkpoints/checkpoint-error.ts';
import { type MetricsRecord, readMetrics } from '../../checkpoints/files/metrics-log.ts';
import { readRunCheckpoint } from '../../checkpoints/files/read-checkpoint.ts';
import { lockRun } from '../../checkpoints/files/run-lock.ts';
import { createEngine } from '../../jit/engines/create-engine.ts';
import type { Engine, Executable } from '../../jit/engines/engine.ts';
import { loadDataSets } from '../../tasks/files/load-data-sets.ts';
import type { DataSet } from '../../tasks/data-sets/data-set.ts';
import { checkConfig } from '../../meta/config.ts';
import { type TrainerEvent, type TrainerOptions, readRun, resumeRun, startRun } from '../../meta/trainer.ts';

/** Seconds at most: two tasks, three pairs in groups of one, windows shorter than trajectories. */
const CONFIG = checkConfig({
  name: 'test',
  optimizer: { name: 'adafac-mlp', options: { hidden: 3 } },
  tasks: [
    { name: 'image-mlp', options: { data: 'digits', image: [4, 4, 1], hidden: [3], batchSize: 8 } },
    {
      name: 'image-mlp',
      options: { data: 'digits', image: [4, 4, 1], hidden: [3], batchSize: 8 },
      reparameterise: { level: 'tensor', min: 0.5, max: 2 },
    },
  ],
  estimator: { pairs: 3, groupSize: 2, window: 4 },
  trajectory: { min: 3, max: 9, stagger: 9 },
  outer: {
    optimizer: { name: 'adamw', options: { lr: { schedule: 'linear', initial: 0.01, end: 0.1 } } },
    clip: { kind: 'globalNorm', threshold: 1 },
  },
  steps: 7,
  seed: 'trainer',
  checkpoints: { every: 3, keep: 2, smoothing: 0.5 },
});

let root: string;
let shared: Engine;
let dataSets: ReadonlyMap<string, DataSet>;
let runs = 0;
const programs = new Map<string, Promise<Executable>>();

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lopt-trainer-'));
  ({ dataSets } = await loadDataSets());
  shared = await createEngine('onnx', { device: 'cpu', threads: 1 });
});

afterAll(async () => {
  await shared.dispose();
  await rm(root, { recursive: true });
});

function options(more: Partial<TrainerOptions> = {}): TrainerOptions {
  runs += 1;
  return {
    directory: join(root, `run ${runs}`),
    dataSets,
    // One engine for all runs of this file; a trainer disposes what it is given.
    makeEngine: () => Promise.resolve(borrowed(shared)),
    ...more,
  };
}

/** The engine, kept when a trainer disposes it, with programs compiled once: this file is about trainers. */
function borrowed(engine: Engine): Engine {
  return {
    description: engine.description,
    concurrency: engine.concurrency,
    upload: (array) => engine.upload(array),
    download: (handle) => engine.download(handle),
    compile: async (graph, options = {}) => {
      const name = JSON.stringify([graph, options.particles, [...(options.mapped ?? [])]]);
      const compiled = programs.get(name) ?? engine.compile(graph, options);
      programs.set(name, compiled);
      const executable = await compiled;
      return { run: (inputs) => executable.run(inputs), dispose: () => undefined };
    },
    dispose: () => Promise.resolve(),
  };
}

/** An engine that is made, but compiles nothing, as where a device is missing. */
function broken(): Engine {
  return {
    ...borrowed(shared),
    description: { ...shared.description, device: 'absent' },
    compile: () => Promise.reject(new Error('no such device')),
  };
}

function timeless(record: MetricsRecord): MetricsRecord {
  return { ...record, ms: 0 };
}

/** Everything of a run that must not depend on where it was stopped. */
async function outcome(directory: string) {
  const metrics = await readMetrics(join(directory, 'metrics.ndjson'));
  const { checkpoint, step } = await readRunCheckpoint(directory);
  return { metrics: metrics.map(timeless), step, checkpoint };
}

describe('a run', () => {
  let whole: Awaited<ReturnType<typeof outcome>>;
  let directory: string;
  const events: TrainerEvent[] = [];

  beforeAll(async () => {
    const own = options({ onEvent: (event) => events.push(event) });
    ({ directory } = own);
    await startRun(CONFIG, { ...own, overrides: ['seed=trainer'] });
    whole = await outcome(directory);
  });

  it('records every outer step', () => {
    expect(whole.step).toBe(7);
    expect(whole.metrics.map(({ step }) => step)).toEqual([...new Array(7).keys()]);
    for (const record of whole.metrics) {
      expect(Object.keys(record['tasks'] as object)).toEqual(['image-mlp on digits', 'image-mlp on digits #2']);
      expect(record['gradientNorm']).toBeGreaterThan(0);
    }
    // Of the schedule from .01 to .1 of it over 7 steps, the rate used at each step.
    expect(whole.metrics.map(({ lr }) => lr)).toEqual(
      Array.from({ length: 7 }, (_, step) => expect.closeTo(0.01 * (1 - (0.9 * step) / 7), 12)),
    );
  });

  it('keeps the last checkpoints and the best', async () => {
    const files = await readdir(join(directory, 'checkpoints'));
    const { bestStep } = whole.checkpoint.facts;
    const expected = new Set([6, 7, bestStep]);
    expect(new Set(files)).toEqual(new Set([...expected].map((step) => `step-${String(step)}.safetensors`)));
  });

  it('tells progress', () => {
    const steps = events.filter((event) => event.kind === 'step');
    expect(steps.map(({ metrics }) => metrics.step)).toEqual([...new Array(7).keys()]);
    expect(steps.every(({ total, stepsPerSecond }) => total === 7 && stepsPerSecond > 0)).toBe(true);
    expect(steps.at(-1)?.remainingMs).toBe(0);
    expect(events.filter((event) => event.kind === 'checkpoint').map(({ step }) => step)).toEqual([3, 6, 7]);
    expect(events[0]).toMatchObject({
      kind: 'log',
      text: expect.stringMatching(/^engine onnx .+ on cpu, 1 thread, /) as string,
    });
  });

  it('writes a config that says everything and no path', async () => {
    const text = await readFile(join(directory, 'config.json'), 'utf8');
    expect(text).not.toContain(root);
    const run = await readRun(directory);
    expect(run.config).toEqual(CONFIG);
    expect(run).toMatchObject({ overrides: ['seed=trainer'], changes: [], engine: shared.description });
    expect(run.data.map(({ dataSet, rows }) => [dataSet, rows])).toEqual([
      ['digits', 1797],
      ['digits', 1797],
    ]);
  });

  it('ends at the same bytes when it is stopped and resumed after every step', async () => {
    const own = options({ stopAfter: 1 });
    expect(await startRun(CONFIG, own)).toMatchObject({ step: 1, ended: 'stopped' });
    for (let step = 2; step <= 7; step += 1)
      expect(await resumeRun(own)).toMatchObject({ step, ended: step === 7 ? 'finished' : 'stopped' });
    expect(await outcome(own.directory)).toEqual(whole);
  });

  it('ends at the same bytes when it is resumed from an older checkpoint', async () => {
    const own = options({ stopAfter: 5 });
    await startRun(CONFIG, own);
    // As a kill between step 3 and the next checkpoint leaves it, the last line torn.
    await rm(join(own.directory, 'checkpoints', 'step-5.safetensors'));
    const metrics = join(own.directory, 'metrics.ndjson');
    await writeFile(metrics, (await readFile(metrics)).subarray(0, -20));
    expect(await resumeRun({ ...own, stopAfter: Infinity })).toMatchObject({ step: 7, ended: 'finished' });
    expect(await outcome(own.directory)).toEqual(whole);
  });

  it.each([
    ['lost', 5, () => Promise.resolve('')],
    ['without one line', 1, async (file: string) => (await readFile(file, 'utf8')).replace(/\n.+\n/, '\n')],
  ])('goes on from its checkpoint when metrics.ndjson is %s, and says so', async (_, lacking, damage) => {
    const logs: string[] = [];
    const own = options({ stopAfter: 5, onEvent: (event) => event.kind === 'log' && logs.push(event.text) });
    await startRun(CONFIG, own);
    const file = join(own.directory, 'metrics.ndjson');
    const damaged = await damage(file);
    if (damaged === '') await rm(file);
    else await writeFile(file, damaged);
    expect(await resumeRun({ ...own, stopAfter: 1 })).toMatchObject({ step: 6, ended: 'stopped' });
    expect(logs).toContain(
      `${file} lacks the records of ${lacking} of the 5 outer steps done; the run goes on from its checkpoint without them`,
    );
    await resumeRun({ ...own, stopAfter: Infinity });
    const { metrics, ...rest } = await outcome(own.directory);
    expect(rest).toEqual({ step: whole.step, checkpoint: whole.checkpoint });
    expect(metrics).toEqual(whole.metrics.filter(({ step }) => step >= 5 || (lacking === 1 && step !== 1)));
  });

  it('clears away the temporary files of killed writes', async () => {
    const own = options({ stopAfter: 1 });
    await startRun(CONFIG, own);
    const left = join(own.directory, 'checkpoints', '.step-2.safetensors.7-1.tmp');
    await writeFile(left, 'half');
    await resumeRun(own);
    expect(await readdir(join(own.directory, 'checkpoints'))).toEqual(['step-1.safetensors', 'step-2.safetensors']);
  });

  it('starts over when only config.json is there', async () => {
    const own = options({ stopAfter: 3 });
    await startRun(CONFIG, own);
    await rm(join(own.directory, 'checkpoints'), { recursive: true });
    await rm(join(own.directory, 'metrics.ndjson'));
    await resumeRun({ ...own, stopAfter: Infinity });
    expect(await outcome(own.directory)).toEqual(whole);
  });

  it('says so when all steps are done, and changes nothing', async () => {
    const before = await outcome(directory);
    const logs: string[] = [];
    const result = await resumeRun({
      ...options(),
      directory,
      onEvent: (event) => event.kind === 'log' && logs.push(event.text),
    });
    expect(result).toMatchObject({ step: 7, total: 7, ended: 'finished' });
    expect(logs).toContain('all 7 outer steps are done');
    expect(await outcome(directory)).toEqual(before);
  });

  it('stops after the step in progress when its signal fires', async () => {
    const controller = new AbortController();
    const own = options({
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === 'step' && event.metrics.step === 1) controller.abort();
      },
    });
    expect(await startRun(CONFIG, own)).toMatchObject({ step: 2, ended: 'stopped' });
    expect((await readRunCheckpoint(own.directory)).step).toBe(2);
  });
});

describe('resuming', () => {
  const short = { ...CONFIG, steps: 2 };

  it('raises the number of steps, on record', async () => {
    const own = options();
    await startRun(short, own);
    expect(await resumeRun({ ...own, steps: 4 })).toMatchObject({ step: 4, total: 4, ended: 'finished' });
    expect(await readRun(own.directory)).toMatchObject({
      config: { steps: 4 },
      changes: [{ step: 2, what: 'outer steps raised from 2 to 4' }],
    });
    await expect(resumeRun({ ...own, steps: 3 })).rejects.toThrow(
      new RangeError(`Cannot resume ${own.directory}: expected at least the 4 outer steps that the run has but got 3`),
    );
  });

  it('writes nothing before it has read its checkpoint, and names an older one when that is damaged', async () => {
    const own = options({ stopAfter: 4 });
    await startRun(CONFIG, own);
    const [older, newest] = [3, 4].map((step) => join(own.directory, 'checkpoints', `step-${step}.safetensors`));
    if (older === undefined || newest === undefined) throw new Error('two checkpoints');
    await writeFile(newest, (await readFile(newest)).subarray(0, 5));
    const file = join(own.directory, 'config.json');
    const before = await readFile(file, 'utf8');
    const damage = `Cannot read ${newest} as safetensors: expected at least 8 bytes but got 5`;
    await expect(resumeRun({ ...own, steps: 9 })).rejects.toThrow(
      new CheckpointError(
        newest,
        `${damage}. It is the run's newest checkpoint; restore it, or delete it to resume after step 3, from ${older}`,
      ),
    );
    await rm(older);
    await expect(resumeRun({ ...own, steps: 9 })).rejects.toThrow(
      new CheckpointError(
        newest,
        `${damage}. It is the run's newest checkpoint; there is no older one. Restore it, or delete it to train from the beginning`,
      ),
    );
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('writes nothing when an engine that is allowed does not compile', async () => {
    const own = options({ stopAfter: 1 });
    await startRun(short, own);
    const before = await readFile(join(own.directory, 'config.json'), 'utf8');
    await expect(
      resumeRun({ ...own, makeEngine: () => Promise.resolve(broken()), allowEngineChange: true, steps: 5 }),
    ).rejects.toThrow(new Error('no such device'));
    expect(await readFile(join(own.directory, 'config.json'), 'utf8')).toBe(before);
  });

  it('refuses another engine unless it is allowed', async () => {
    const own = options({ stopAfter: 1 });
    await startRun(short, own);
    const other = {
      ...own,
      makeEngine: () =>
        Promise.resolve({ ...borrowed(shared), description: { ...shared.description, instructionSet: 'other' } }),
    };
    const { instructionSet } = shared.description;
    await expect(resumeRun(other)).rejects.toThrow(
      new RangeError(
        `Cannot resume ${own.directory}: expected the engine that it was run with but got another (instructionSet ${instructionSet} then, other now). Results would differ in their last bits; --allow-engine-change continues all the same`,
      ),
    );
    expect(await resumeRun({ ...other, allowEngineChange: true })).toMatchObject({ ended: 'finished' });
    expect((await readRun(own.directory)).changes).toEqual([
      { step: 1, what: `engine changed: instructionSet ${instructionSet} then, other now` },
    ]);
  });

  it('refuses other data', async () => {
    const own = options({ stopAfter: 1 });
    await startRun(short, own);
    const file = join(own.directory, 'config.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/"sha256": "[0-9a-f]{8}/, '"sha256": "00000000'));
    const sha = /"sha256": "([0-9a-f]{8})/.exec(text)?.[1];
    await expect(resumeRun(own)).rejects.toThrow(
      new RangeError(
        `Cannot resume ${own.directory}: expected the data that it was run with but task 1 had digits (1797 examples, sha256 00000000) then and has digits (1797 examples, sha256 ${sha}) now; give the same data with --data NAME=DIR`,
      ),
    );
  });

  it('refuses a run that is in use', async () => {
    const own = options({ stopAfter: 1 });
    await startRun(short, own);
    const lock = lockRun(own.directory);
    await expect(resumeRun(own)).rejects.toThrow(/^Cannot use .+: process \d+ is using it\./);
    lock.release();
    expect(await resumeRun(own)).toMatchObject({ step: 2 });
  });

  it('refuses a config that is none', async () => {
    const own = options();
    await startRun({ ...short, steps: 0 }, own);
    const file = join(own.directory, 'config.json');
    await writeFile(file, '{}');
    await expect(resumeRun(own)).rejects.toThrow(
      new SyntaxError(`Cannot read ${file}: expected the config of a run, format lopt run 1, but got format undefined`),
    );
  });
});

describe('starting', () => {
  it('leaves no directory when nothing compiles or a batch is larger than its data', async () => {
    const own = options();
    await expect(startRun(CONFIG, { ...own, makeEngine: () => Promise.resolve(broken()) })).rejects.toThrow(
      new Error('no such device'),
    );
    await expect(readdir(own.directory)).rejects.toThrow(/ENOENT/);
    const tasks = CONFIG.tasks.map((task) => ({ ...task, options: { ...task.options, batchSize: 5000 } }));
    await expect(startRun({ ...CONFIG, tasks }, own)).rejects.toThrow(
      new RangeError(
        'Cannot take a batch of digits: expected a batch size of at most 1260, the size of its split train, but got 5000',
      ),
    );
    await expect(readdir(own.directory)).rejects.toThrow(/ENOENT/);
    expect(await startRun({ ...CONFIG, steps: 0 }, own)).toMatchObject({ ended: 'finished' });
  });

  it('uses the directory of a process that was killed before it wrote config.json', async () => {
    const own = options();
    await mkdir(own.directory);
    await writeFile(join(own.directory, 'lock.json'), '{"pid":4194305,"started":"then"}');
    await writeFile(join(own.directory, '.config.json.4194305-1.tmp'), '{');
    expect(await startRun({ ...CONFIG, steps: 0 }, own)).toMatchObject({ ended: 'finished' });
    expect((await readdir(own.directory)).toSorted()).toEqual(['checkpoints', 'config.json', 'metrics.ndjson']);
  });

  it('puts another data set in the place of one that is not given, in log and record', async () => {
    const logs: string[] = [];
    const own = options({ onEvent: (event) => event.kind === 'log' && logs.push(event.text) });
    const [task] = CONFIG.tasks;
    if (task === undefined) throw new Error('a task');
    const tasks = [{ ...task, options: { ...task.options, data: 'mnist' } }];
    await startRun({ ...CONFIG, steps: 1, tasks }, own);
    expect(logs).toContain("data set mnist isn't given: digits takes its place (--data mnist=DIR gives it)");
    const run = await readRun(own.directory);
    expect(run.replacedData).toEqual({ mnist: 'digits' });
    expect(run.config.tasks[0]?.options['data']).toBe('mnist');
  });

  it('of 0 steps writes a checkpoint that can be loaded', async () => {
    const own = options();
    expect(await startRun({ ...CONFIG, steps: 0 }, own)).toEqual({
      step: 0,
      total: 0,
      ended: 'finished',
      metaLoss: null,
    });
    expect((await readRunCheckpoint(own.directory)).step).toBe(0);
  });

  it('refuses a directory that holds a run, and leaves no directory when the config is wrong', async () => {
    const own = options();
    await startRun({ ...CONFIG, steps: 0 }, own);
    await expect(startRun(CONFIG, own)).rejects.toThrow(`Cannot start a run in ${own.directory}: there is one in it.`);
    const wrong = options();
    await expect(startRun({ ...CONFIG, optimizer: { name: 'adam', options: {} } }, wrong)).rejects.toThrow(
      /^Cannot create a learned optimizer/,
    );
    await expect(readdir(wrong.directory)).rejects.toThrow(/ENOENT/);
  });
});
