import { type HostArray, allocate, sizeOf } from '../jit/graph/graph.ts';
import { type Key, fold } from '../jit/random/key.ts';
import { batchRows } from '../tasks/batches.ts';
import { drawNoise } from '../tasks/noise.ts';
import type { Split, Task } from '../tasks/task.ts';
import type { StepInputs } from './program.ts';
import type { Reset } from './trajectory.ts';

/**
 * What a window does to particles that share everything but values: the members of an antithetic pair, or the learning rates of a
 * grid. Everything is a pure function of the keys.
 */
export interface Stream {
  /** Key of the stream's batches, and the index of the batch that the window's first step takes. */
  readonly batches: { readonly key: Key; readonly first: number };
  /** Key of the random numbers of the window's steps. */
  readonly noise: Key;
  /** Trajectories that begin in this window. */
  readonly resets: readonly Reset[];
}

/** All inputs of one window but values and state, by name: see `planWindow`. */
export type Plan = ReadonlyMap<string, HostArray>;

/**
 * The plan of one window:
 * - `rows`, `validRows`, `metaRows` int32 `[particle, step, batch]`: rows of the task's resident tensors;
 * - `noise/<name>` float32 `[particle, step, ...]`;
 * - `reset` int32 `[particle, step]`: the fresh row with which a trajectory begins before that step, or -1;
 * - `anyReset` bool `[step]`: whether any particle has one;
 * - `fresh/horizon` float32 `[row]`, `fresh/dynamic/<name>` and `fresh/noise/<name>` `[row, ...]`: where trajectories start.
 * @throws RangeError when more trajectories begin than there are fresh rows.
 */
export function planWindow({
  task,
  inputs,
  windowLength,
  freshRows,
  streams,
  streamOf,
  split = 'train',
}: {
  readonly task: Task;
  readonly inputs: StepInputs;
  /** Steps of the window. */
  readonly windowLength: number;
  /** Capacity for trajectories that begin. */
  readonly freshRows: number;
  readonly streams: readonly Stream[];
  /** Stream of each particle. */
  readonly streamOf: readonly number[];
  /** Split that training batches come from. */
  readonly split?: Split;
}): Plan {
  const plan = new Map<string, HostArray>();
  const perStep = (
    { shape, dtype }: Pick<HostArray, 'shape' | 'dtype'>,
    fill: (stream: Stream, step: number) => HostArray['data'],
  ) => {
    const size = sizeOf(shape);
    const parts = streams.map((stream) => {
      const part = allocate(dtype, windowLength * size);
      for (let step = 0; step < windowLength; step += 1) part.set(fill(stream, step), step * size);
      return part;
    });
    const data = allocate(dtype, streamOf.length * windowLength * size);
    streamOf.forEach((stream, particle) => data.set(parts[stream] ?? [], particle * windowLength * size));
    return { shape: [streamOf.length, windowLength, ...shape], dtype, data };
  };
  const { data } = task;
  if (data !== undefined) {
    const rows = (split: Split) =>
      perStep({ shape: [data.batchSize], dtype: 'int32' }, ({ batches }, step) =>
        batchRows(data, { split, key: batches.key, index: batches.first + step }),
      );
    plan.set('rows', rows(split));
    if (inputs.validLoss) plan.set('validRows', rows('innerValid'));
    if (inputs.metaLoss !== 'train') plan.set('metaRows', rows(inputs.metaLoss));
  }
  for (const [name, spec] of inputs.noise)
    plan.set(
      `noise/${name}`,
      perStep(
        { shape: spec.shape, dtype: 'float32' },
        ({ noise }, step) => drawNoise(spec, fold(noise, name, step)).data,
      ),
    );
  planResets(plan, { task, inputs, windowLength, freshRows, streams, streamOf });
  return plan;
}

function planResets(
  plan: Map<string, HostArray>,
  { task, inputs, windowLength, freshRows, streams, streamOf }: Omit<Parameters<typeof planWindow>[0], 'split'>,
): void {
  const fresh = streams.flatMap((stream) => stream.resets);
  if (fresh.length > freshRows)
    throw new RangeError(
      `Cannot plan a window of ${windowLength} steps: expected at most ${freshRows} trajectories to begin but ${fresh.length} do`,
    );
  const anyReset = new Uint8Array(windowLength);
  const reset = new Int32Array(streamOf.length * windowLength).fill(-1);
  const firstRow = streams.map((_, index) => streams.slice(0, index).reduce((n, { resets }) => n + resets.length, 0));
  streamOf.forEach((index, particle) =>
    streams[index]?.resets.forEach(({ step }, nth) => {
      reset[particle * windowLength + step] = (firstRow[index] ?? 0) + nth;
      anyReset[step] = 1;
    }),
  );
  plan.set('reset', { shape: [streamOf.length, windowLength], dtype: 'int32', data: reset });
  plan.set('anyReset', { shape: [windowLength], dtype: 'bool', data: anyReset });
  const perRow = ({ shape, dtype }: Pick<HostArray, 'shape' | 'dtype'>, fill: (reset: Reset) => HostArray['data']) => {
    const rows = allocate(dtype, freshRows * sizeOf(shape));
    fresh.forEach((begin, row) => rows.set(fill(begin), row * sizeOf(shape)));
    return { shape: [freshRows, ...shape], dtype, data: rows };
  };
  plan.set(
    'fresh/horizon',
    perRow({ shape: [], dtype: 'float32' }, ({ horizon }) => Float32Array.of(horizon)),
  );
  const dynamics = new Map(fresh.map(({ key }) => [key, task.sampleDynamic(fold(key, 'dynamic'))]));
  for (const [name, type] of inputs.dynamic)
    plan.set(
      `fresh/dynamic/${name}`,
      perRow(type, ({ key }) => {
        const value = dynamics.get(key)?.get(name);
        if (value === undefined)
          throw new RangeError(`Cannot start ${task.name}: expected sampleDynamic to give ${name} but it is missing`);
        return value.data;
      }),
    );
  for (const [name, spec] of inputs.freshNoise)
    plan.set(
      `fresh/noise/${name}`,
      perRow({ shape: spec.shape, dtype: 'float32' }, ({ key }) => drawNoise(spec, fold(key, 'noise', name)).data),
    );
}
