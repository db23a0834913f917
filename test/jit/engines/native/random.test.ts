import { afterAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../../jit/engines/engine.ts';
import { createNativeEngine } from '../../../../jit/engines/native/native-engine.ts';
import { GraphBuilder } from '../../../../jit/graph/builder.ts';
import type { Graph, HostArray, Port, ValueType } from '../../../../jit/graph/graph.ts';
import { optimize } from '../../../../jit/engines/native/optimize/optimize.ts';
import { ANYTHING, SMOOTH, randomGraph } from '../../transform/random-graphs.ts';
import { difference } from '../compare.ts';
import { evaluate } from '../reference.ts';
import { onEngine } from '../runs.ts';
import { hasCompiler } from './c-compiler.ts';
import { onInterpreter } from './on-interpreter.ts';

const NODES = 30;
const VOCABULARIES = [
  ['anything', ANYTHING],
  ['smooth functions', SMOOTH],
] as const;

/** The first output that isn't what the reference gives, in words. */
function firstDifference(
  got: ReadonlyMap<string, HostArray>,
  want: ReadonlyMap<string, HostArray>,
): string | undefined {
  for (const [name, array] of want) {
    const found = difference(got.get(name), array);
    if (found !== undefined) return `${name}: ${found}`;
  }
  return undefined;
}

/** Many graphs as one, which is compiled once. */
function together(graphs: readonly { graph: Graph; inputs: ReadonlyMap<string, HostArray> }[]) {
  const builder = new GraphBuilder('many');
  const inputs = new Map<string, HostArray>();
  const outputs: Port[] = [];
  graphs.forEach(({ graph, inputs: own }, k) => {
    const ids = graph.inputs.map(({ name, value }) => {
      inputs.set(`${k}/${name}`, own.get(name) as HostArray);
      return builder.input(`${k}/${name}`, graph.values[value] as ValueType);
    });
    builder.inline(graph, ids).forEach((value, index) => outputs.push({ name: `${k}/${index}`, value }));
  });
  return { graph: builder.finish(outputs), inputs };
}

describe.each(VOCABULARIES)('random graphs of %s', (_, words) => {
  test('mean the same as loops', async () => {
    const run = onInterpreter(optimize);
    for (let seed = 1; seed <= 150; seed += 1) {
      const { graph, inputs } = randomGraph(seed, NODES, words);
      expect([seed, firstDifference(await run(graph, inputs), evaluate(graph, inputs))]).toEqual([seed, undefined]);
    }
  });
});

describe.skipIf(!(await hasCompiler()))('random graphs as machine code', () => {
  let engine: Engine | undefined;
  afterAll(() => engine?.dispose());

  // Functions that don't blow last bits up: each of the others is tested by itself (primitives.test.ts).
  test('of smooth functions', async () => {
    engine = await createNativeEngine({ threads: 1 });
    for (let first = 2000; first < 2120; first += 30) {
      const graphs = Array.from({ length: 30 }, (_, index) => randomGraph(first + index, NODES, SMOOTH));
      const { graph, inputs } = together(graphs);
      expect([first, firstDifference(await onEngine(engine, graph, inputs), evaluate(graph, inputs))]).toEqual([
        first,
        undefined,
      ]);
    }
  });
});
