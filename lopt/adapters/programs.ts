/** An optimizer's functions as Graphs, for given parameters: what adapters run and what is exported. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Graph, type ValueType, sizeOf } from '../../jit/graph/graph.ts';
import { trace } from '../../jit/trace/trace.ts';
import { type Group, type Structure, groupOf } from '../../jit/trace/structure.ts';
import type { NoiseSpec, Optimizer, ParamSpecs } from '../optimizer.ts';

const SCALAR: ValueType = { shape: [], dtype: 'float32' };
const STEP: ValueType = { shape: [], dtype: 'int32' };

/** Noise that an optimizer asks for, by name. */
export function noiseOf(optimizer: Optimizer, purpose: 'init' | 'update'): Group<NoiseSpec> {
  return new Map(
    optimizer.needs.flatMap((need) =>
      typeof need === 'object' && need.for === purpose ? [[need.name, need.noise] as const] : [],
    ),
  );
}

/** Types of an optimizer's noise, by flat name: `<name>`, or `<name>/<path>` for each parameter. */
export function noiseTypes(noise: Group<NoiseSpec>, specs: ParamSpecs): Map<string, ValueType> {
  return new Map(
    [...noise].flatMap(([name, { shape }]) =>
      shape === 'params'
        ? [...specs].map(([path, spec]) => [`${name}/${path}`, { shape: spec.shape, dtype: spec.dtype }] as const)
        : [[name, { shape, dtype: 'float32' }] as const],
    ),
  );
}

/**
 * The Graph of an optimizer's start. Inputs `values/<name>`, `params/<path>`, `horizon` (float32 scalar), `noise/<name>`;
 * outputs `state/<name>`.
 */
export function traceInit(optimizer: Optimizer, specs: ParamSpecs): Graph {
  const types = {
    values: typesOf(optimizer.values),
    params: typesOf(specs),
    horizon: SCALAR,
    noise: noiseTypes(noiseOf(optimizer, 'init'), specs),
  };
  return trace(
    ({ values, params, horizon, noise }) => ({ state: optimizer.init({ values, params, specs, horizon, noise }) }),
    types,
    {
      name: `${optimizer.name}/init`,
    },
  );
}

/**
 * The Graph of one step. Inputs `values/<name>`, `params/<path>`, `grads/<path>`, `state/<name>`, `step` (int32 scalar, 0-based),
 * `horizon`, `noise/<name>` and, where needed, `loss` and `validLoss` (float32 scalars); outputs `next/params/<path>`,
 * `next/state/<name>` and, where the optimizer has weights of their own, `next/weights/<path>`. `stateTypes`: as `traceInit` gave them.
 */
export function traceUpdate(optimizer: Optimizer, specs: ParamSpecs, stateTypes: Group<ValueType>): Graph {
  const { needs } = optimizer;
  const types = {
    values: typesOf(optimizer.values),
    params: typesOf(specs),
    grads: typesOf(specs),
    state: stateTypes,
    step: STEP,
    horizon: SCALAR,
    noise: noiseTypes(noiseOf(optimizer, 'update'), specs),
    losses: new Map<string, ValueType>(
      (['loss', 'validLoss'] as const).filter((name) => needs.includes(name)).map((name) => [name, SCALAR]),
    ),
  };
  const graph = trace(
    ({ losses, ...input }) => {
      const next = optimizer.update({ ...input, specs, ...Object.fromEntries(losses) });
      const outputs: Structure<Tensor> = { 'next/params': next.params, 'next/state': next.state };
      if (optimizer.weights === undefined) return outputs;
      const { values } = input;
      return {
        ...outputs,
        'next/weights': optimizer.weights({ values, params: next.params, state: next.state, specs }),
      };
    },
    types,
    { name: `${optimizer.name}/update` },
  );
  const inputs = graph.inputs.map((port) => ({ ...port, name: port.name.replace(/^losses\//, '') }));
  return { ...graph, inputs };
}

/** Types of a graph's outputs under `<group>/`, by name. */
export function outputTypes(graph: Graph, group: string): Map<string, ValueType> {
  const types = new Map(
    graph.outputs.flatMap(({ name, value }) => {
      const type = graph.values[value];
      return type === undefined ? [] : [[name, type] as const];
    }),
  );
  return groupOf(types, group);
}

/** Specs without those of tensors that have no elements: there is nothing to update in them. */
export function nonEmpty(specs: ParamSpecs): ParamSpecs {
  return new Map([...specs].filter(([, { shape }]) => sizeOf(shape) > 0));
}

function typesOf(types: Group<ValueType>): Map<string, ValueType> {
  return new Map([...types].map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
}

/** Whether an output of a graph depends on an input. */
export function usesInput(graph: Graph, name: string): boolean {
  const wanted = new Set(graph.outputs.map(({ value }) => value));
  for (const node of graph.nodes.toReversed())
    if (node.outputs.some((id) => wanted.has(id))) for (const id of node.inputs) wanted.add(id);
  return graph.inputs.some((port) => port.name === name && wanted.has(port.value));
}

/** Whether an optimizer's rules use the horizon, judged by a matrix and a vector. */
export function usesHorizon(optimizer: Optimizer): boolean {
  const specs: ParamSpecs = new Map(
    [[2, 3], [3]].map((shape) => [`p${shape.length}`, { path: `p${shape.length}`, shape, dtype: 'float32' }]),
  );
  const init = traceInit(optimizer, specs);
  return [init, traceUpdate(optimizer, specs, outputTypes(init, 'state'))].some((graph) => usesInput(graph, 'horizon'));
}
