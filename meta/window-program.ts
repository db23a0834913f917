import type { Tensor } from '@tensorflow/tfjs-core';
import type { Graph, ValueType } from '../jit/graph/graph.ts';
import { scan } from '../jit/trace/control-flow.ts';
import type { Group, Structure } from '../jit/trace/structure.ts';
import { groupOf } from '../jit/trace/structure.ts';
import { trace } from '../jit/trace/trace.ts';
import type { Optimizer } from '../lopt/optimizer.ts';
import type { Task } from '../tasks/task.ts';
import type { StepInputs } from './program.ts';
import { type StepSlice, type StepState, innerStep } from './step.ts';

/** Types of the state of one particle, by the flat names that programs give it. */
export interface StateTypes {
  readonly params: Group<ValueType>;
  readonly optimizer: Group<ValueType>;
  readonly dynamic: Group<ValueType>;
  readonly step: ValueType;
  readonly horizon: ValueType;
}

const FLOAT: ValueType = { shape: [], dtype: 'float32' };
const NONE: Group<ValueType> = new Map();
const INT: ValueType = { shape: [], dtype: 'int32' };

/** The types of a particle's state, found by tracing the optimizer's `init`. */
export function stateTypes(task: Task, optimizer: Optimizer, inputs: StepInputs): StateTypes {
  const params = paramTypes(task);
  const types = {
    values: valueTypes(optimizer),
    params,
    horizon: FLOAT,
    noise: noiseTypes(groupOf(inputs.freshNoise, 'optimizer')),
  };
  const graph = trace(
    ({ values, params, horizon, noise }: { [K in keyof typeof types]: TraceOf<(typeof types)[K]> }) => ({
      state: optimizer.init({ values, params, specs: task.specs, horizon, ...(noise.size === 0 ? {} : { noise }) }),
    }),
    types,
    { name: `${optimizer.name} init` },
  );
  return {
    params,
    optimizer: groupOf(outputTypes(graph), 'state'),
    dynamic: inputs.dynamic,
    step: INT,
    horizon: FLOAT,
  };
}

type TraceOf<T> = T extends Group<ValueType> ? Group<Tensor> : Tensor;

/**
 * The program of one particle over a window. Inputs: `values/*`, the state (`params/*`, `optimizer/*`, `dynamic/*`, `step`,
 * `horizon`), `resident/*` and the plan (plan.ts). Outputs: the state under `next/`, and `losses` (normalised), `rawLosses`, `mask` `[step]`.
 */
export function traceWindow({
  task,
  optimizer,
  inputs,
  state,
  windowLength,
  freshRows,
}: {
  task: Task;
  optimizer: Optimizer;
  inputs: StepInputs;
  state: StateTypes;
  windowLength: number;
  freshRows: number;
}): Graph {
  const perStep = ({ shape, dtype }: ValueType): ValueType => ({ shape: [windowLength, ...shape], dtype });
  const perRow = ({ shape, dtype }: ValueType): ValueType => ({ shape: [freshRows, ...shape], dtype });
  const rows = inputs.batchSize === undefined ? undefined : perStep({ shape: [inputs.batchSize], dtype: 'int32' });
  const types = {
    values: valueTypes(optimizer),
    ...state,
    resident: typesOf(task.data?.resident ?? new Map()),
    ...(rows === undefined ? {} : { rows }),
    ...(rows === undefined || !inputs.validLoss ? {} : { validRows: rows }),
    ...(rows === undefined || inputs.metaLoss === 'train' ? {} : { metaRows: rows }),
    noise: mapTypes(noiseTypes(inputs.noise), perStep),
    reset: perStep(INT),
    anyReset: perStep({ shape: [], dtype: 'bool' }),
    'fresh/horizon': perRow(FLOAT),
    'fresh/dynamic': mapTypes(inputs.dynamic, perRow),
    'fresh/noise': mapTypes(noiseTypes(inputs.freshNoise), perRow),
  } satisfies Structure<ValueType>;
  return trace(
    (x: { [K in keyof typeof types]: TraceOf<(typeof types)[K]> }) => {
      const fresh = { horizon: x['fresh/horizon'], dynamic: x['fresh/dynamic'], noise: x['fresh/noise'] };
      const context = { task, optimizer, values: x.values, resident: x.resident, fresh };
      const sequences: StepSlice = {
        ...(x.rows === undefined ? {} : { rows: x.rows }),
        ...(x.validRows === undefined ? {} : { validRows: x.validRows }),
        ...(x.metaRows === undefined ? {} : { metaRows: x.metaRows }),
        reset: x.reset,
        anyReset: x.anyReset,
        noise: x.noise,
      };
      const init: StepState = {
        params: x.params,
        optimizer: x.optimizer,
        dynamic: x.dynamic,
        step: x.step,
        horizon: x.horizon,
      };
      const { carry, outputs } = scan({
        body: (state: StepState, slice: StepSlice) => {
          const { state: next, loss, normalized, mask } = innerStep(state, slice, context);
          return { carry: next, outputs: { losses: normalized, rawLosses: loss, mask } };
        },
        init,
        sequences,
        length: windowLength,
      });
      return {
        'next/params': carry.params,
        'next/optimizer': carry.optimizer,
        'next/dynamic': carry.dynamic,
        'next/step': carry.step,
        'next/horizon': carry.horizon,
        ...outputs,
      };
    },
    types,
    { name: `${optimizer.name} on ${task.name}` },
  );
}

/**
 * The program of one particle on one evaluation batch. Inputs: `params/*`, `dynamic/*`, `resident/*`, `rows` `[batch]`, `noise/*`, and
 * `values/*` and `optimizer/*` where the optimizer evaluates other weights than params. Outputs: `loss` and the task's auxiliary scalars.
 */
export function traceEvaluation({
  task,
  optimizer,
  inputs,
  state,
  batchSize,
}: {
  task: Task;
  optimizer: Optimizer;
  inputs: StepInputs;
  state: StateTypes;
  batchSize: number | undefined;
}): Graph {
  const types = {
    values: optimizer.weights === undefined ? NONE : valueTypes(optimizer),
    params: state.params,
    optimizer: optimizer.weights === undefined ? NONE : state.optimizer,
    dynamic: state.dynamic,
    resident: typesOf(task.data?.resident ?? new Map()),
    ...(batchSize === undefined ? {} : { rows: { shape: [batchSize], dtype: 'int32' } }),
    noise: noiseTypes(evaluationNoise(inputs)),
  } satisfies Structure<ValueType>;
  return trace(
    (x: { [K in keyof typeof types]: TraceOf<(typeof types)[K]> }) => {
      const params =
        optimizer.weights?.({ values: x.values, params: x.params, state: x.optimizer, specs: task.specs }) ?? x.params;
      const batchNoise = groupOf(x.noise, 'batch');
      const batch =
        task.data === undefined || x.rows === undefined
          ? new Map<string, Tensor>()
          : task.data.batch({
              resident: x.resident,
              rows: x.rows,
              ...(batchNoise.size === 0 ? {} : { noise: batchNoise }),
            });
      return { ...task.loss({ params, batch, dynamic: x.dynamic, noise: groupOf(x.noise, 'loss') }) };
    },
    types,
    { name: `evaluation of ${task.name}` },
  );
}

/** The step noise that a loss takes: the task's, without the optimizer's. */
export function evaluationNoise(inputs: StepInputs): StepInputs['noise'] {
  return new Map([...inputs.noise].filter(([name]) => !name.startsWith('optimizer/')));
}

function paramTypes(task: Task): Group<ValueType> {
  return new Map([...task.specs].map(([path, { shape, dtype }]) => [path, { shape, dtype }]));
}

function valueTypes({ values }: Optimizer): Group<ValueType> {
  return typesOf(values);
}

function typesOf(arrays: Group<ValueType>): Group<ValueType> {
  return new Map([...arrays].map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
}

function noiseTypes(noise: StepInputs['noise']): Group<ValueType> {
  return new Map([...noise].map(([name, { shape }]) => [name, { shape, dtype: 'float32' }]));
}

function mapTypes(types: Group<ValueType>, rule: (type: ValueType) => ValueType): Group<ValueType> {
  return new Map([...types].map(([name, type]) => [name, rule(type)]));
}

/** Types of a graph's outputs by name. */
export function outputTypes(graph: Graph): Map<string, ValueType> {
  return new Map(graph.outputs.map(({ name, value }) => [name, graph.values[value] as ValueType]));
}
