import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { replay } from '../../jit/engines/eager/replay.ts';
import type { Graph, HostArray } from '../../jit/graph/graph.ts';

/** Replays a graph on the active TensorFlow.js backend, from host arrays to host arrays; what it leaves behind fails the test. */
export function replayed(graph: Graph, inputs: ReadonlyMap<string, HostArray>): Map<string, HostArray> {
  const before = tf.memory().numTensors;
  const tensors = new Map([...inputs].map(([name, x]) => [name, tf.tensor(x.data, [...x.shape], x.dtype)]));
  const outputs = replay(graph, tensors);
  const results = new Map<string, HostArray>();
  for (const [name, tensor] of outputs)
    results.set(name, {
      shape: tensor.shape,
      dtype: tensor.dtype as HostArray['dtype'],
      data: tensor.dataSync().slice(),
    });
  for (const tensor of [...tensors.values(), ...outputs.values()]) tensor.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return results;
}
