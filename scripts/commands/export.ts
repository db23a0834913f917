import { readFile } from 'node:fs/promises';
import type { ParamSpecs } from '../../lopt/optimizer.ts';
import { defineCommand, type CommandContext } from '../cli/command.ts';
import { optional, required, UsageError } from '../cli/option.ts';
import { text } from '../cli/read-text.ts';

const options = {
  out: required('File to write', 'FILE.onnx', text),
  params: optional(
    'JSON file of path to shape, or to a spec such as {"shape": [64, 32], "role": "hidden"}; without it, those of the first task of the run’s recipe',
    'SHAPES.json',
    text,
  ),
};

export const exportCommand = defineCommand({
  describe:
    'Writes an optimizer for given parameter shapes as an ONNX file (opset 17) that any ONNX Runtime applies with no code of ours; docs/export.md says what its inputs and outputs are. It is a checkpoint too: lopt reads it back.',
  positionals: {
    usage: 'OPTIMIZER',
    describe:
      'a run (RUN, RUN@best, RUN@500), an exported file, a shipped optimizer, or NAME or NAME{JSON} of a hand-designed one',
    min: 1,
    max: 1,
  },
  options,
  examples: [
    ['export runs/a --out celo.onnx', 'For the parameters of the first task of the recipe'],
    ['export runs/a@best --params shapes.json --out celo.onnx', 'For your own: {"w": [784, 128], "b": [128]}'],
    [`export 'adamw{"lr":0.001}' --params shapes.json --out adamw.onnx`, 'A hand-designed one'],
  ],
  async run({ positionals: [reference = ''], options }, context) {
    const [{ exportOptimizer }, { loadOptimizer }, { writeFileAtomically }] = await Promise.all([
      import('../../checkpoints/export.ts'),
      import('../../checkpoints/load-optimizer.ts'),
      import('../../checkpoints/files/atomic-write.ts'),
    ]);
    const loaded = await loadOptimizer(reference);
    const specs =
      options.params === undefined
        ? (loaded.specs ?? (await recipeSpecs(reference, context)))
        : await readSpecs(options.params);
    // What meta-training saw travels with the file, so that an evaluation can say so.
    const { optimizer, provenance } = loaded;
    const { update, init } = await exportOptimizer({ optimizer, specs, provenance });
    await writeFileAtomically(options.out, update);
    context.stderr.write(`${options.out}: ${update.length.toLocaleString('en')} bytes, ${specs.size} parameters\n`);
    if (init === undefined) return;
    const initFile = options.out.replace(/(\.onnx)?$/, '.init.onnx');
    await writeFileAtomically(initFile, init);
    context.stderr.write(`${initFile}: computes the states that don't start as a constant or a copy\n`);
  },
});

/** Specs from a JSON file. */
async function readSpecs(file: string): Promise<ParamSpecs> {
  const { readParamSpecs } = await import('../../lopt/adapters/param-specs.ts');
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return readParamSpecs(value, { doing: `read ${file}` });
}

/** Specs of the first task of a run's recipe; says so. Data isn't read: what the run recorded of it is enough for shapes. */
async function recipeSpecs(reference: string, context: CommandContext): Promise<ParamSpecs> {
  const [{ runDirectoryOf }, { runPaths }, { readRunFile }, { createTask }, { imageDataSet }] = await Promise.all([
    import('../contestants.ts'),
    import('../../checkpoints/files/run-directory.ts'),
    import('../../meta/run-file.ts'),
    import('../../tasks/registry.ts'),
    import('../../tasks/data-sets/data-set.ts'),
  ]);
  const directory = await runDirectoryOf(reference);
  if (directory === undefined)
    throw new UsageError(
      `Cannot export ${reference}: expected --params SHAPES.json, as it comes from no recipe with tasks`,
    );
  const { config: file } = runPaths(directory);
  const { config, data, replacedData } = readRunFile(await readFile(file, 'utf8'), file);
  const [first] = config.tasks;
  if (first === undefined) throw new UsageError(`Cannot export ${reference}: its recipe has no task; give --params`);
  const { data: named } = first.options;
  const used = typeof named === 'string' ? { ...first.options, data: replacedData[named] ?? named } : first.options;
  // Blank images of as many classes stand for each data set.
  const dataSets = data.map(({ dataSet: name, classes }) => {
    if (classes === undefined)
      throw new UsageError(
        `Cannot export ${reference}: its config.json doesn't say how many classes ${name} has; give --params SHAPES.json`,
      );
    return imageDataSet({
      name,
      classes,
      rows: 10,
      size: [1, 1, 1],
      pixels: new Uint8Array(10),
      labels: new Uint8Array(10),
    });
  });
  const { specs } = createTask(first.name, used, { dataSets: new Map(dataSets.map((set) => [set.name, set])) });
  context.stderr.write(
    `without --params: exported for the parameters of the recipe's first task, ${first.name}: ${[...specs.values()].map(({ path, shape }) => `${path} [${shape.join(',')}]`).join(', ')}\n`,
  );
  return specs;
}
