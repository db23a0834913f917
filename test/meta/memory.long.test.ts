import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../jit/engines/create-engine.ts';
import { checkConfig } from '../../meta/config.ts';
import { compileLearner, planLearner } from '../../meta/learner.ts';
import { initMetaState, metaStep } from '../../meta/meta-step.ts';
import { findRecipe } from '../../meta/recipes/registry.ts';
import { disposeRun, downloadRun } from '../../meta/run-state.ts';
import { loadDataSets } from '../../tasks/files/load-data-sets.ts';

const STEPS = 2000;
// What the collector and the allocators may keep apart from what is live: a leak of one window's smallest array a step would be more.
const SLACK_BYTES = 24 * 2 ** 20;

setFlagsFromString('--expose_gc');
// The one boundary: the flag has just made it.
const collect = runInNewContext('gc') as () => void;

function usedBytes(): { rss: number; owned: number } {
  collect();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss, owned: heapUsed + external + arrayBuffers };
}

describe.each([{ pool: false }, { pool: true }])('2,000 outer steps of smoke, pool $pool', ({ pool }) => {
  it('keep memory flat', async () => {
    const config = checkConfig(findRecipe('smoke'));
    const { dataSets } = await loadDataSets();
    const engine = await createEngine('onnx', { device: 'cpu', threads: pool ? 2 : 1, pool });
    const compiled = await compileLearner(await planLearner(config, { dataSets }), { config, engine });
    const { learner, theta } = compiled;
    let state = await initMetaState(learner, theta);
    let early: ReturnType<typeof usedBytes> | undefined;
    for (let step = 0; step < STEPS; step += 1) {
      ({ state } = await metaStep(learner, state));
      // What checkpoints do, too.
      if (step % 100 === 0) await downloadRun(learner, state);
      if (step === STEPS / 4) early = usedBytes();
    }
    const late = usedBytes();
    expect(late.owned - (early?.owned ?? 0)).toBeLessThan(SLACK_BYTES);
    expect(late.rss - (early?.rss ?? 0)).toBeLessThan(2 * SLACK_BYTES);
    disposeRun(learner, state);
    compiled.dispose();
    await engine.dispose();
  });
});
