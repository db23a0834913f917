/** Two ways to run an optimizer step by step on host arrays: eagerly on the active TensorFlow.js backend, and as programs on an engine. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Engine } from '../../jit/engines/engine.ts';
import { allocate, type HostArray } from '../../jit/graph/graph.ts';
import { flatten, groupOf, type Structure } from '../../jit/trace/structure.ts';
import { outputTypes, traceInit, traceUpdate } from '../adapters/programs.ts';
import { scalarArray } from '../numeric.ts';
import type { Arrays, Optimizer, ParamSpecs } from '../optimizer.ts';

/** An optimizer and where it starts. */
export interface Start {
  readonly optimizer: Optimizer;
  readonly specs: ParamSpecs;
  readonly params: Arrays;
  /** In steps. */
  readonly horizon: number;
}

/** What an optimizer has come to. */
export interface Progress {
  readonly params: Arrays;
  readonly state: Arrays;
  /** There where they differ from params. */
  readonly weights?: Arrays;
}

/** An optimizer that is under way. */
export interface Run {
  /** What it starts from. */
  readonly start: Progress;
  step(input: { readonly grads: Arrays; readonly loss: number }): Promise<Progress>;
  dispose(): void;
}

/** Starts an optimizer on the active TensorFlow.js backend; everything is on the host between steps. */
export function startEagerly({ optimizer, specs, params, horizon }: Start): Run {
  const given = (): { values: ReadonlyMap<string, Tensor>; horizon: Tensor; specs: ParamSpecs } => ({
    values: tensorsOf(optimizer.values),
    horizon: tf.scalar(horizon),
    specs,
  });
  const state = eagerly(() => ({ state: optimizer.init({ ...given(), params: tensorsOf(params) }) })).state;
  const start: Progress = { params, state };
  let now = start;
  let count = 0;
  return {
    start,
    step({ grads, loss }) {
      const next = eagerly(() => {
        const input = { ...given(), ...(optimizer.needs.includes('loss') ? { loss: tf.scalar(loss) } : {}) };
        const { params, state } = optimizer.update({
          ...input,
          params: tensorsOf(now.params),
          state: tensorsOf(now.state),
          grads: tensorsOf(grads),
          step: tf.scalar(count, 'int32'),
        });
        const weights = optimizer.weights?.({ values: input.values, params, state, specs });
        return { params, state, ...(weights === undefined ? {} : { weights }) };
      });
      now = next;
      count += 1;
      return Promise.resolve(next);
    },
    dispose() {},
  };
}

/** Starts an optimizer as two programs, `init` and `update`, on an engine; everything is on the host between steps. */
export async function startOnEngine(engine: Engine, { optimizer, specs, params, horizon }: Start): Promise<Run> {
  const init = traceInit(optimizer, specs);
  const common = { values: optimizer.values, horizon: scalarArray(horizon) };
  const starter = await engine.compile(init);
  const state = groupOf(await runOnce(engine, starter, { ...common, params }), 'state');
  starter.dispose();
  const executable = await engine.compile(traceUpdate(optimizer, specs, outputTypes(init, 'state')));
  const start: Progress = { params, state };
  let now = start;
  let count = 0;
  return {
    start,
    async step({ grads, loss }) {
      const outputs = await runOnce(engine, executable, {
        ...common,
        params: now.params,
        state: now.state,
        grads,
        step: { shape: [], dtype: 'int32', data: Int32Array.of(count) },
        ...(optimizer.needs.includes('loss') ? { loss: scalarArray(loss) } : {}),
      });
      const next = groupOf(outputs, 'next');
      const weights = groupOf(next, 'weights');
      now = {
        params: groupOf(next, 'params'),
        state: groupOf(next, 'state'),
        ...(weights.size === 0 ? {} : { weights }),
      };
      count += 1;
      return now;
    },
    dispose: () => executable.dispose(),
  };
}

async function runOnce(
  engine: Engine,
  executable: Awaited<ReturnType<Engine['compile']>>,
  inputs: Structure<HostArray>,
): Promise<Map<string, HostArray>> {
  const handles = new Map([...flatten(inputs)].map(([name, array]) => [name, engine.upload(array)]));
  const outputs = await executable.run(handles);
  const arrays = new Map<string, HostArray>();
  for (const [name, handle] of outputs) arrays.set(name, await engine.download(handle));
  for (const handle of [...handles.values(), ...outputs.values()]) handle.dispose();
  return arrays;
}

type Records = Readonly<Record<string, ReadonlyMap<string, Tensor>>>;

/** Runs a function of tensors and copies what it gives to the host; no tensor is left over. */
function eagerly<R extends Records>(compute: () => R): { readonly [K in keyof R]: Arrays } {
  const arrays = {};
  tf.tidy(() => {
    for (const [name, group] of Object.entries(compute()))
      Object.assign(arrays, { [name]: new Map([...group].map(([path, tensor]) => [path, arrayOf(tensor)])) });
  });
  // One boundary: every record was copied under its own name.
  return arrays as { readonly [K in keyof R]: Arrays };
}

function tensorsOf(arrays: Arrays): ReadonlyMap<string, Tensor> {
  return new Map(
    [...arrays].map(([path, { shape, dtype, data }]) => [path, tf.tensor(data.slice(), [...shape], dtype)]),
  );
}

function arrayOf(tensor: Tensor): HostArray {
  const dtype = tensor.dtype === 'int32' || tensor.dtype === 'bool' ? tensor.dtype : 'float32';
  const data = allocate(dtype, tensor.size);
  data.set(tensor.dataSync());
  return { shape: tensor.shape, dtype, data };
}
