import type { OuterStepResult } from '../bench/outer-step-case.ts';
import type { Share } from '../bench/parts.ts';
import { defineCommand, type CommandContext } from '../cli/command.ts';
import { canPool, ENGINE_OPTIONS } from '../cli/engine-options.ts';
import { flag, optional, repeated, withDefault } from '../cli/option.ts';
import { assignment, choice, count, jsonObject, text } from '../cli/read-text.ts';

const options = {
  optimizer: withDefault('Learned optimizer', 'NAME', text, { value: 'adafac-mlp' }),
  'optimizer-options': withDefault('Its options', 'JSON', jsonObject, { value: {}, text: '{}' }),
  task: withDefault('Task', 'NAME', text, { value: 'image-mlp' }),
  'task-options': withDefault('Its options', 'JSON', jsonObject, { value: {}, text: '{}' }),
  batch: optional('Examples in a batch of the task', 'N', count({ min: 1 })),
  pairs: withDefault('Antithetic pairs: two particles each', 'N', count({ min: 1 }), { value: 8 }),
  window: withDefault('Inner steps in an outer step', 'N', count({ min: 1 }), { value: 50 }),
  'group-size': optional('Particles that run as one batch (otherwise 8, or all)', 'N', count({ min: 2 })),
  estimator: withDefault('Estimator', 'NAME', choice(['truncated-pes', 'truncated-es']), { value: 'truncated-pes' }),
  data: repeated('A data set in MNIST’s format: a directory with IDX files', 'NAME=DIR', assignment),
  repeats: withDefault('Measurements at least', 'N', count({ min: 1, max: 10_000 }), { value: 5 }),
  ...ENGINE_OPTIONS,
  json: flag('As JSON'),
};

export const benchPes = defineCommand({
  describe:
    'Times whole outer steps of meta-training (noise, plan, window, credit, outer update) in nanoseconds a particle, parameter and inner step. The first step counts from the start of the process.',
  options,
  examples: [
    ['bench pes --optimizer adafac-mlp --task image-mlp --pairs 8 --window 50', 'The default case'],
    [
      `bench pes --optimizer-options '{"hidden":4}' --task-options '{"image":[8,8,3],"hidden":[32]}' --batch 64 --threads 2 --json`,
      'Options of both, for a script',
    ],
  ],
  async run({ options }, context) {
    const [{ createEngine }, { benchOuterStep }, { checkConfig }, { dataSetsFrom }] = await Promise.all([
      import('../../jit/engines/create-engine.ts'),
      import('../bench/outer-step-case.ts'),
      import('../../meta/config.ts'),
      import('../data-sets.ts'),
    ]);
    const { pairs, window, batch } = options;
    const taskOptions = { ...options['task-options'], ...(batch !== undefined && { batchSize: batch }) };
    const config = checkConfig({
      name: 'bench',
      optimizer: { name: options.optimizer, options: options['optimizer-options'] },
      tasks: [{ name: options.task, options: taskOptions }],
      estimator: {
        name: options.estimator,
        pairs,
        window,
        groupSize: options['group-size'] ?? ((2 * pairs) % 8 === 0 ? 8 : 2 * pairs),
      },
    });
    const dataSets = await dataSetsFrom(options.data, context);
    const engine = await createEngine(options.engine, {
      device: options.device,
      threads: options.threads,
      pool: canPool(options.engine, options.device),
    });
    try {
      const { result, shares } = await benchOuterStep(config, {
        name: `${options.estimator} ${options.optimizer} on ${options.task}`,
        engine,
        dataSets,
        repeats: { least: options.repeats, ms: 5000, most: 1000, signal: context.signal },
      });
      if (options.json) context.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
      else writeOuterStep(result, { shares, version: engine.description.version, context });
    } finally {
      await engine.dispose();
    }
  },
});

/** A result for a person. */
export function writeOuterStep(
  result: OuterStepResult,
  {
    shares,
    version,
    context: { stdout },
  }: {
    readonly shares: readonly Share[];
    readonly version: string;
    readonly context: Pick<CommandContext, 'stdout'>;
  },
): void {
  const { nsPerParticleParamStep: ns } = result;
  stdout.write(
    [
      result.case,
      `  ${ns.median} ns a particle, parameter and step (${ns.min} to ${ns.max})`,
      `  ${result.params.toLocaleString('en')} parameters, ${result.particles} particles, window ${result.window}`,
      `  first step after ${(result.firstStepMs / 1000).toFixed(1)} s, peak memory ${(result.peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`,
      `  ${result.engine} ${version} on ${result.device}, ${result.threads} threads`,
      ...shares.map(({ part, share }) => `  ${(share * 100).toFixed(1).padStart(5)} %  ${part}`),
      '',
    ].join('\n'),
  );
}
