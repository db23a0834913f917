/** Every optimizer's rule as a Graph: differentiated by whatever goes in, and batched over particles. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import type { HostArray, ValueType } from '../../jit/graph/graph.ts';
import { groupOf, type Group } from '../../jit/trace/structure.ts';
import { trace } from '../../jit/trace/trace.ts';
import { gradientGraph } from '../../jit/transform/differentiate.ts';
import { inlineCalls } from '../../jit/transform/inline-calls.ts';
import { outputTypes, traceInit, traceUpdate } from '../../lopt/adapters/programs.ts';
import { scalarArray } from '../../lopt/numeric.ts';
import type { Arrays } from '../../lopt/optimizer.ts';
import { OPTIMIZERS } from '../../lopt/registry.ts';
import { array, arrays, irregular, specsOf } from './arrays-of.ts';
import { needEngine } from './engines.ts';
import { make } from './optimizers-for-tests.ts';

/** Central differences of a float32 loss of about 1: its rounding over the step, and what curvature and kinks add. */
const DIFFERENCE = { step: 3e-4, rounding: 3e-7, relative: 3e-2 };

const PARAMS = arrays({
  kernel: array(irregular(12), [3, 4]),
  bias: array(irregular(4, 1)),
  twin: array(irregular(12, 2), [3, 4]),
  scale: array([0.75], []),
});
const SPECS = specsOf(PARAMS);
const GRADS: Arrays = new Map(
  [...PARAMS].map(([path, { shape, data }], index) => [path, array(irregular(data.length, index + 7), shape)]),
);

const prefixed = <T>(prefix: string, group: Group<T>): [string, T][] =>
  [...group].map(([name, item]) => [`${prefix}/${name}`, item]);

describe.each(OPTIMIZERS.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
  test('has the gradient that finite differences have, by values, params and grads', async () => {
    const engine = await needEngine('eager');
    // Without the kinks of relu, which differences straddle.
    const optimizer = make(entry, { options: 'activation' in entry.options ? { activation: 'tanh' } : {} });
    const inputs: Arrays = new Map([
      ...prefixed('values', optimizer.values),
      ...prefixed('params', PARAMS),
      ...prefixed('grads', GRADS),
    ]);
    const types = new Map([...inputs].map(([name, { shape, dtype }]): [string, ValueType] => [name, { shape, dtype }]));
    const lossGraph = trace(
      ({ inputs }) => {
        const [values, grads, params] = [
          groupOf(inputs, 'values'),
          groupOf(inputs, 'grads'),
          groupOf(inputs, 'params'),
        ];
        const common = { values, grads, specs: SPECS, horizon: tf.scalar(10) };
        const state = optimizer.init({ ...common, params });
        const first = optimizer.update({ ...common, params, state, step: tf.scalar(0, 'int32') });
        const second = optimizer.update({ ...common, ...first, step: tf.scalar(1, 'int32') });
        return { loss: tf.sum(tf.stack([...second.params.values()].map((p) => tf.mean(tf.square(p))))) };
      },
      { inputs: types },
    );
    const wrt = [...inputs.keys()].map((name) => `inputs/${name}`);
    const graph = gradientGraph(inlineCalls(lossGraph), { output: 'loss', wrt });
    const executable = await engine.compile(graph);
    const run = async (at: Arrays): Promise<Map<string, HostArray>> => {
      const outputs = await executable.run(
        new Map(prefixed('inputs', at).map(([name, x]) => [name, engine.upload(x)])),
      );
      const all = new Map<string, HostArray>();
      for (const [name, handle] of outputs) all.set(name, await engine.download(handle));
      return all;
    };
    const loss = async (at: Arrays): Promise<number> => (await run(at)).get('value')?.data[0] ?? NaN;
    const gradients = groupOf(groupOf(await run(inputs), 'gradient'), 'inputs');
    for (const [name, input] of inputs) {
      // An epsilon of 1e-8 has no slope that float32 differences could see.
      if (/eps$/i.test(name)) continue;
      // Decays and what is folded from them stay in their range.
      const size =
        name.startsWith('values/') && !/layer|theta|decays\//.test(name) ? Math.max(...input.data.map(Math.abs)) : 1;
      const step = DIFFERENCE.step * (size === 0 ? 1 : size);
      const direction = irregular(input.data.length, 3);
      const moved = (by: number): Arrays =>
        new Map([
          ...inputs,
          [
            name,
            array(
              [...input.data].map((x, i) => x + by * (direction[i] ?? 0)),
              input.shape,
            ),
          ],
        ]);
      const difference = ((await loss(moved(step))) - (await loss(moved(-step)))) / (2 * step);
      const slope = [...(gradients.get(name)?.data ?? [])].reduce((sum, x, i) => sum + x * (direction[i] ?? 0), 0);
      const bound = DIFFERENCE.rounding / step + DIFFERENCE.relative * Math.abs(difference);
      expect(Math.abs(slope - difference), `${name}: ${slope} for ${difference}`).toBeLessThanOrEqual(bound);
    }
    executable.dispose();
  });

  test.each(['eager', 'onnx'] as const)('does for each particle of a batch what it does alone (%s)', async (way) => {
    const engine = await needEngine(way);
    const [one, other] = [make(entry), make(entry, { setting: 1 })];
    const init = traceInit(one, SPECS);
    const update = traceUpdate(one, SPECS, outputTypes(init, 'state'));
    const state = outputTypes(init, 'state');
    const particle = (index: number): Arrays =>
      new Map<string, HostArray>([
        ...prefixed('values', (index === 1 ? other : one).values),
        ...[...PARAMS].map(([path, p], k): [string, HostArray] => [
          `params/${path}`,
          array(irregular(p.data.length, 10 * index + k), p.shape),
        ]),
        ...[...GRADS].map(([path, g], k): [string, HostArray] => [
          `grads/${path}`,
          array(irregular(g.data.length, 10 * index + k + 5), g.shape),
        ]),
        ...[...state].map(([name, { shape }]): [string, HostArray] => {
          const count = shape.reduce((n, extent) => n * extent, 1);
          return [`state/${name}`, array(irregular(count, index).map(Math.abs), shape)];
        }),
        ['step', { shape: [], dtype: 'int32', data: Int32Array.of(index) }],
        ['horizon', scalarArray(10)],
      ]);
    const particles = [0, 1, 2].map(particle);
    const alone = await engine.compile(update);
    const batched = await engine.compile(update, { particles: 3, mapped: new Set(particles[0]?.keys()) });
    const run = async (executable: typeof alone, inputs: Arrays): Promise<Map<string, HostArray>> => {
      const outputs = await executable.run(new Map([...inputs].map(([name, x]) => [name, engine.upload(x)])));
      const all = new Map<string, HostArray>();
      for (const [name, handle] of outputs) all.set(name, await engine.download(handle));
      return all;
    };
    const together = await run(batched, stacked(particles));
    for (const [index, inputs] of particles.entries())
      for (const [name, { shape, data }] of await run(alone, inputs)) {
        const all = together.get(name);
        expect(all?.shape).toEqual([3, ...shape]);
        const own = [...(all?.data ?? [])].slice(index * data.length, (index + 1) * data.length);
        // The same operations in another order of summation.
        own.forEach((x, i) =>
          expect(Math.abs(x - (data[i] ?? NaN)), name).toBeLessThanOrEqual(1e-5 * (1 + Math.abs(x))),
        );
      }
    alone.dispose();
    batched.dispose();
  });
});

function stacked(particles: readonly Arrays[]): Arrays {
  return new Map(
    [...(particles[0] ?? [])].map(([name, { shape, dtype }]): [string, HostArray] => {
      const parts = particles.flatMap((arrays) => [...(arrays.get(name)?.data ?? [])]);
      const data = dtype === 'int32' ? Int32Array.from(parts) : Float32Array.from(parts);
      return [name, { shape: [particles.length, ...shape], dtype, data }];
    }),
  );
}
