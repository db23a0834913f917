/** Derivatives through training: a multi-layer perceptron's loss after steps of gradient descent, by its initial parameters and the step size. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import type { BinaryFunction, Graph, HostArray, ValueId } from '../../../jit/graph/graph.ts';
import { appendGradient, gradientGraph } from '../../../jit/transform/differentiate.ts';
import { hvpGraph } from '../../../jit/transform/hvp.ts';
import { simplify } from '../../../jit/transform/simplify.ts';
import { type Arrays, addInputs, difference, floats, integers, irregular, run } from './arrays.ts';
import { checkDerivatives } from './finite-differences.ts';

/** A few float32 roundings of sums of products below ten. */
const ROUNDING = 5e-6;
const STEPS = 2;

const binary = (b: GraphBuilder, fn: BinaryFunction, x: ValueId, y: ValueId): ValueId =>
  b.one('binary', { fn }, [x, y]);
const matmul = { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] };

const PARAMS: Arrays = new Map([
  [
    'w1',
    floats(
      [3, 4],
      irregular(12, 1).map((x) => x - 0.5),
    ),
  ],
  ['b1', floats([4], irregular(4, 2))],
  [
    'w2',
    floats(
      [4, 3],
      irregular(12, 3).map((x) => x - 0.5),
    ),
  ],
  ['b2', floats([3], irregular(3, 4))],
]);
/** Batches of every step and one to measure on: rows [step, batch, feature], labels [step, batch]. */
const INPUTS: Arrays = new Map<string, HostArray>([
  ...PARAMS,
  ['lr', floats([], [0.6])],
  ['rows', floats([STEPS + 1, 5, 3], irregular((STEPS + 1) * 15, 5))],
  ['labels', integers([STEPS + 1, 5], [0, 2, 1, 1, 0, 2, 2, 1, 0, 1, 0, 1, 2, 0, 2])],
]);

/** Softmax cross entropy, averaged over the batch, its maximum subtracted. */
function lossOf(
  b: GraphBuilder,
  { params, x, labels }: { params: readonly ValueId[]; x: ValueId; labels: ValueId },
): ValueId {
  const [w1 = 0, b1 = 0, w2 = 0, b2 = 0] = params;
  const hidden = b.one('unary', { fn: 'tanh' }, [binary(b, 'add', b.one('contract', matmul, [x, w1]), b1)]);
  const logits = binary(b, 'add', b.one('contract', matmul, [hidden, w2]), b2);
  const shifted = binary(b, 'sub', logits, b.one('reduce', { fn: 'max', axes: [1], keepDims: true }, [logits]));
  const total = b.one('reduce', { fn: 'sum', axes: [1], keepDims: true }, [b.one('unary', { fn: 'exp' }, [shifted])]);
  const logs = binary(b, 'sub', shifted, b.one('unary', { fn: 'log' }, [total]));
  const index = b.one('reshape', { shape: [5, 1] }, [labels]);
  const picked = b.one('gather', { axis: 1, batchDims: 1 }, [logs, index]);
  return b.one('unary', { fn: 'neg' }, [b.one('reduce', { fn: 'mean', axes: [0, 1], keepDims: false }, [picked])]);
}

/** Parameters after a step of gradient descent. */
function stepOf(
  b: GraphBuilder,
  { params, x, labels, lr }: { params: readonly ValueId[]; x: ValueId; labels: ValueId; lr: ValueId },
): ValueId[] {
  const since = b.nodes.length;
  const loss = lossOf(b, { params, x, labels });
  const gradients = appendGradient(b, { outputs: [loss], cotangents: [b.splat(1)], wrt: params, since });
  return params.map((p, index) => binary(b, 'sub', p, binary(b, 'mul', lr, gradients[index] as ValueId)));
}

function batchAt(b: GraphBuilder, step: number, rows: ValueId, labels: ValueId): { x: ValueId; labels: ValueId } {
  const x = b.one('slice', { begin: [step, 0, 0], size: [1, 5, 3], strides: [1, 1, 1] }, [rows]);
  const own = b.one('slice', { begin: [step, 0], size: [1, 5], strides: [1, 1] }, [labels]);
  return { x: b.one('reshape', { shape: [5, 3] }, [x]), labels: b.one('reshape', { shape: [5] }, [own]) };
}

function unrolled(): Graph {
  const b = new GraphBuilder('unrolled');
  const [w1 = 0, b1 = 0, w2 = 0, b2 = 0, lr = 0, rows = 0, labels = 0] = addInputs(b, INPUTS);
  let params = [w1, b1, w2, b2];
  for (let step = 0; step < STEPS; step += 1) params = stepOf(b, { params, lr, ...batchAt(b, step, rows, labels) });
  return b.finish([{ name: 'value', value: lossOf(b, { params, ...batchAt(b, STEPS, rows, labels) }) }]);
}

function looped(): Graph {
  const body = new GraphBuilder('step');
  const own = [...PARAMS].map(([name, type]) => body.input(name, type));
  const x = body.input('x', { shape: [5, 3], dtype: 'float32' });
  const y = body.input('labels', { shape: [5], dtype: 'int32' });
  const rate = body.input('lr', { shape: [], dtype: 'float32' });
  const next = stepOf(body, { params: own, x, labels: y, lr: rate });
  const b = new GraphBuilder('looped');
  const [w1 = 0, b1 = 0, w2 = 0, b2 = 0, lr = 0, rows = 0, labels = 0] = addInputs(b, INPUTS);
  const first = (id: ValueId): ValueId => {
    const { shape } = b.type(id);
    return b.one(
      'slice',
      { begin: shape.map(() => 0), size: [STEPS, ...shape.slice(1)], strides: shape.map(() => 1) },
      [id],
    );
  };
  const names = [...PARAMS.keys()];
  const step = body.finish(next.map((value, index) => ({ name: names[index] ?? '', value })));
  const params = b.add('scan', { body: step, length: STEPS, carries: 4, sequences: 2 }, [
    w1,
    b1,
    w2,
    b2,
    first(rows),
    first(labels),
    lr,
  ]);
  return b.finish([{ name: 'value', value: lossOf(b, { params, ...batchAt(b, STEPS, rows, labels) }) }]);
}

describe('through two steps of training', () => {
  test.each([
    ['written out', unrolled],
    ['in a loop', looped],
  ])('%s: the meta-gradient and its own derivative are those of central differences', (_, make) => {
    expect(checkDerivatives(make(), INPUTS, { wrt: ['w1', 'b1', 'w2', 'b2', 'lr'] })).toEqual([]);
  });

  test('written out, looped and simplified agree', () => {
    const options = { output: 'value', wrt: ['w1', 'lr'] };
    const want = run(gradientGraph(unrolled(), options), INPUTS);
    for (const graph of [gradientGraph(looped(), options), simplify(gradientGraph(looped(), options))]) {
      const got = run(graph, INPUTS);
      expect([...want].map(([name, x]) => difference(got.get(name), x, ROUNDING))).toEqual(
        [...want].map(() => undefined),
      );
    }
  });
});

describe('hvpGraph', () => {
  test('gives the Hessian of a quadratic times the tangents', () => {
    // x' A x / 2 with A = [[2, 1], [1, 3]] has the Hessian A.
    const b = new GraphBuilder('quadratic');
    const x = b.input('x', { shape: [2], dtype: 'float32' });
    const a = b.constant(floats([2, 2], [2, 1, 1, 3]));
    const product = binary(b, 'mul', x, b.one('contract', matmul, [a, x]));
    const sum = b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [product]);
    const graph = hvpGraph(b.finish([{ name: 'loss', value: binary(b, 'mul', sum, b.splat(0.5)) }]), {
      output: 'loss',
      wrt: ['x'],
    });
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x', 'tangent/x']);
    const found = run(
      graph,
      new Map([
        ['x', floats([2], [1, 2])],
        ['tangent/x', floats([2], [1, -2])],
      ]),
    );
    expect(Object.fromEntries([...found].map(([name, { data }]) => [name, Array.from(data)]))).toEqual({
      value: [9],
      'gradient/x': [4, 7],
      'hvp/x': [0, -5],
    });
  });
});
