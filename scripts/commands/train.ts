import { defineCommand } from '../cli/command.ts';
import { ENGINE_OPTIONS } from '../cli/engine-options.ts';
import { flag, repeated, required, withDefault } from '../cli/option.ts';
import { plotCurves } from '../cli/plot.ts';
import { createProgress, shortNumber } from '../cli/progress.ts';
import { assignment, count, text } from '../cli/read-text.ts';

const options = {
  task: required('A task: NAME, NAME{JSON}, or a module (./my-task.js)', 'TASK', text),
  optimizer: required(
    'A run (RUN, RUN@best, RUN@500), an exported .onnx file, a shipped optimizer, or NAME or NAME{JSON} of a hand-designed one',
    'OPTIMIZER',
    text,
  ),
  steps: withDefault('Inner steps: the horizon that the optimizer is told', 'N', count({ min: 1 }), { value: 1000 }),
  seed: withDefault('Seed of initial weights and batches', 'SEED', text, { value: '0' }),
  data: repeated('A data set in MNIST’s format: a directory with IDX files, gzip or not', 'NAME=DIR', assignment),
  ...ENGINE_OPTIONS,
  json: flag('Print curves as JSON instead of drawing them'),
};

export const train = defineCommand({
  describe:
    'Trains one task with one optimizer, as it is given, and draws the training loss and the loss on the test split.',
  options,
  examples: [
    ['train --task image-mlp --optimizer runs/a', 'With the optimizer of a run'],
    [`train --task 'image-mlp{"hidden":[64]}' --optimizer 'adam{"lr":0.01}' --steps 500`, 'With options'],
    ['train --task ./my-task.js --optimizer celo.onnx --json', 'Your own task, an exported optimizer, curves as JSON'],
  ],
  async run({ options }, context) {
    const [{ createEngine }, { createUnroll }, { trainingCurves, evaluationBatches }, { windowFor }, keys, references] =
      await Promise.all([
        import('../../jit/engines/create-engine.ts'),
        import('../../meta/unroll.ts'),
        import('../../meta/training-curves.ts'),
        import('../../meta/evaluate.ts'),
        import('../../jit/random/key.ts'),
        Promise.all([import('../contestants.ts'), import('../task-reference.ts'), import('../data-sets.ts')]),
      ]);
    const [{ loadContestant }, { loadTask }, { dataSetsFrom }] = references;
    const { task, name } = await loadTask(options.task, await dataSetsFrom(options.data, context));
    const { optimizer } = await loadContestant(options.optimizer, { tune: false });
    const engine = await createEngine(options.engine, { device: options.device, threads: options.threads });
    const progress = createProgress({ unit: 'steps', total: options.steps }, context);
    try {
      const key = keys.fold(keys.rootKey(options.seed), 'train', name);
      const unroll = await createUnroll({
        engine,
        task,
        optimizer,
        windowLength: windowFor(options.steps, POINTS),
        particles: 1,
        freshRows: 1,
        mappedValues: new Set(),
      });
      const { steps, losses, accuracies, trainingLosses, msPerStep } = await trainingCurves({
        unroll,
        values: optimizer.values,
        seedKeys: [key],
        seedOf: [0],
        horizon: options.steps,
        batches: evaluationBatches(task, { key, count: 2 }),
        measure: 'every window',
        onWindow: async (step) => {
          context.signal.throwIfAborted();
          progress.update({ step });
          await new Promise((resolve) => setTimeout(resolve, 0));
        },
      });
      progress.stop();
      unroll.dispose();
      const curves = {
        task: name,
        optimizer: options.optimizer,
        steps,
        testLosses: losses[0] ?? [],
        testAccuracies: accuracies?.[0] ?? null,
        trainingLosses: [...(trainingLosses[0] ?? [])],
        msPerStep,
      };
      if (options.json) {
        const { toJson } = await import('../../checkpoints/json-numbers.ts');
        context.stdout.write(`${toJson(curves)}\n`);
      } else context.stdout.write(`${curvesText(curves, context.stderr.columns ?? 80)}\n`);
    } finally {
      progress.stop();
      await engine.dispose();
    }
  },
});

const POINTS = 100;

interface Curves {
  readonly task: string;
  readonly optimizer: string;
  readonly steps: readonly number[];
  readonly testLosses: readonly number[];
  readonly testAccuracies: readonly number[] | null;
  readonly trainingLosses: readonly number[];
  readonly msPerStep: number;
}

/** The curves drawn, and where they end. */
function curvesText(
  { task, optimizer, steps, testLosses, testAccuracies, trainingLosses, msPerStep }: Curves,
  columns: number,
): string {
  const length = (steps[1] ?? 1) - (steps[0] ?? 0);
  // The mean of each window: single training losses jump from batch to batch.
  const training = steps.map((step): readonly [number, number] => {
    const window = trainingLosses.slice(Math.max(0, step - length), step);
    return [step, window.reduce((sum, loss) => sum + loss, 0) / window.length];
  });
  const test = steps.map((step, point): readonly [number, number] => [step, testLosses[point] ?? Number.NaN]);
  const plot = plotCurves(
    [
      { label: 'training loss', points: training },
      { label: 'test loss', points: test },
    ],
    { width: Math.max(20, Math.min(columns, 120) - 14), height: 14, title: `${task} with ${optimizer}` },
  );
  const last = testLosses.at(-1) ?? Number.NaN;
  const accuracy = testAccuracies?.at(-1);
  return [
    plot,
    Number.isFinite(last)
      ? `test loss ${shortNumber(last)}${accuracy === undefined ? '' : `, accuracy ${shortNumber(accuracy * 100)} %`}, ${shortNumber(msPerStep)} ms a step`
      : `diverged: the loss is no longer finite after step ${steps[testLosses.findIndex((loss) => !Number.isFinite(loss))] ?? 0}`,
  ].join('\n');
}
