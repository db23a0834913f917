// `npm run bench` (build first): the meta-training step on the celo2 recipe's tasks, in nanoseconds a particle, parameter and inner
// step, with the share of time by part and the peak memory. Says what it ran on; numbers of two machines don't compare.
import { cpus } from 'node:os';
import process from 'node:process';
import { createEngine } from '../dist/jit/engines/create-engine.js';
import { checkConfig } from '../dist/meta/config.js';
import { RECIPES } from '../dist/meta/recipes/registry.js';
import { benchOuterStep } from '../dist/scripts/bench/outer-step-case.js';
import { defaultThreads } from '../dist/scripts/cli/read-text.js';
import { dataSetsFrom } from '../dist/scripts/data-sets.js';
import { writeOuterStep } from '../dist/scripts/commands/bench-pes.js';

const cases = [
  ['celo2 recipe with adafac-mlp, hidden 8', { name: 'adafac-mlp', options: { hidden: 8 } }],
  ['celo2 recipe with celo2', { name: 'celo2', options: {} }],
];

const { model = 'unknown processor' } = cpus()[0] ?? {};
console.log(
  `${model}, ${defaultThreads()} threads; Node ${process.versions.node}; smallest, middle and largest of repeated outer steps\n`,
);
const dataSets = await dataSetsFrom([], process);
for (const [name, optimizer] of cases) {
  const engine = await createEngine('onnx', { device: 'cpu', threads: defaultThreads(), pool: true });
  const config = checkConfig({ ...RECIPES.get('celo2'), optimizer });
  const { result, shares } = await benchOuterStep(config, {
    name,
    engine,
    dataSets,
    repeats: { least: 5, ms: 10_000, most: 100, signal: new AbortController().signal },
  });
  writeOuterStep(result, { shares, version: engine.description.version, context: process });
  await engine.dispose();
}
