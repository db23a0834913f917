import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { replay } from '../../../jit/engines/eager/replay.ts';
import type { Graph, ValueType } from '../../../jit/graph/graph.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { constant } from '../../../jit/trace/constant.ts';
import { scan } from '../../../jit/trace/control-flow.ts';
import { customGradient, stopGradient } from '../../../jit/trace/custom-gradient.ts';
import { type Objective, hvp, valueAndGradient } from '../../../jit/trace/gradient.ts';
import { mapTensors } from '../../../jit/trace/map-tensors.ts';
import { size } from '../../../jit/trace/size.ts';
import type { Group } from '../../../jit/trace/structure.ts';
import { trace } from '../../../jit/trace/trace.ts';

type Tensors = Group<tf.Tensor>;

const SCALAR: ValueType = { shape: [], dtype: 'float32' };
const VECTOR: ValueType = { shape: [3], dtype: 'float32' };

/** Numbers of a few float32 operations in another order. */
const DIGITS = 5;

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function at(tensors: Tensors, path: string): tf.Tensor {
  const tensor = tensors.get(path);
  if (tensor === undefined) throw new Error(`Cannot find ${path}: it is missing`);
  return tensor;
}

function typesOf(tensors: Tensors): Map<string, ValueType> {
  return new Map([...tensors].map(([path, { shape }]) => [path, { shape, dtype: 'float32' }]));
}

function run(graph: Graph, inputs: Readonly<Record<string, tf.Tensor>>): Map<string, tf.Tensor> {
  verifyGraph(graph);
  return replay(graph, new Map(Object.entries(inputs)));
}

/** Value and gradient as a graph and eagerly, against tf.grads. */
function compareWithTape(f: (params: Tensors) => tf.Tensor, params: Tensors): void {
  const paths = [...params.keys()];
  const tape = tf.valueAndGrads(
    (...all: tf.Tensor[]) => f(new Map(all.map((x, i) => [paths[i] as string, x]))) as tf.Scalar,
  );
  const want = tape([...params.values()]);
  const graph = trace(
    ({ params }) => {
      const { value, grads } = valueAndGradient(f, params);
      return { value, grads };
    },
    { params: typesOf(params) },
  );
  const traced = run(graph, Object.fromEntries([...params].map(([path, x]) => [`params/${path}`, x])));
  const eager = valueAndGradient(f, params);
  expect([...eager.grads.keys()]).toEqual(paths);
  for (const value of [traced.get('value'), eager.value])
    expect(value?.dataSync()[0]).toBeCloseTo(want.value.dataSync()[0] as number, DIGITS);
  paths.forEach((path, index) => {
    const numbers = want.grads[index] as tf.Tensor;
    for (const own of [traced.get(`grads/${path}`), eager.grads.get(path)]) {
      expect(own?.shape).toEqual(numbers.shape);
      [...(own as tf.Tensor).dataSync()].forEach((x, i) =>
        expect(x).toBeCloseTo(numbers.dataSync()[i] as number, DIGITS),
      );
    }
  });
}

/** A two-layer network's cross-entropy. */
function network(params: Tensors): tf.Tensor {
  const x = constant([0.1, -0.4, 0.7, 0.2, 0.5, -0.9], [2, 3]) as tf.Tensor2D;
  const hidden = tf.relu(tf.add(tf.matMul(x, at(params, 'w0')), at(params, 'b0')));
  const logits = tf.add(tf.matMul(hidden, at(params, 'w1')), at(params, 'b1'));
  const labels = tf.oneHot(tf.zeros([2], 'int32'), 2, 1, 0, 'float32');
  return tf.neg(tf.mean(tf.sum(tf.mul(labels, tf.logSoftmax(logits)), -1)));
}
const networkParams = (): Tensors =>
  new Map<string, tf.Tensor>([
    ['w0', tf.tensor2d([0.3, -0.2, 0.5, 0.8, -0.6, 0.1, 0.4, 0.9, -0.7, 0.2, 0.6, -0.1], [3, 4])],
    ['b0', tf.tensor1d([0.1, 0.2, -0.3, 0.05])],
    ['w1', tf.tensor2d([0.2, -0.5, 0.7, 0.3, -0.4, 0.6, 0.8, -0.1], [4, 2])],
    ['b1', tf.tensor1d([0.05, -0.05])],
  ]);

describe('valueAndGradient', () => {
  test('of a network is what tf.grads gives', () => {
    compareWithTape(network, networkParams());
  });

  test('of a function of the parameters alone', () => {
    const params = new Map<string, tf.Tensor>([
      ['a', tf.tensor1d([1, 2, 3])],
      ['b', tf.scalar(0.5)],
    ]);
    compareWithTape((p) => tf.sum(tf.exp(tf.mul(tf.sin(at(p, 'a')), at(p, 'b')))), params);
  });

  test('gives what else the function gives, and zeros where it doesn’t depend', () => {
    const f = (p: Tensors): Objective => {
      const loss = tf.sum(tf.square(at(p, 'a')));
      return { loss, double: tf.mul(loss, 2) };
    };
    const params = new Map([
      ['a', tf.tensor1d([1, 2, 3])],
      ['unused', tf.zeros([2, 2])],
    ]);
    const { value, aux, grads } = valueAndGradient(f, params);
    expect(value.arraySync()).toBe(14);
    expect(Object.keys(aux)).toEqual(['double']);
    expect(aux['double']?.arraySync()).toBe(28);
    expect(grads.get('a')?.arraySync()).toEqual([2, 4, 6]);
    expect(grads.get('unused')?.arraySync()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const named = valueAndGradient((p) => ({ value: tf.sum(at(p, 'a')), other: at(p, 'a') }), params);
    expect(named.value.arraySync()).toBe(6);
    expect(Object.keys(named.aux)).toEqual(['other']);
    const nothing = (): Objective => ({ other: tf.scalar(1) }) as unknown as Objective;
    expect(() => valueAndGradient(nothing, params)).toThrow(
      new TypeError('Cannot differentiate: expected a tensor or a record with loss or value but got one with other'),
    );
  });

  test('eagerly takes tensors from outside, leaves them alive and no other tensor behind', () => {
    const x = tf.tensor1d([1, 2, 3]);
    const params = new Map([['w', tf.tensor1d([1, 1, 1])]]);
    const { numTensors } = tf.memory();
    const { value, grads } = valueAndGradient((p) => tf.sum(tf.mul(tf.mul(x, x), tf.square(at(p, 'w')))), params);
    expect(tf.memory().numTensors).toBe(numTensors + 2);
    expect(value.arraySync()).toBe(14);
    expect(grads.get('w')?.arraySync()).toEqual([2, 8, 18]);
    expect(x.arraySync()).toEqual([1, 2, 3]);
    expect(at(params, 'w').arraySync()).toEqual([1, 1, 1]);
  });

  test('tells parameters apart that are one tensor', () => {
    const w = tf.tensor1d([1, 2, 3]);
    const f = (p: Tensors): tf.Tensor => tf.sum(tf.add(tf.mul(at(p, 'a'), 2), tf.mul(at(p, 'b'), 3)));
    const { grads } = valueAndGradient(
      f,
      new Map([
        ['a', w],
        ['b', w],
      ]),
    );
    expect([...grads.values()].map((x) => x.arraySync())).toEqual([
      [2, 2, 2],
      [3, 3, 3],
    ]);
    const graph = trace(
      ({ w }) => ({
        grads: valueAndGradient(
          f,
          new Map([
            ['a', w],
            ['b', w],
          ]),
        ).grads,
      }),
      {
        w: VECTOR,
      },
    );
    expect([...run(graph, { w }).values()].map((x) => x.arraySync())).toEqual([
      [2, 2, 2],
      [3, 3, 3],
    ]);
  });

  test('takes other tensors of the trace as given', () => {
    const graph = trace(
      ({ x }) => {
        const y = tf.square(x);
        const { grads } = valueAndGradient((p) => tf.sum(tf.mul(at(p, 'x'), y)), new Map([['x', x]]));
        return { grads };
      },
      { x: VECTOR },
    );
    expect(
      run(graph, { x: tf.tensor1d([1, 2, 3]) })
        .get('grads/x')
        ?.arraySync(),
    ).toEqual([1, 4, 9]);
  });

  test('works in a loop: gradient descent', () => {
    const graph = trace(
      ({ x, lr }) => {
        const { carry, outputs } = scan({
          body: ({ x }: { x: tf.Tensor }) => {
            const { value, grads } = valueAndGradient((p) => tf.sum(tf.square(at(p, 'x'))), new Map([['x', x]]));
            return { carry: { x: tf.sub(x, tf.mul(lr, at(grads, 'x'))) }, outputs: { value } };
          },
          init: { x },
          sequences: {},
          length: 3,
        });
        return { ...carry, ...outputs };
      },
      { x: VECTOR, lr: SCALAR },
    );
    // x halves at each step.
    const outputs = run(graph, { x: tf.tensor1d([8, 16, 0]), lr: tf.scalar(0.25) });
    expect(outputs.get('x')?.arraySync()).toEqual([1, 2, 0]);
    expect(outputs.get('value')?.arraySync()).toEqual([320, 80, 20]);
  });

  test('goes through mapTensors', () => {
    const specs = new Map([
      ['a', VECTOR],
      ['b', VECTOR],
    ]);
    const params = new Map([
      ['a', tf.tensor1d([1, 2, 3])],
      ['b', tf.tensor1d([4, 5, 6])],
    ]);
    const f = (p: Tensors): tf.Tensor => {
      const { cubes } = mapTensors({ specs, classOf: () => ({ key: 'one' }) }, { p }, (_, { p }) => ({
        cubes: tf.sum(tf.mul(p, tf.square(p))),
      }));
      return tf.addN([...cubes.values()]);
    };
    const { value, grads } = valueAndGradient(f, params);
    expect(value.arraySync()).toBe(441);
    expect([...grads.values()].map((x) => x.arraySync())).toEqual([
      [3, 12, 27],
      [48, 75, 108],
    ]);
  });

  test('of a size is zero', () => {
    const f = (p: Tensors): tf.Tensor => tf.div(tf.sum(at(p, 'x')), size(at(p, 'x')));
    const { value, grads } = valueAndGradient(f, new Map([['x', tf.tensor1d([1, 2, 3, 6])]]));
    expect(value.arraySync()).toBe(3);
    expect(grads.get('x')?.arraySync()).toEqual([0.25, 0.25, 0.25, 0.25]);
  });
});

describe('hvp', () => {
  /** sum x^2 y, whose Hessian is [[2 y, 2 x], [2 x, 0]] for each element. */
  const f = (p: Tensors): tf.Tensor => tf.sum(tf.mul(tf.square(at(p, 'x')), at(p, 'y')));
  const params = (): Tensors =>
    new Map([
      ['x', tf.tensor1d([1, 2, 3])],
      ['y', tf.tensor1d([4, 5, 6])],
    ]);
  const tangents = (): Tensors =>
    new Map([
      ['x', tf.tensor1d([1, 0, 2])],
      ['y', tf.tensor1d([0, 1, 1])],
    ]);
  const want = [
    [8, 4, 30],
    [2, 0, 12],
  ];

  test('is the Hessian times the tangents, eagerly', () => {
    const [at, along] = [params(), tangents()];
    const { numTensors } = tf.memory();
    const product = hvp(f, at, along);
    expect(tf.memory().numTensors).toBe(numTensors + 2);
    expect([...product.values()].map((x) => x.arraySync())).toEqual(want);
  });

  test('and traced', () => {
    const types = new Map([
      ['x', VECTOR],
      ['y', VECTOR],
    ]);
    const graph = trace(({ p, t }) => ({ h: hvp(f, p, t) }), { p: types, t: types });
    const inputs = Object.fromEntries([
      ...[...params()].map(([path, x]) => [`p/${path}`, x] as const),
      ...[...tangents()].map(([path, x]) => [`t/${path}`, x] as const),
    ]);
    expect([...run(graph, inputs).values()].map((x) => x.arraySync())).toEqual(want);
  });

  test('of a network is the difference of its gradients', () => {
    const own = networkParams();
    const along: Tensors = new Map([...own].map(([path, p]) => [path, tf.cos(tf.mul(p, 7))]));
    const product = hvp(network, own, along);
    // Central differences of float32 gradients: errors of 1e-7 / step beside third derivatives times step^2.
    const step = 3e-3;
    const shifted = (sign: number): Tensors =>
      valueAndGradient(
        network,
        new Map([...own].map(([path, p]) => [path, tf.add(p, tf.mul(at(along, path), sign * step))])),
      ).grads;
    const [plus, minus] = [shifted(1), shifted(-1)];
    for (const [path, own] of product) {
      const difference = tf.div(tf.sub(at(plus, path), at(minus, path)), 2 * step).dataSync();
      [...own.dataSync()].forEach((number, i) => expect(number).toBeCloseTo(difference[i] as number, 3));
    }
  });

  test('needs a tangent for each parameter', () => {
    expect(() => hvp(f, params(), new Map())).toThrow(
      new RangeError('Cannot multiply by the Hessian: expected a tangent for x but it is missing'),
    );
  });
});

describe('derivatives of one’s own', () => {
  test('stopGradient stops, traced, eagerly and for tf.grads', () => {
    const f = (x: tf.Tensor): tf.Tensor => tf.sum(tf.mul(x, stopGradient(x)));
    const x = tf.tensor1d([1, 2, 3]);
    const { value, grads } = valueAndGradient((p) => f(at(p, 'x')), new Map([['x', x]]));
    expect(value.arraySync()).toBe(14);
    expect(grads.get('x')?.arraySync()).toEqual([1, 2, 3]);
    expect(tf.grad(f)(x).arraySync()).toEqual([1, 2, 3]);
    expect(stopGradient(x).arraySync()).toEqual([1, 2, 3]);
  });

  test('customGradient: the forward’s value, the backward’s derivative', () => {
    // The sign, passed straight through where |x| <= 1.
    const straight = customGradient(
      ({ x, scale }: { x: tf.Tensor; scale: tf.Tensor }) => ({ y: tf.mul(tf.sign(x), scale), twice: tf.mul(x, 2) }),
      ({ x, scale }, { y, twice }) => ({
        x: tf.add(tf.mul(y, tf.cast(tf.lessEqual(tf.abs(x), 1), 'float32')), tf.mul(twice, 100)),
        scale: tf.zerosLike(scale),
      }),
    );
    const x = tf.tensor1d([0.5, -2, -0.25]);
    const scale = tf.scalar(3);
    const eager = straight({ x, scale });
    expect(eager.y.arraySync()).toEqual([3, -3, -3]);
    const { value, grads } = valueAndGradient(
      (p) => tf.sum(tf.mul(straight({ x: at(p, 'x'), scale: at(p, 'scale') }).y, 3)),
      new Map<string, tf.Tensor>([
        ['x', x],
        ['scale', scale],
      ]),
    );
    expect(value.arraySync()).toBe(-9);
    expect(grads.get('x')?.arraySync()).toEqual([3, 0, 3]);
    expect(grads.get('scale')?.arraySync()).toBe(0);
    const both = valueAndGradient(
      (p) => {
        const { y, twice } = straight({ x: at(p, 'x'), scale });
        return tf.add(tf.sum(y), tf.sum(twice));
      },
      new Map([['x', x]]),
    );
    expect(both.grads.get('x')?.arraySync()).toEqual([101, 100, 101]);
  });
});
