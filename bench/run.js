// `npm run bench` (build first): the meta-training step on the celo2 recipe's tasks, in nanoseconds a particle, parameter and inner
// step, with the share of time by part and the peak memory. Each case is a process of its own, so that first steps and memory are its own
// too; `npm run bench -- native` runs the cases of one engine. Says what it ran on; numbers of two machines don't compare.
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import process from 'node:process';
import { createEngine } from '../dist/jit/engines/create-engine.js';
import { checkConfig } from '../dist/meta/config.js';
import { RECIPES } from '../dist/meta/recipes/registry.js';
import { benchOuterStep } from '../dist/scripts/bench/outer-step-case.js';
import { canPool } from '../dist/scripts/cli/engine-options.js';
import { defaultThreads } from '../dist/scripts/cli/read-text.js';
import { dataSetsFrom } from '../dist/scripts/data-sets.js';
import { writeOuterStep } from '../dist/scripts/commands/bench-pes.js';

const OPTIMIZERS = [
  { name: 'adafac-mlp', options: { hidden: 8 } },
  { name: 'celo2-base', options: {} },
  { name: 'celo2', options: {} },
];
const ENGINES = ['onnx', 'native'];
const cases = ENGINES.flatMap((engine) => OPTIMIZERS.map((optimizer) => ({ engine, optimizer })));

async function run({ engine: engineName, optimizer }) {
  const device = 'cpu';
  const engine = await createEngine(engineName, {
    device,
    threads: defaultThreads(),
    pool: canPool(engineName, device),
  });
  const config = checkConfig({ ...RECIPES.get('celo2'), optimizer });
  const { result, shares } = await benchOuterStep(config, {
    name: `celo2 recipe with ${optimizer.name} ${JSON.stringify(optimizer.options)} on ${engineName}`,
    engine,
    dataSets: await dataSetsFrom([], process),
    repeats: { least: 5, ms: 10_000, most: 100, signal: new AbortController().signal },
  });
  writeOuterStep(result, { shares, version: engine.description.version, context: process });
  await engine.dispose();
}

const [, file, asked] = process.argv;
if (asked !== undefined && !ENGINES.includes(asked)) await run(cases[Number(asked)]);
else {
  const { model = 'unknown processor' } = cpus()[0] ?? {};
  console.log(
    `${model}, ${defaultThreads()} threads; Node ${process.versions.node}; smallest, middle and largest of repeated outer steps\n`,
  );
  for (const [index, { engine }] of cases.entries()) {
    if (asked !== undefined && engine !== asked) continue;
    const { status } = spawnSync(process.execPath, [file, String(index)], {
      stdio: 'inherit',
    });
    if (status !== 0) process.exitCode = 1;
  }
}
