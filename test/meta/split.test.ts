import { describe, expect, it } from 'vitest';
import { createEngine } from '../../jit/engines/create-engine.ts';
import { fold, rootKey } from '../../jit/random/key.ts';
import { checkConfig } from '../../meta/config.ts';
import { compileLearner, planLearner } from '../../meta/learner.ts';
import { initMetaState, metaStep } from '../../meta/meta-step.ts';
import { disposeRun, downloadRun } from '../../meta/run-state.ts';
import { loadDataSets } from '../../tasks/files/load-data-sets.ts';

const { dataSets } = await loadDataSets();

/** Parameter tensors of 15, 3, 9, 3, 30 and 10 elements: most aren't a whole number of vector registers. */
const task = (more: object) => ({
  name: 'image-mlp',
  options: { data: 'digits', image: [5, 1, 1], hidden: [3, 3], batchSize: 7 },
  ...more,
});

describe.each(['truncated-pes', 'truncated-es'])('%s on onnx', (name) => {
  const config = checkConfig({
    optimizer: { name: 'adafac-mlp', options: { hidden: 3 } },
    tasks: [task({}), task({ reparameterise: { level: 'parameter', min: 0.5, max: 2 } })],
    estimator: { name, pairs: 6, groupSize: 4, window: 5 },
    trajectory: { min: 3, max: 9, stagger: 5 },
    steps: 3,
  });

  it('gives the same bytes when particles are split over two measure calls', async () => {
    const engine = await createEngine('onnx', { device: 'cpu', threads: 1 });
    const plan = await planLearner(config, { dataSets });
    const compiled = await compileLearner(plan, { config, engine });
    const { learner, theta } = compiled;
    const [estimator] = learner.estimators.values();
    if (estimator === undefined) throw new Error('an estimator');
    let [whole, split] = [estimator.init(), estimator.init()];
    for (let step = 0; step < 3; step += 1) {
      const key = fold(rootKey('split'), step);
      const once = await estimator.measure(theta, { state: whole, key });
      const second = await estimator.measure(theta, { state: split, key, particles: { first: 4, count: 8 } });
      const first = await estimator.measure(theta, { state: second.state, key, particles: { first: 0, count: 4 } });
      [whole, split] = [once.state, first.state];
      expect(estimator.combine(theta, [...second.parts, ...first.parts])).toEqual(estimator.combine(theta, once.parts));
    }
    expect(await estimator.download(split)).toEqual(await estimator.download(whole));
    estimator.dispose(whole);
    estimator.dispose(split);
    compiled.dispose();
    await engine.dispose();
  });

  it('gives the same bytes on one worker thread and on two', async () => {
    const run = async (threads: number) => {
      const engine = await createEngine('onnx', { device: 'cpu', threads, pool: true });
      const plan = await planLearner(config, { dataSets });
      const compiled = await compileLearner(plan, { config, engine });
      let state = await initMetaState(compiled.learner, compiled.theta);
      const results = [];
      for (let step = 0; step < 3; step += 1) {
        const next = await metaStep(compiled.learner, state);
        results.push(next.result);
        state = next.state;
      }
      const arrays = await downloadRun(compiled.learner, state);
      disposeRun(compiled.learner, state);
      compiled.dispose();
      await engine.dispose();
      return { results, arrays };
    };
    expect(await run(2)).toEqual(await run(1));
  });
});
