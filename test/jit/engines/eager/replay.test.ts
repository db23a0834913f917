import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { replay } from '../../../../jit/engines/eager/replay.ts';
import { GraphBuilder } from '../../../../jit/graph/builder.ts';
import type { Graph } from '../../../../jit/graph/graph.ts';

function port(name: string, value: number | undefined): { name: string; value: number } {
  if (value === undefined) throw new RangeError(`no value for ${name}`);
  return { name, value };
}

/** x * y + 1 of two float32[2]. */
function body(): Graph {
  const builder = new GraphBuilder('body');
  const x = builder.input('x', { shape: [2], dtype: 'float32' });
  const y = builder.input('y', { shape: [2], dtype: 'float32' });
  const product = builder.one('binary', { fn: 'mul' }, [x, y]);
  return builder.finish([port('out', builder.one('binary', { fn: 'add' }, [product, builder.splat(1)]))]);
}

/** Carry + slice * scale, stacking the new carry. */
function scanBody(): Graph {
  const builder = new GraphBuilder('step');
  const carry = builder.input('carry', { shape: [2], dtype: 'float32' });
  const slice = builder.input('slice', { shape: [2], dtype: 'float32' });
  const scale = builder.input('scale', { shape: [], dtype: 'float32' });
  const next = builder.one('binary', { fn: 'add' }, [carry, builder.one('binary', { fn: 'mul' }, [slice, scale])]);
  return builder.finish([port('next', next), port('stacked', next)]);
}

describe('replay', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  test('runs a call once per member, its shared inputs for all', () => {
    const builder = new GraphBuilder('calls');
    const ids = ['a', 'b', 'shared'].map((name) => builder.input(name, { shape: [2], dtype: 'float32' }));
    const outputs = builder.add('call', { body: body(), count: 2, mapped: [true, false] }, ids);
    const graph = builder.finish(outputs.map((value, index) => ({ name: `out${index}`, value })));
    const result = replay(
      graph,
      new Map([
        ['a', tf.tensor1d([1, 2])],
        ['b', tf.tensor1d([3, 4])],
        ['shared', tf.tensor1d([10, 100])],
      ]),
    );
    expect([...result].map(([name, tensor]) => [name, [...tensor.dataSync()]])).toEqual([
      ['out0', [11, 201]],
      ['out1', [31, 401]],
    ]);
  });

  test('scans over a sequence and leaves nothing behind', () => {
    const builder = new GraphBuilder('scan');
    const carry = builder.input('carry', { shape: [2], dtype: 'float32' });
    const sequence = builder.input('sequence', { shape: [3, 2], dtype: 'float32' });
    const scale = builder.input('scale', { shape: [], dtype: 'float32' });
    const [last, all] = builder.add('scan', { body: scanBody(), length: 3, carries: 1, sequences: 1 }, [
      carry,
      sequence,
      scale,
    ]);
    const graph = builder.finish([port('last', last), port('all', all), port('same', carry)]);
    const inputs = new Map<string, tf.Tensor>([
      ['carry', tf.tensor1d([1, 2])],
      [
        'sequence',
        tf.tensor2d([
          [1, 0],
          [0, 1],
          [2, 2],
        ]),
      ],
      ['scale', tf.scalar(10)],
    ]);
    const before = tf.memory().numTensors;
    const result = replay(graph, inputs);
    expect(tf.memory().numTensors).toBe(before + 3);
    expect(result.get('last')?.arraySync()).toEqual([31, 32]);
    expect(result.get('all')?.arraySync()).toEqual([
      [11, 2],
      [11, 12],
      [31, 32],
    ]);
    for (const tensor of result.values()) tensor.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(inputs.get('carry')?.arraySync()).toEqual([1, 2]);
  });

  test('leaves nothing behind when a rule throws', () => {
    const builder = new GraphBuilder('empty');
    const x = builder.input('x', { shape: [0], dtype: 'float32' });
    const shifted = builder.one('unary', { fn: 'exp' }, [x]);
    const graph = builder.finish([port('out', builder.one('argReduce', { fn: 'max', axis: 0 }, [shifted]))]);
    const input = tf.tensor1d([]);
    const before = tf.memory().numTensors;
    expect(() => replay(graph, new Map([['x', input]]))).toThrow(
      new RangeError('Cannot find the maximum along axis 0: expected at least one element but got the shape [0]'),
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  test('names an input that is missing or of another type', () => {
    const graph = body();
    expect(() => replay(graph, new Map([['x', tf.tensor1d([1, 2])]]))).toThrow(
      new RangeError('Cannot run body: expected an input named y but it is missing'),
    );
    const wrong = new Map<string, tf.Tensor>([
      ['x', tf.tensor1d([1, 2])],
      ['y', tf.tensor1d([1, 2, 3])],
    ]);
    expect(() => replay(graph, wrong)).toThrow(
      new RangeError('Cannot run body: expected float32[2] for the input y but got float32[3]'),
    );
  });
});
