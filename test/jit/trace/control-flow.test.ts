import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { replay } from '../../../jit/engines/eager/replay.ts';
import type { Graph, ValueType } from '../../../jit/graph/graph.ts';
import { printGraph } from '../../../jit/graph/print.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { cond, repeat, scan } from '../../../jit/trace/control-flow.ts';
import type { Group } from '../../../jit/trace/structure.ts';
import { trace } from '../../../jit/trace/trace.ts';

const SCALAR: ValueType = { shape: [], dtype: 'float32' };
const VECTOR: ValueType = { shape: [3], dtype: 'float32' };

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** The outputs of a graph on the cpu backend. */
function run(graph: Graph, inputs: Readonly<Record<string, tf.Tensor>>): Record<string, unknown> {
  verifyGraph(graph);
  const outputs = replay(graph, new Map(Object.entries(inputs)));
  return Object.fromEntries([...outputs].map(([name, x]) => [name, x.arraySync()]));
}

describe('cond', () => {
  const choose = (x: tf.Tensor, y: tf.Tensor): { readonly a: tf.Tensor; readonly b: Group<tf.Tensor> } => {
    const two = tf.scalar(2);
    return cond(
      tf.greater(x, 0),
      () => ({ a: tf.mul(x, two), b: new Map([['p', y]]) }),
      () => ({ a: tf.neg(x), b: new Map([['p', tf.add(y, x)]]) }),
    );
  };
  const graph = (): Graph => trace(({ x, y }) => ({ ...choose(x, y) }), { x: SCALAR, y: VECTOR });

  test('captures what both branches use, and makes constants anew', () => {
    expect(printGraph(graph())).toMatchInlineSnapshot(`
      "graph traced
        input %0 float32[] x
        input %1 float32[3] y
        %2 float32[] = constant 2
        %3 float32[] = constant 0
        %4 bool[] = greater(%0, %3)
        %5 float32[], %6 float32[3] = cond(%4, %0, %1)
          then
            input %0 float32[] captured/0
            input %3 float32[3] captured/1
            %1 float32[] = constant 2
            %2 float32[] = mul(%0, %1)
            output %2 a
            output %3 b/p
          otherwise
            input %0 float32[] captured/0
            input %2 float32[3] captured/1
            %1 float32[] = neg(%0)
            %3 float32[3] = add(%2, %0)
            output %1 a
            output %3 b/p
        output %5 a
        output %6 b/p"
    `);
  });

  test.each([2, -3])('takes the branch of the predicate, traced and eagerly: %d', (number) => {
    const [x, y] = [tf.scalar(number), tf.tensor1d([1, 2, 3])];
    const want = number > 0 ? { a: 4, 'b/p': [1, 2, 3] } : { a: 3, 'b/p': [-2, -1, 0] };
    expect(run(graph(), { x, y })).toEqual(want);
    const { a, b } = choose(x, y);
    expect({ a: a.arraySync(), 'b/p': b.get('p')?.arraySync() }).toEqual(want);
  });

  test('hands operands to both', () => {
    const half = ({ z }: { z: tf.Tensor }): { z: tf.Tensor } => ({ z: tf.div(z, 2) });
    const same = ({ z }: { z: tf.Tensor }): { z: tf.Tensor } => ({ z });
    const graph = trace(({ x }) => ({ ...cond(tf.less(x, 0), half, same, { z: tf.square(x) }) }), { x: SCALAR });
    expect(run(graph, { x: tf.scalar(-4) })).toEqual({ z: 8 });
    expect(run(graph, { x: tf.scalar(4) })).toEqual({ z: 16 });
    expect(cond(tf.scalar(true), half, same, { z: tf.scalar(3) }).z.arraySync()).toBe(1.5);
  });

  test('goes by name, whatever the order of the branches’ outputs; others are refused', () => {
    const graph = trace(
      ({ x }) => ({
        ...cond(
          tf.less(x, 0),
          () => ({ a: x, b: tf.exp(x) }),
          () => ({ b: x, a: tf.neg(x) }),
        ),
      }),
      { x: SCALAR },
    );
    expect(run(graph, { x: tf.scalar(3) })).toEqual({ a: -3, b: 3 });
    const then = (): Record<string, tf.Tensor> => ({ a: tf.scalar(0) });
    const otherwise = (): Record<string, tf.Tensor> => ({ c: tf.scalar(1) });
    expect(() => trace(({ x }) => ({ ...cond(tf.less(x, 0), then, otherwise) }), { x: SCALAR })).toThrow(
      new RangeError('Cannot branch: expected both branches to give a but the second gives c'),
    );
  });
});

describe('scan', () => {
  /** Running sums of x y, with the sums so far; y from outside. */
  const sums = (x: tf.Tensor, y: tf.Tensor): { sum: tf.Tensor; before: tf.Tensor; index: tf.Tensor } => {
    const { carry, outputs } = scan({
      body: ({ sum, index }: { sum: tf.Tensor; index: tf.Tensor }, { x }: { x: tf.Tensor }) => ({
        carry: { index: tf.add(index, tf.scalar(1, 'int32')), sum: tf.add(sum, tf.mul(x, y)) },
        outputs: { before: sum },
      }),
      init: { sum: tf.scalar(0), index: tf.scalar(0, 'int32') },
      sequences: { x },
      length: 3,
    });
    return { ...carry, ...outputs };
  };
  const graph = (): Graph => trace(({ x, y }) => sums(x, y), { x: VECTOR, y: SCALAR });

  test('captures what the body uses', () => {
    expect(printGraph(graph())).toMatchInlineSnapshot(`
      "graph traced
        input %0 float32[3] x
        input %1 float32[] y
        %2 float32[] = constant 0
        %3 int32[] = constant 0
        %4 float32[], %5 int32[], %6 float32[3] = scan(%2, %3, %0, %1) {length=3 carries=2 sequences=1}
          body scan
            input %0 float32[] carry/sum
            input %1 int32[] carry/index
            input %2 float32[] slice/x
            input %5 float32[] captured/0
            %3 int32[] = constant 1
            %4 int32[] = add(%1, %3)
            %6 float32[] = mul(%2, %5)
            %7 float32[] = add(%0, %6)
            output %7 carry/sum
            output %4 carry/index
            output %0 outputs/before
        output %4 sum
        output %5 index
        output %6 before"
    `);
  });

  test('runs step by step, traced and eagerly', () => {
    const [x, y] = [tf.tensor1d([1, 2, 3]), tf.scalar(10)];
    const want = { sum: 60, index: 3, before: [0, 10, 30] };
    expect(run(graph(), { x, y })).toEqual(want);
    const eager = Object.entries(sums(x, y)).map(([name, tensor]) => [name, tensor.arraySync()]);
    expect(Object.fromEntries(eager)).toEqual(want);
  });

  test('captures through two levels', () => {
    const graph = trace(
      ({ x, y }) => {
        const { carry } = scan({
          body: (outer: { z: tf.Tensor }) => {
            const inner = repeat(2, ({ w }: { w: tf.Tensor }) => ({ w: tf.add(tf.mul(w, x), y) }), { w: outer.z });
            return { carry: { z: inner.w }, outputs: {} };
          },
          init: { z: tf.scalar(1) },
          sequences: {},
          length: 2,
        });
        return carry;
      },
      { x: SCALAR, y: SCALAR },
    );
    // z -> 2 z + 3, four times from 1.
    expect(run(graph, { x: tf.scalar(2), y: tf.scalar(3) })).toEqual({ z: 61 });
    const body = graph.nodes.find((node) => node.op === 'scan')?.attrs.body;
    expect(body?.inputs.map(({ name }) => name)).toEqual(['carry/z', 'captured/0', 'captured/1']);
  });

  test('of no steps gives the start and empty outputs', () => {
    const none = (x: tf.Tensor) =>
      scan({
        body: (carry: { s: tf.Tensor }, slice: { x: tf.Tensor }) => ({ carry, outputs: { y: slice.x } }),
        init: { s: tf.scalar(5) },
        sequences: { x },
        length: 0,
      });
    const graph = trace(
      ({ x }) => {
        const { carry, outputs } = none(x);
        return { ...carry, ...outputs };
      },
      { x: { shape: [0, 2], dtype: 'float32' } },
    );
    expect(run(graph, { x: tf.zeros([0, 2]) })).toEqual({ s: 5, y: [] });
    expect(() => none(tf.zeros([0, 2]))).toThrow(
      new RangeError('Cannot scan outside of a trace: expected at least one step but got 0'),
    );
  });

  test('refuses what isn’t a loop', () => {
    const body = (carry: { s: tf.Tensor }) => ({ carry, outputs: {} });
    expect(() => scan({ body, init: { s: tf.scalar(0) }, sequences: {}, length: 1.5 })).toThrow(
      new RangeError('Cannot scan: expected a number of steps, 0 or more, but got 1.5'),
    );
    const forgetful = (carry: Record<string, tf.Tensor>) => ({ carry: { t: carry['s'] as tf.Tensor }, outputs: {} });
    const forget = (): unknown => scan({ body: forgetful, init: { s: tf.scalar(0) }, sequences: {}, length: 2 });
    const message = 'Cannot scan: expected the next carry to hold s but it holds t';
    expect(forget).toThrow(new RangeError(message));
    expect(() => trace(() => ({ y: forget() as tf.Tensor }), {})).toThrow(new RangeError(message));
  });
});

describe('repeat', () => {
  const power = (x: tf.Tensor, count: number): tf.Tensor =>
    repeat(count, ({ y }: { y: tf.Tensor }) => ({ y: tf.mul(y, x) }), { y: tf.scalar(1) }).y;

  test.each([0, 1, 5])('applies a function as often as said: %d', (count) => {
    const graph = trace(({ x }) => ({ y: power(x, count) }), { x: SCALAR });
    expect(run(graph, { x: tf.scalar(2) })).toEqual({ y: 2 ** count });
    expect(power(tf.scalar(2), count).arraySync()).toBe(2 ** count);
  });
});
