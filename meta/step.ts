import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { cond } from '../jit/trace/control-flow.ts';
import { valueAndGradient } from '../jit/trace/gradient.ts';
import { groupOf } from '../jit/trace/structure.ts';
import type { Optimizer, Tensors } from '../lopt/optimizer.ts';
import type { Task } from '../tasks/task.ts';

/** One inner problem between steps: a structure of tensors, so that it can be a scan's carry. */
export type StepState = {
  readonly params: Tensors;
  readonly optimizer: Tensors;
  readonly dynamic: Tensors;
  /** Updates since the trajectory began, int32 scalar. */
  readonly step: Tensor;
  /** Length of the trajectory in inner steps, float32 scalar. */
  readonly horizon: Tensor;
};

/** What one step takes besides state: a structure of tensors, one slice of a scan's sequences. */
export type StepSlice = {
  /** int32 `[batch]`; absent where the task has no data. */
  readonly rows?: Tensor;
  readonly validRows?: Tensor;
  /** Where the meta-loss isn't the training loss. */
  readonly metaRows?: Tensor;
  /** Row of the fresh trajectories with which one begins before this step, or -1; int32 scalar. */
  readonly reset: Tensor;
  /** Whether any particle of the batch has a reset before this step; bool scalar, the same for all of them. */
  readonly anyReset: Tensor;
  readonly noise: Tensors;
};

/** What all steps of a window share. */
export interface StepContext {
  readonly task: Task;
  readonly optimizer: Optimizer;
  readonly values: Tensors;
  readonly resident: Tensors;
  /** `horizon` `[row]`, `dynamic` and `noise` `[row, ...]`. */
  readonly fresh: { readonly horizon: Tensor; readonly dynamic: Tensors; readonly noise: Tensors };
}

/**
 * Traced: one step of one particle. A reset is applied before the step and consumes none. `loss` is the training loss before the
 * update, `normalized` what the task's normaliser makes of it, or, where there are `metaRows`, of the loss on these; `mask` is 1 where
 * all of them were finite, else 0.
 */
export function innerStep(
  state: StepState,
  slice: StepSlice,
  context: StepContext,
): { readonly state: StepState; readonly loss: Tensor; readonly normalized: Tensor; readonly mask: Tensor } {
  const { task, optimizer, values } = context;
  const { params, dynamic, horizon, ...now } = begin(state, slice, context);
  const noise = groupOf(slice.noise, 'loss');
  const lossOf = (params: Tensors, batch: Tensors): Tensor => task.loss({ params, batch, dynamic, noise }).loss;
  const batch = batchOf(slice.rows, slice, context);
  const { value: loss, grads } = valueAndGradient((at) => lossOf(at, batch), params);
  const own = groupOf(slice.noise, 'optimizer');
  const next = optimizer.update({
    values,
    params,
    grads,
    state: now.optimizer,
    specs: task.specs,
    step: now.step,
    horizon,
    loss,
    ...(slice.validRows === undefined ? {} : { validLoss: lossOf(params, batchOf(slice.validRows, slice, context)) }),
    ...(own.size === 0 ? {} : { noise: own }),
  });
  const metaLoss = slice.metaRows === undefined ? loss : lossOf(params, batchOf(slice.metaRows, slice, context));
  const isFinite = metaLoss === loss ? tf.isFinite(loss) : tf.logicalAnd(tf.isFinite(loss), tf.isFinite(metaLoss));
  return {
    state: {
      params: next.params,
      optimizer: next.state,
      dynamic,
      step: tf.add(now.step, tf.scalar(1, 'int32')),
      horizon,
    },
    loss,
    normalized: task.normalize(metaLoss),
    mask: tf.cast(isFinite, 'float32'),
  };
}

function batchOf(rows: Tensor | undefined, slice: StepSlice, { task, resident }: StepContext): Tensors {
  if (task.data === undefined || rows === undefined) return new Map();
  const noise = groupOf(slice.noise, 'batch');
  return task.data.batch({ resident, rows, ...(noise.size === 0 ? {} : { noise }) });
}

/** The state in which the step is made: a fresh one where this particle has a reset. Costs nothing where no particle has one. */
function begin(state: StepState, { reset, anyReset }: StepSlice, context: StepContext): StepState {
  return cond(
    anyReset,
    () => {
      const started = startTrajectory(tf.maximum(reset, tf.scalar(0, 'int32')), context);
      return selectState(tf.greaterEqual(reset, tf.scalar(0, 'int32')), started, state);
    },
    () => state,
  );
}

/** Traced: a trajectory at its start, from one row of the fresh ones. */
function startTrajectory(row: Tensor, { task, optimizer, values, fresh }: StepContext): StepState {
  const take = (all: Tensors): Map<string, Tensor> => new Map([...all].map(([name, x]) => [name, tf.gather(x, row)]));
  const noise = take(fresh.noise);
  const dynamic = take(fresh.dynamic);
  const horizon: Tensor = tf.gather(fresh.horizon, row);
  const params = task.init({ noise: groupOf(noise, 'task'), dynamic });
  const own = groupOf(noise, 'optimizer');
  return {
    params,
    optimizer: optimizer.init({
      values,
      params,
      specs: task.specs,
      horizon,
      ...(own.size === 0 ? {} : { noise: own }),
    }),
    dynamic,
    step: tf.scalar(0, 'int32'),
    horizon,
  };
}

function selectState(condition: Tensor, a: StepState, b: StepState): StepState {
  const select = (x: Tensor, y: Tensor): Tensor => tf.where(condition, x, y);
  const selectAll = (x: Tensors, y: Tensors): Map<string, Tensor> =>
    new Map([...x].map(([name, tensor]) => [name, select(tensor, y.get(name) ?? tensor)]));
  return {
    params: selectAll(a.params, b.params),
    optimizer: selectAll(a.optimizer, b.optimizer),
    dynamic: selectAll(a.dynamic, b.dynamic),
    step: select(a.step, b.step),
    horizon: select(a.horizon, b.horizon),
  };
}
