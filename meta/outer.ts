import type { Tensor } from '@tensorflow/tfjs-core';
import type { Engine, Executable } from '../jit/engines/engine.ts';
import type { HostArray, ValueType } from '../jit/graph/graph.ts';
import { type Group, groupOf } from '../jit/trace/structure.ts';
import { trace } from '../jit/trace/trace.ts';
import type { Arrays, Optimizer, ParamSpec } from '../lopt/optimizer.ts';
import { leafOf } from './perturbation.ts';

/** Trains theta: an optimizer applied to its trainable leaves, through an engine. State lives on the host. */
export interface OuterOptimizer {
  /** State at the start, by the optimizer's own names. */
  init(theta: Arrays): Promise<Arrays>;
  /**
   * One outer step. Leaves without a gradient are left as they are, to the bit.
   * @param input.step outer step, from 0. @param input.loss meta-loss.
   */
  update(input: {
    readonly theta: Arrays;
    readonly gradient: Arrays;
    readonly state: Arrays;
    readonly step: number;
    readonly loss: number;
  }): Promise<{ readonly theta: Arrays; readonly state: Arrays }>;
  dispose(): void;
}

const FLOAT: ValueType = { shape: [], dtype: 'float32' };
const INT: ValueType = { shape: [], dtype: 'int32' };

/**
 * Traces and compiles an optimizer for theta.
 * @param options.horizon outer steps of the whole run, which schedules refer to.
 * @throws RangeError when the optimizer needs more than loss and horizon.
 */
export async function createOuterOptimizer({
  engine,
  optimizer,
  theta,
  trainable,
  horizon,
}: {
  engine: Engine;
  optimizer: Optimizer;
  theta: Arrays;
  trainable: ReadonlySet<string>;
  horizon: number;
}): Promise<OuterOptimizer> {
  for (const need of optimizer.needs)
    if (need !== 'loss' && need !== 'horizon')
      throw new RangeError(
        `Cannot train theta with ${optimizer.name}: expected an optimizer that needs loss or horizon but it needs ${typeof need === 'object' ? `noise ${need.name}` : need}`,
      );
  const specs = new Map(
    [...theta]
      .filter(([path]) => trainable.has(path))
      .map(([path, { shape }]): [string, ParamSpec] => [path, { path, shape, dtype: 'float32' }]),
  );
  const params: Group<ValueType> = specs;
  const values: Group<ValueType> = optimizer.values;
  const initGraph = trace(
    ({
      values,
      params,
      horizon,
    }: Traced<{ values: Group<ValueType>; params: Group<ValueType>; horizon: ValueType }>) => ({
      state: optimizer.init({ values, params, specs, horizon }),
    }),
    { values, params, horizon: FLOAT },
    { name: `${optimizer.name} init` },
  );
  const stateTypes = groupOf(
    new Map(initGraph.outputs.map(({ name, value }) => [name, initGraph.values[value] as ValueType])),
    'state',
  );
  const types = { values, params, grads: params, state: stateTypes, step: INT, horizon: FLOAT, loss: FLOAT };
  const updateGraph = trace(
    ({ values, params, grads, state, step, horizon, loss }: Traced<typeof types>) => {
      const next = optimizer.update({ values, params, grads, state, specs, step, horizon, loss });
      return { 'next/params': next.params, 'next/state': next.state };
    },
    types,
    { name: `${optimizer.name} update` },
  );
  const init = await engine.compile(initGraph);
  const update = await engine.compile(updateGraph);

  const own = (arrays: Arrays, prefix: string): [string, HostArray][] =>
    [...specs.keys()].map((path) => [`${prefix}/${path}`, leafOf(arrays, path)]);
  const constants: [string, HostArray][] = [
    ...[...optimizer.values].map(([name, array]): [string, HostArray] => [`values/${name}`, array]),
    ['horizon', { ...FLOAT, data: Float32Array.of(horizon) }],
  ];
  return {
    init: async (theta) => groupOf(await runOnce(engine, init, [...constants, ...own(theta, 'params')]), 'state'),
    update: async ({ theta, gradient, state, step, loss }) => {
      const outputs = await runOnce(engine, update, [
        ...constants,
        ...own(theta, 'params'),
        ...own(gradient, 'grads'),
        ...[...state].map(([name, array]): [string, HostArray] => [`state/${name}`, array]),
        ['step', { ...INT, data: Int32Array.of(step) }],
        ['loss', { ...FLOAT, data: Float32Array.of(loss) }],
      ]);
      const next = groupOf(outputs, 'next/params');
      return {
        theta: new Map([...theta].map(([path, leaf]) => [path, next.get(path) ?? leaf])),
        state: groupOf(outputs, 'next/state'),
      };
    },
    dispose: () => {
      init.dispose();
      update.dispose();
    },
  };
}

type Traced<T> = { [K in keyof T]: T[K] extends Group<unknown> ? Group<Tensor> : Tensor };

/** Runs a program on host arrays. */
async function runOnce(
  engine: Engine,
  executable: Executable,
  inputs: readonly (readonly [string, HostArray])[],
): Promise<Map<string, HostArray>> {
  const handles = new Map(inputs.map(([name, array]) => [name, engine.upload(array)]));
  const outputs = await executable.run(handles);
  for (const handle of handles.values()) handle.dispose();
  const arrays = new Map<string, HostArray>();
  for (const [name, handle] of outputs) {
    arrays.set(name, await engine.download(handle));
    handle.dispose();
  }
  return arrays;
}
