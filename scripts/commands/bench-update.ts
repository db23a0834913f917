import { readSizes, SIZES, mlpSpecs } from '../bench/sizes.ts';
import type { UpdateResult } from '../bench/update-case.ts';
import { defineCommand } from '../cli/command.ts';
import { ENGINE_OPTIONS } from '../cli/engine-options.ts';
import { flag, required, withDefault } from '../cli/option.ts';
import { count, jsonObject, text } from '../cli/read-text.ts';

const options = {
  optimizer: required('A name (lopt optimizers lists them); a learned one gets a random theta', 'NAME', text),
  'optimizer-options': withDefault('Its options', 'JSON', jsonObject, { value: {}, text: '{}' }),
  sizes: withDefault(
    'Numbers of parameters, as multi-layer perceptrons with biases: 2410 (64-32-10), 100k (784-128-10), 1m (784-640-512-320-10), 10m (784-3072-2048-640-10)',
    'LIST',
    readSizes,
    { value: ['2410', '100k', '1m'], text: '2410,100k,1m' },
  ),
  repeats: withDefault('Measurements at least', 'N', count({ min: 1, max: 10_000 }), { value: 20 }),
  ...ENGINE_OPTIONS,
  json: flag('As JSON: a list, an object a size'),
};

export const benchUpdate = defineCommand({
  describe:
    'Times the update of one optimizer, in nanoseconds a parameter, as smallest, middle and largest of repeated measurements. Everything stays on the engine: copying gradients in is not measured.',
  options,
  examples: [
    ['bench update --optimizer adam --sizes 2410,100k', 'Adam at two sizes'],
    [
      `bench update --optimizer adafac-mlp --optimizer-options '{"hidden":8}' --sizes 1m --threads 2 --json`,
      'For a script',
    ],
  ],
  async run({ options }, { stdout, signal }) {
    const [{ createEngine }, { benchUpdateCase }, { drawnOptimizer }, { textTable }] = await Promise.all([
      import('../../jit/engines/create-engine.ts'),
      import('../bench/update-case.ts'),
      import('../bench/drawn-optimizer.ts'),
      import('../../meta/report/text-table.ts'),
    ]);
    const optimizer = drawnOptimizer(options.optimizer, options['optimizer-options']);
    const engine = await createEngine(options.engine, { device: options.device, threads: options.threads });
    const results: UpdateResult[] = [];
    try {
      for (const size of options.sizes)
        results.push(
          await benchUpdateCase(optimizer, {
            engine,
            specs: mlpSpecs(SIZES.get(size) ?? []),
            size,
            repeats: { least: options.repeats, ms: 2000, most: 1000, signal },
          }),
        );
    } finally {
      await engine.dispose();
    }
    if (options.json) {
      stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
      return;
    }
    const rows = results.map((result) => [
      result.case,
      result.params.toLocaleString('en'),
      `${result.nsPerParam.median} (${result.nsPerParam.min} to ${result.nsPerParam.max})`,
      String(result.firstStepMs),
      `${(result.peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`,
    ]);
    const { name, device, threads, version } = engine.description;
    stdout.write(
      `${textTable(['case', 'params', 'ns a parameter', 'first step, ms', 'peak memory'], rows)}\n${name} ${version} on ${device}, ${threads} threads\n`,
    );
  },
});
