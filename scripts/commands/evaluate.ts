import { join } from 'node:path';
import type { EvaluationResult } from '../../meta/evaluation-result.ts';
import { defineCommand, type CommandContext } from '../cli/command.ts';
import { canPool, ENGINE_OPTIONS } from '../cli/engine-options.ts';
import { flag, optional, repeated, withDefault } from '../cli/option.ts';
import { createProgress } from '../cli/progress.ts';
import { assignment, count, text } from '../cli/read-text.ts';

const options = {
  tasks: repeated(
    'What to train: a suite’s name or file, a task module (./my-task.js), or a task as NAME or NAME{JSON}; default held-out',
    'TASKS',
    text,
  ),
  steps: optional('Horizon in inner steps, instead of those of the suite', 'N', count({ min: 1 })),
  seeds: withDefault('Seeds that are reported', 'N', count({ min: 1, max: 100 }), { value: 3 }),
  'tuning-seeds': withDefault(
    'Seeds on which learning rates are tuned; others than the reported ones',
    'N',
    count({ min: 1, max: 100 }),
    {
      value: 2,
    },
  ),
  data: repeated('A data set in MNIST’s format: a directory with IDX files, gzip or not', 'NAME=DIR', assignment),
  ...ENGINE_OPTIONS,
  out: optional('Directory for index.html and report.json', 'DIR', text),
  json: flag('Print the result as JSON instead of tables'),
};

export const evaluate = defineCommand({
  describe:
    'Compares optimizers on tasks: same initial weights and same batches for all at a seed. Hand-designed ones run at the best of a grid of learning rates, constant and falling, unless they are given an lr. Tuned Adam is always among them: it is what the others are measured by.',
  positionals: {
    usage: 'OPTIMIZER...',
    describe:
      'a run (RUN, RUN@best, RUN@500), an exported .onnx file, a shipped optimizer, or NAME or NAME{JSON} of a hand-designed one',
    min: 1,
    max: 50,
  },
  options,
  examples: [
    [
      'evaluate runs/a adam adamw --tasks held-out --out report/a',
      'The held-out suite; the page is report/a/index.html',
    ],
    ['evaluate runs/a@best momentum --tasks digits --steps 500 --seeds 5', 'Another suite, one horizon, five seeds'],
    [
      `evaluate runs/a 'adam{"lr":0.01}' --tasks 'image-mlp{"hidden":[64]}' --steps 300`,
      'Adam as it is given, one task',
    ],
    ['evaluate runs/a --tasks ./my-task.js --steps 1000 --json', 'Your own task; JSON for a script'],
  ],
  async run({ positionals, options }, context) {
    const [{ evaluate }, { createEngine }, { loadContestants }, { loadEvaluationTasks }, { dataSetsFrom }, reports] =
      await Promise.all([
        import('../../meta/evaluate.ts'),
        import('../../jit/engines/create-engine.ts'),
        import('../contestants.ts'),
        import('../evaluation-tasks.ts'),
        import('../data-sets.ts'),
        import('../report-directory.ts'),
      ]);
    if (options.out !== undefined) await reports.prepareReportDirectory(options.out);
    const dataSets = await dataSetsFrom(options.data, context);
    const { suite, tasks, messages } = await loadEvaluationTasks(
      options.tasks.length === 0 ? ['held-out'] : options.tasks,
      {
        dataSets,
        ...(options.steps !== undefined && { steps: options.steps }),
      },
    );
    for (const message of messages) context.stderr.write(`${message}\n`);
    const contestants = await loadContestants(positionals);
    const engine = await createEngine(options.engine, {
      device: options.device,
      threads: options.threads,
      pool: canPool(options.engine, options.device),
    });
    let progress: ReturnType<typeof createProgress> | undefined;
    try {
      const result = await evaluate({
        engine,
        suite,
        tasks,
        contestants,
        seeds: options.seeds,
        tuningSeeds: options['tuning-seeds'],
        signal: context.signal,
        onProgress: ({ done, total, what }) => {
          progress ??= createProgress({ unit: 'steps', total, start: done }, context);
          progress.update({ step: done, detail: what });
        },
      });
      progress?.stop();
      await writeReport(result, { ...options, context });
    } finally {
      progress?.stop();
      await engine.dispose();
    }
  },
});

/** The result to stdout and, where a directory is given, as report.json and index.html. */
async function writeReport(
  result: EvaluationResult,
  {
    out,
    json,
    context,
  }: {
    readonly out: string | undefined;
    readonly json: boolean;
    readonly context: CommandContext;
  },
): Promise<void> {
  const [{ toJson }, { evaluationText }, { evaluationHtml }, { writeFileAtomically }] = await Promise.all([
    import('../../checkpoints/json-numbers.ts'),
    import('../../meta/report/text-table.ts'),
    import('../../meta/report/html.ts'),
    import('../../checkpoints/files/atomic-write.ts'),
  ]);
  context.stdout.write(json ? `${toJson(result, 2)}\n` : `${evaluationText(result)}\n`);
  if (out === undefined) return;
  await writeFileAtomically(join(out, 'report.json'), `${toJson(result, 2)}\n`);
  await writeFileAtomically(join(out, 'index.html'), evaluationHtml(result));
  context.stderr.write(`${join(out, 'index.html')} is the report, ${join(out, 'report.json')} its numbers\n`);
}
