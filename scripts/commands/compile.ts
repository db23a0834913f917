import type { Graph } from '../../jit/graph/graph.ts';
import { defineCommand } from '../cli/command.ts';
import { optional, repeated, withDefault } from '../cli/option.ts';
import { assignment, choice, count, text } from '../cli/read-text.ts';

const options = {
  recipe: withDefault('Whose program: a name (lopt recipes lists them) or a JSON file', 'RECIPE', text, {
    value: 'small',
  }),
  set: repeated('Change one item of the recipe, such as estimator.window=10', 'A.B=VALUE', assignment),
  task: withDefault('Which of the recipe’s tasks, counted from 1', 'N', count({ min: 1 }), { value: 1 }),
  emit: withDefault(
    'graph (as traced), loops (as lowered), fused (after fusing) or c',
    'FORM',
    choice(['graph', 'loops', 'fused', 'c']),
    { value: 'c' },
  ),
  data: repeated('A data set in MNIST’s format: a directory with IDX files', 'NAME=DIR', assignment),
  out: optional('File to write; otherwise to stdout', 'FILE', text),
};

export const compile = defineCommand({
  describe:
    'Shows what the native engine makes of a recipe: the program of one particle over a truncation window, as graph, loops or C. No compiler runs. docs/engine.md says how to read it.',
  options,
  examples: [
    ['compile --recipe celo2 --emit c --out celo2.c', 'The C code for the first task'],
    ['compile --recipe small --emit fused', 'The loops that it is made from'],
    ['compile --recipe smoke --task 2 --emit graph --set estimator.window=1', 'The graph of the second task'],
  ],
  async run({ options }, context) {
    const [{ loadConfig }, { planLearner, traceWindows }, { dataSetsFrom }] = await Promise.all([
      import('../recipe-file.ts'),
      import('../../meta/learner.ts'),
      import('../data-sets.ts'),
    ]);
    const config = await loadConfig(options.recipe, options.set);
    const plan = await planLearner(config, { dataSets: await dataSetsFrom(options.data, context) });
    for (const message of plan.messages) context.stderr.write(`${message}\n`);
    const graphs = [...traceWindows(plan, config)];
    const graph = graphs[options.task - 1]?.[1];
    if (graph === undefined)
      throw new RangeError(
        `Cannot compile task ${options.task}: expected one of the ${graphs.length} tasks of ${options.recipe}`,
      );
    const written = await emitted(graph, options.emit);
    if (options.out === undefined) context.stdout.write(written);
    else {
      const { writeFileAtomically } = await import('../../checkpoints/files/atomic-write.ts');
      await writeFileAtomically(options.out, new TextEncoder().encode(written));
    }
  },
});

async function emitted(graph: Graph, form: string): Promise<string> {
  if (form === 'graph') return (await import('../../jit/graph/print.ts')).printGraph(graph);
  const [{ lower }, { optimize }, { printProgram }, { emitProgram }] = await Promise.all([
    import('../../jit/engines/native/lower/lower.ts'),
    import('../../jit/engines/native/optimize/optimize.ts'),
    import('../../jit/engines/native/ir/print.ts'),
    import('../../jit/engines/native/emit/program.ts'),
  ]);
  const program = lower(graph);
  if (form === 'loops') return printProgram(program);
  const fused = optimize(program);
  return form === 'fused' ? printProgram(fused) : emitProgram(fused).source;
}
