import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { replay } from '../../../jit/engines/eager/replay.ts';
import type { Graph, ValueType } from '../../../jit/graph/graph.ts';
import { printGraph } from '../../../jit/graph/print.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { constant } from '../../../jit/trace/constant.ts';
import { isTracing } from '../../../jit/trace/recording.ts';
import { size } from '../../../jit/trace/size.ts';
import { trace } from '../../../jit/trace/trace.ts';
import { placeOfMark } from './lines.ts';

const SCALAR: ValueType = { shape: [], dtype: 'float32' };
const VECTOR: ValueType = { shape: [3], dtype: 'float32' };
const MATRIX: ValueType = { shape: [2, 3], dtype: 'float32' };

let tensorsBefore = 0;
beforeAll(async () => {
  await tf.setBackend('cpu');
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
  expect(tf.getBackend()).toBe('cpu');
});

/** Numbers of each output of a graph on the cpu backend. */
function run(graph: Graph, inputs: Readonly<Record<string, tf.Tensor>>): Record<string, number[]> {
  verifyGraph(graph);
  const outputs = replay(graph, new Map(Object.entries(inputs)));
  const numbers = Object.fromEntries([...outputs].map(([name, x]) => [name, [...x.dataSync()]]));
  tf.dispose([...outputs.values(), ...Object.values(inputs)]);
  return numbers;
}

describe('graphs', () => {
  test('have flat names, in the order given', () => {
    const graph = trace(
      ({ params, step }) => ({
        'next/params': new Map([...params].map(([path, p]) => [path, tf.mul(p, step)])),
        loss: tf.sum(params.get('w/2') as tf.Tensor),
      }),
      {
        params: new Map([
          ['w/2', VECTOR],
          ['1', SCALAR],
        ]),
        step: SCALAR,
      },
      { name: 'update' },
    );
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph update
        input %0 float32[3] params/w/2
        input %1 float32[] params/1
        input %2 float32[] step
        %3 float32[3] = mul(%0, %2)
        %4 float32[] = mul(%1, %2)
        %5 float32[] = sum(%0) {axes=[0]}
        output %3 next/params/w/2
        output %4 next/params/1
        output %5 loss"
    `);
  });

  test('leave out what changes nothing', () => {
    const graph = trace(
      ({ x }) => {
        const same = [
          tf.clone(x),
          tf.reshape(x, [2, 3]),
          tf.cast(x, 'float32'),
          tf.transpose(x, [0, 1]),
          tf.broadcastTo(x, [2, 3]),
          tf.slice(x, [0, 0], [2, 3]),
          tf.concat([x]),
          tf.tile(x, [1, 1]),
          tf.sum(x, []),
          tf.pad(x, [
            [0, 0],
            [0, 0],
          ]),
        ];
        return Object.fromEntries(same.map((y, index) => [`y${index}`, y]));
      },
      { x: MATRIX },
    );
    expect(graph.nodes).toEqual([]);
    expect(graph.outputs.map(({ value }) => value)).toEqual(graph.outputs.map(() => 0));
  });

  test('cast as TensorFlow.js does', () => {
    const graph = trace(
      ({ n, b, x }) => ({ sum: tf.add(n, x), count: tf.sum(b), both: tf.where(b, n, x), shares: tf.mean(b) }),
      {
        n: { shape: [3], dtype: 'int32' },
        b: { shape: [3], dtype: 'bool' },
        x: VECTOR,
      },
    );
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph traced
        input %0 int32[3] n
        input %1 bool[3] b
        input %2 float32[3] x
        %3 float32[3] = cast(%0)
        %4 float32[3] = add(%3, %2)
        %5 int32[3] = cast(%1)
        %6 int32[] = sum(%5) {axes=[0]}
        %7 float32[3] = cast(%0)
        %8 float32[3] = select(%1, %7, %2)
        %9 float32[3] = cast(%1)
        %10 float32[] = mean(%9) {axes=[0]}
        output %4 sum
        output %6 count
        output %8 both
        output %10 shares"
    `);
    const inputs = {
      n: tf.tensor1d([1, 2, 3], 'int32'),
      b: tf.tensor1d([true, false, true]),
      x: tf.tensor1d([0.5, 0.25, 0]),
    };
    expect(run(graph, inputs)).toEqual({
      sum: [1.5, 2.25, 3],
      count: [2],
      both: [1, 0.25, 3],
      shares: [Math.fround(2 / 3)],
    });
  });

  test('keep an output that is an input, and one given twice', () => {
    const graph = trace(({ x }) => ({ a: x, b: tf.exp(x), c: x }), { x: SCALAR });
    expect(run(graph, { x: tf.scalar(0) })).toEqual({ a: [0], b: [1], c: [0] });
  });

  test('know the author’s places when asked', () => {
    const rule = ({ x }: { x: tf.Tensor }): { y: tf.Tensor } => {
      const y = tf.exp(x); // at exp
      return { y: tf.logSoftmax(y) }; // at logSoftmax
    };
    const places = trace(rule, { x: VECTOR }, { places: true }).nodes.map(({ place }) => place);
    const [exp, logSoftmax] = [placeOfMark(import.meta.url, 'exp'), placeOfMark(import.meta.url, 'logSoftmax')];
    expect(places).toEqual([exp, ...places.slice(1).map(() => logSoftmax)]);
    expect(trace(rule, { x: VECTOR }).nodes.map(({ place }) => place)).toEqual(places.map(() => undefined));
  });

  test('are the same however often a function is traced', () => {
    const rule = ({ x }: { x: tf.Tensor }): { y: tf.Tensor } => ({ y: tf.softmax(tf.matMul(x, x, false, true)) });
    expect(trace(rule, { x: MATRIX })).toEqual(trace(rule, { x: MATRIX }));
  });

  test('of log-softmax and its kin differentiate through the exponentials alone', () => {
    const graph = trace(
      ({ x }) => ({ a: tf.logSoftmax(x), b: tf.logSumExp(x), c: tf.losses.softmaxCrossEntropy(x, x), d: tf.max(x) }),
      { x: MATRIX },
    );
    const maxima = graph.nodes.filter((node) => node.op === 'reduce' && node.attrs.fn === 'max');
    const stopped = new Set(graph.nodes.flatMap((node) => (node.op === 'stopGradient' ? node.inputs : [])));
    expect(maxima.map(({ outputs }) => stopped.has(outputs[0] as number))).toEqual([true, true, true, false]);
  });
});

describe('constants', () => {
  test('of one number, repeated or not, are splats', () => {
    const graph = trace(
      ({ x }) => ({
        y: tf.mul(x, 2),
        zeros: tf.zeros([1000]),
        ones: tf.onesLike(x),
        sevens: tf.mul(tf.ones([2, 2], 'int32'), tf.scalar(7, 'int32')),
        nan: tf.tensor1d([Number.NaN, Number.NaN]),
      }),
      { x: VECTOR },
    );
    const constants = graph.nodes.flatMap((node) => (node.op === 'constant' ? [node.attrs] : []));
    expect(constants).toEqual([
      { shape: [], dtype: 'float32', data: Float32Array.of(2) },
      { shape: [1000], dtype: 'float32', data: Float32Array.of(0) },
      { shape: [3], dtype: 'float32', data: Float32Array.of(1) },
      { shape: [2, 2], dtype: 'int32', data: Int32Array.of(1) },
      { shape: [], dtype: 'int32', data: Int32Array.of(7) },
      { shape: [2], dtype: 'float32', data: Float32Array.of(Number.NaN) },
    ]);
  });

  test('of several go through `constant`', () => {
    const make = (): Record<string, tf.Tensor> => ({
      row: constant([1, 2, 3]),
      matrix: constant(Int32Array.of(1, 2, 3, 4), [2, 2], 'int32'),
      bools: constant([1, 0], [2], 'bool'),
      empty: constant([], [0, 3]),
    });
    const graph = trace(() => make(), {});
    expect(run(graph, {})).toEqual({ row: [1, 2, 3], matrix: [1, 2, 3, 4], bools: [1, 0], empty: [] });
    const eager = make();
    expect(Object.values(eager).map((x) => [x.shape, x.dtype, [...x.dataSync()]])).toEqual([
      [[3], 'float32', [1, 2, 3]],
      [[2, 2], 'int32', [1, 2, 3, 4]],
      [[2], 'bool', [1, 0]],
      [[0, 3], 'float32', []],
    ]);
    tf.dispose(eager);
  });

  test('are copies of the author’s array', () => {
    const table = Float32Array.of(1, 2);
    const graph = trace(() => ({ y: constant(table) }), {});
    table[0] = 9;
    expect(run(graph, {})).toEqual({ y: [1, 2] });
  });
});

describe('size', () => {
  test('is a node that knows the axes, and eagerly a scalar', () => {
    const graph = trace(({ x }) => ({ all: size(x), rows: size(x, 0), columns: size(x, [-1]), none: size(x, []) }), {
      x: MATRIX,
    });
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph traced
        input %0 float32[2,3] x
        %1 float32[] = size(%0) {axes=[0,1]}
        %2 float32[] = size(%0) {axes=[0]}
        %3 float32[] = size(%0) {axes=[1]}
        %4 float32[] = size(%0)
        output %1 all
        output %2 rows
        output %3 columns
        output %4 none"
    `);
    expect(run(graph, { x: tf.zeros([2, 3]) })).toEqual({ all: [6], rows: [2], columns: [3], none: [1] });
    const x = tf.zeros([2, 3]);
    const eager = [size(x), size(x, 0), size(x, [-1])];
    expect(eager.map((each) => each.dataSync()[0])).toEqual([6, 2, 3]);
    tf.dispose([x, ...eager]);
  });
});

describe('surroundings', () => {
  test('are as before: no trace runs, the scope of the caller goes on', () => {
    expect(isTracing()).toBe(false);
    const seen = tf.tidy(() => {
      const before = tf.scalar(3);
      trace(
        ({ x }) => {
          expect(isTracing()).toBe(true);
          expect(tf.getBackend()).toBe('lopt-trace');
          return { y: tf.exp(x) };
        },
        { x: SCALAR },
      );
      return tf.mul(before, 2);
    });
    expect(seen.dataSync()[0]).toBe(6);
    seen.dispose();
    expect(isTracing()).toBe(false);
  });

  test('a trace inside a trace has a graph of its own', () => {
    const inner: Graph[] = [];
    const outer = trace(
      ({ x }) => {
        const y = tf.exp(x);
        inner.push(trace(({ z }) => ({ w: tf.log(z) }), { z: VECTOR }));
        return { y: tf.neg(y) };
      },
      { x: SCALAR },
    );
    expect(outer.nodes.map((node) => node.op === 'unary' && node.attrs.fn)).toEqual(['exp', 'neg']);
    expect(inner[0]?.nodes.map((node) => node.op === 'unary' && node.attrs.fn)).toEqual(['log']);
  });

  test('tidy, dispose and chained functions work inside', () => {
    const graph = trace(
      ({ x }) => {
        const y = tf.tidy(() => x.square().add(1).sqrt());
        const unused = tf.exp(x);
        unused.dispose();
        return { y };
      },
      { x: SCALAR },
    );
    expect(run(graph, { x: tf.scalar(Math.sqrt(8)) })).toEqual({ y: [3] });
  });

  test('the cpu backend keeps working on tensors made before', () => {
    const before = tf.tensor1d([1, 2, 3]);
    trace(({ x }) => ({ y: tf.exp(x) }), { x: VECTOR });
    const sum = tf.sum(before);
    expect(sum.dataSync()[0]).toBe(6);
    tf.dispose([before, sum]);
  });
});
