import type { RunConfig } from '../../meta/config.ts';
import type { TrainerEvent } from '../../meta/trainer.ts';
import { defineCommand, type CommandContext } from '../cli/command.ts';
import { canPool, OPTIONAL_ENGINE_OPTIONS } from '../cli/engine-options.ts';
import { flag, optional, repeated, UsageError, type OptionValues } from '../cli/option.ts';
import { createProgress, shortNumber } from '../cli/progress.ts';
import { assignment, count, defaultThreads, text } from '../cli/read-text.ts';

const options = {
  recipe: optional('What to train: a name (lopt recipes lists them) or a JSON file', 'RECIPE', text),
  set: repeated('Change one item of the recipe, such as estimator.sigma=0.02', 'A.B=VALUE', assignment),
  steps: optional('Outer steps in total; with --resume, raises the total', 'N', count()),
  seed: optional('Seed of every random number', 'SEED', text),
  ...OPTIONAL_ENGINE_OPTIONS,
  data: repeated(
    'A data set in MNIST’s format: a directory with IDX files, gzip or not; give it again to resume',
    'NAME=DIR',
    assignment,
  ),
  out: optional('Directory of the new run', 'DIR', text),
  resume: optional('Go on with a run, to the same bytes as if it had never stopped', 'RUN', text),
  'stop-after': optional('End this process after N outer steps, as Ctrl-C does', 'N', count({ min: 1 })),
  'allow-engine-change': flag('Resume under another engine, device or version: last bits will differ'),
};

type MetaTrainOptions = OptionValues<typeof options>;

export const metaTrain = defineCommand({
  describe:
    'Meta-trains a learned optimizer. A run directory holds config.json, metrics.ndjson and checkpoints/; Ctrl-C saves and ends (exit code 130), a second one ends at once. A run that was killed resumes too.',
  options,
  examples: [
    ['meta-train --recipe smoke --out runs/a', 'A run of a few seconds'],
    ['meta-train --resume runs/a', 'Goes on where runs/a stopped'],
    ['meta-train --resume runs/a --steps 2000', 'Trains a finished run for longer'],
    [
      'meta-train --recipe celo2 --data mnist=data/mnist --out runs/b',
      'Real images; data sets not given are replaced, which the log says',
    ],
    [
      'meta-train --recipe ./mine.json --set estimator.sigma=0.02 --seed 7 --out runs/c',
      'A recipe of your own, one item changed',
    ],
  ],
  async run({ options }, context) {
    checkCombination(options);
    const { resumeRun, startRun } = await import('../../meta/trainer.ts');
    const { dataSetsFrom } = await import('../data-sets.ts');
    const { createEngine } = await import('../../jit/engines/create-engine.ts');
    const dataSets = await dataSetsFrom(options.data, context);
    const reporter = stepReporter(context);
    const given = {
      ...(options.engine !== undefined && { name: options.engine }),
      ...(options.device !== undefined && { device: options.device }),
    };
    const shared = {
      dataSets,
      makeEngine: (recorded: RunConfig['engine']) => {
        const { name, device } = { ...recorded, ...given };
        const threads = options.threads ?? recorded.threads ?? defaultThreads();
        return createEngine(name, { device, threads, pool: canPool(name, device) });
      },
      onEvent: reporter.onEvent,
      signal: context.signal,
      ...(options['stop-after'] !== undefined && { stopAfter: options['stop-after'] }),
    };
    try {
      const { step, total, ended, metaLoss } =
        options.resume === undefined
          ? await startRun(await configFrom(options), {
              ...shared,
              directory: options.out ?? '',
              overrides: options.set.map((pair) => pair.join('=')),
            })
          : await resumeRun({
              ...shared,
              directory: options.resume,
              allowEngineChange: options['allow-engine-change'],
              ...(options.steps !== undefined && { steps: options.steps }),
            });
      reporter.stop();
      const directory = options.resume ?? options.out;
      const loss = metaLoss === null ? '' : `, meta-loss ${shortNumber(metaLoss)}`;
      context.stderr.write(
        ended === 'finished'
          ? `${directory}: all ${total} outer steps done${loss}\n`
          : `${directory}: stopped after ${step} of ${total} outer steps${loss}; lopt meta-train --resume ${shellWord(directory ?? '')} goes on\n`,
      );
    } finally {
      reporter.stop();
    }
  },
});

/** A new run needs a recipe and a place; a resumed one has its config already. */
function checkCombination(options: MetaTrainOptions): void {
  const { recipe, out, resume, set, seed } = options;
  if (resume === undefined) {
    if (options['allow-engine-change'])
      throw new UsageError('Cannot use --allow-engine-change: expected --resume RUN beside it');
    if (recipe === undefined || out === undefined)
      throw new UsageError(
        `Cannot start a run: expected --recipe RECIPE and --out DIR (or --resume RUN) but ${recipe === undefined ? '--recipe' : '--out'} is missing`,
      );
    return;
  }
  const fixed = [
    ...(recipe === undefined ? [] : ['--recipe']),
    ...(out === undefined ? [] : ['--out']),
    ...(set.length === 0 ? [] : ['--set']),
    ...(seed === undefined ? [] : ['--seed']),
  ];
  if (fixed.length > 0)
    throw new UsageError(
      `Cannot resume ${resume} with ${fixed.join(', ')}: a run keeps its config. --steps, --stop-after, --data, --engine, --device and --threads may be given`,
    );
}

/** The config of a new run: the recipe, what was set, and the options that are items of the config. */
async function configFrom({ recipe = '', set, steps, seed, engine, device, threads }: MetaTrainOptions) {
  const { loadConfig } = await import('../recipe-file.ts');
  const items: readonly (readonly [string, string | number | undefined])[] = [
    ['steps', steps],
    ['seed', seed],
    ['engine.name', engine],
    ['engine.device', device],
    ['engine.threads', threads],
  ];
  const given = items.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as const]));
  return loadConfig(recipe, [...set, ...given]);
}

/** Shows what the trainer tells: logs as lines, steps as progress. */
function stepReporter(context: CommandContext) {
  let progress: ReturnType<typeof createProgress> | undefined;
  return {
    onEvent: (event: TrainerEvent): void => {
      if (event.kind === 'log') {
        if (progress) progress.note(event.text);
        else context.stderr.write(`${event.text}\n`);
        return;
      }
      if (event.kind === 'checkpoint') return;
      const { metrics, total } = event;
      progress ??= createProgress({ unit: 'steps', total, start: metrics.step + 1 }, context);
      progress.update({ step: metrics.step + 1, detail: `meta-loss ${shortNumber(metrics.smoothedMetaLoss)}` });
    },
    stop: (): void => {
      progress?.stop();
      progress = undefined;
    },
  };
}

/** A path as a shell takes it. */
function shellWord(path: string): string {
  return /^[\w./@-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
