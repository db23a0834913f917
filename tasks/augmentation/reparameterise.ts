import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type HostArray, type ValueType, sizeOf } from '../../jit/graph/graph.ts';
import { logUniform } from '../../jit/random/draws.ts';
import { type Key, fold } from '../../jit/random/key.ts';
import type { Arrays, Tensors } from '../../lopt/optimizer.ts';
import type { Task } from '../task.ts';

export const REPARAMETERISE_LEVELS = ['global', 'tensor', 'parameter'] as const;
/** What shares a scale: all parameters, those of a tensor, or nothing. */
export type ReparameteriseLevel = (typeof REPARAMETERISE_LEVELS)[number];

export interface Reparameterise {
  readonly level: ReparameteriseLevel;
  /** Bounds between which a scale is log-uniform. */
  readonly min: number;
  readonly max: number;
}

/** Under which the scales stand in the dynamic config, beside the base task's own. */
const NAME = 'reparameterise';

/**
 * The same task in other units: the parameters are w / s and the loss is that of s times the parameters. What the network computes
 * doesn't change; how a step moves it does. The scales s are part of the dynamic config, so each trajectory has its own.
 *
 * **Source** the reparameterisation augmentation of L. Metz et al., arXiv 2211.09760; A. Moudgil et al., arXiv 2501.12670.
 * **Checked against** the base task: equal loss at the start, gradients multiplied by s.
 * @throws RangeError when not 0 < min <= max.
 */
export function reparameterise(base: Task, { level, min, max }: Reparameterise): Task {
  if (!(min > 0 && min <= max && Number.isFinite(max)))
    throw new RangeError(
      `Cannot reparameterise ${base.name}: expected scales with 0 < min <= max but got min ${min} and max ${max}`,
    );
  const types = scaleTypes(base, level);
  const scaleOf = (dynamic: Tensors, path: string): Tensor => {
    const scale = dynamic.get(level === 'global' ? NAME : `${NAME}/${path}`);
    if (scale === undefined)
      throw new RangeError(`Cannot reparameterise ${base.name}: expected a scale for ${path} in the dynamic config`);
    return scale;
  };
  return {
    ...base,
    name: `${base.name} reparameterised (${level}, ${min} to ${max})`,
    dynamic: new Map([...base.dynamic, ...types]),
    sampleDynamic: (key) => {
      const own = fold(key, NAME);
      const scales = [...types].map(([name, type]) => [name, drawScale(fold(own, name), type, { min, max })] as const);
      return new Map([...base.sampleDynamic(key), ...scales]) satisfies Arrays;
    },
    init: ({ noise, dynamic }) =>
      mapPaths(base.init({ noise, dynamic }), (tensor, path) => tf.div(tensor, scaleOf(dynamic, path))),
    loss: ({ params, dynamic, ...rest }) =>
      base.loss({
        ...rest,
        dynamic,
        params: mapPaths(params, (tensor, path) => tf.mul(tensor, scaleOf(dynamic, path))),
      }),
  };
}

function scaleTypes({ specs }: Task, level: ReparameteriseLevel): ReadonlyMap<string, ValueType> {
  if (level === 'global') return new Map([[NAME, { shape: [], dtype: 'float32' }]]);
  return new Map(
    [...specs].map(([path, { shape }]) => [
      `${NAME}/${path}`,
      { shape: level === 'tensor' ? [] : shape, dtype: 'float32' },
    ]),
  );
}

function drawScale(key: Key, { shape }: ValueType, bounds: { readonly min: number; readonly max: number }): HostArray {
  return { shape, dtype: 'float32', data: logUniform(key, sizeOf(shape), bounds) };
}

function mapPaths(tensors: Tensors, map: (tensor: Tensor, path: string) => Tensor): Tensors {
  return new Map([...tensors].map(([path, tensor]) => [path, map(tensor, path)]));
}
