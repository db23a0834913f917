import { GraphBuilder } from '../../../jit/graph/builder.ts';
import type { Graph, HostArray, ValueId } from '../../../jit/graph/graph.ts';

/** A float32 array. */
export function floats(shape: readonly number[], values: ArrayLike<number>): HostArray {
  return { shape, dtype: 'float32', data: Float32Array.from(values) };
}

/**
 * A step with state: `next/x` = tanh(weights x) + input, `next/t` = t + 1, `sum` = the sum of x. The state's names are the same on both sides,
 * as they may be in a graph.
 */
export function recurrence(size: number): Graph {
  const builder = new GraphBuilder('recurrence');
  const x = builder.input('x', { shape: [size], dtype: 'float32' });
  const t = builder.input('t', { shape: [], dtype: 'int32' });
  const weights = builder.input('weights', { shape: [size, size], dtype: 'float32' });
  const input = builder.input('input', { shape: [size], dtype: 'float32' });
  const attrs = { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] };
  const turned = builder.one('unary', { fn: 'tanh' }, [builder.one('contract', attrs, [weights, x])]);
  const next = builder.one('binary', { fn: 'add' }, [turned, input]);
  const one = builder.constant({ shape: [], dtype: 'int32', data: Int32Array.of(1) });
  const count: ValueId = builder.one('binary', { fn: 'add' }, [t, one]);
  const sum = builder.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [x]);
  return builder.finish([
    { name: 'x', value: next },
    { name: 't', value: count },
    { name: 'sum', value: sum },
  ]);
}

/** Inputs for `recurrence`, the same for a seed. */
export function recurrenceInputs(size: number, seed: number): Map<string, HostArray> {
  const wave = (count: number, phase: number) =>
    Array.from({ length: count }, (_, i) => Math.sin(seed + phase + i * 1.7));
  return new Map<string, HostArray>([
    ['x', floats([size], wave(size, 0))],
    ['t', { shape: [], dtype: 'int32', data: Int32Array.of(0) }],
    ['weights', floats([size, size], wave(size * size, 1))],
    ['input', floats([size], wave(size, 2))],
  ]);
}
