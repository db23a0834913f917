import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { replay } from '../../../jit/engines/eager/replay.ts';
import type { Attributes, Graph, ValueType } from '../../../jit/graph/graph.ts';
import { printGraph } from '../../../jit/graph/print.ts';
import { verifyGraph } from '../../../jit/graph/verify.ts';
import { mapTensors } from '../../../jit/trace/map-tensors.ts';
import type { Group } from '../../../jit/trace/structure.ts';
import { trace } from '../../../jit/trace/trace.ts';

const MATRIX: ValueType = { shape: [2, 3], dtype: 'float32' };
const VECTOR: ValueType = { shape: [3], dtype: 'float32' };

/** Two matrices and two vectors, interleaved; `norm` has a class of its own. */
const SPECS = new Map([
  ['a/kernel', MATRIX],
  ['a/bias', VECTOR],
  ['b/kernel', MATRIX],
  ['b/bias', VECTOR],
  ['norm', { ...VECTOR }],
]);

interface Kind {
  readonly key: string;
  readonly isMatrix: boolean;
}

const classOf = (spec: ValueType): Kind => ({
  key: spec === SPECS.get('norm') ? 'norm' : `rank ${spec.shape.length}`,
  isMatrix: spec.shape.length === 2,
});

type Tensors = Group<tf.Tensor>;

/** A step of two kinds: matrices keep a mean of their columns, others nothing. */
function step(params: Tensors, means: Tensors, lr: tf.Tensor): { p: Tensors; mean?: Tensors } {
  return mapTensors(
    { specs: SPECS, classOf, shared: { lr, absent: undefined } },
    { p: params, mean: means },
    ({ isMatrix }, { p, mean }, shared): Record<'p', tf.Tensor> & { mean?: tf.Tensor } => {
      expect(Object.keys(shared)).toEqual(['lr']);
      if (!isMatrix) {
        expect(mean).toBeUndefined();
        return { p: tf.mul(p, shared.lr) };
      }
      return { p: tf.sub(p, mean), mean: tf.mean(p, 0) };
    },
  );
}

const types = {
  params: SPECS,
  means: new Map([
    ['a/kernel', VECTOR],
    ['b/kernel', VECTOR],
  ]),
  lr: { shape: [], dtype: 'float32' } as ValueType,
};

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function traceStep(): Graph {
  return trace(({ params, means, lr }) => ({ ...step(params, means, lr) }), types, { name: 'step' });
}

/** Inputs of `types`, numbered. */
function numbered(): { params: Map<string, tf.Tensor>; means: Map<string, tf.Tensor>; lr: tf.Tensor } {
  let next = 0;
  const fill = (group: Group<ValueType>): Map<string, tf.Tensor> =>
    new Map(
      [...group].map(([path, { shape }]) => {
        const count = shape.reduce((product, extent) => product * extent, 1);
        const numbers = Array.from({ length: count }, () => (next += 1));
        return [path, tf.tensor(numbers, [...shape])];
      }),
    );
  return { params: fill(types.params), means: fill(types.means), lr: tf.scalar(10) };
}

describe('mapTensors', () => {
  test('traces a rule once for each kind of tensor', () => {
    const graph = traceStep();
    verifyGraph(graph);
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph step
        input %0 float32[2,3] params/a/kernel
        input %1 float32[3] params/a/bias
        input %2 float32[2,3] params/b/kernel
        input %3 float32[3] params/b/bias
        input %4 float32[3] params/norm
        input %5 float32[3] means/a/kernel
        input %6 float32[3] means/b/kernel
        input %7 float32[] lr
        %8 float32[2,3], %9 float32[2,3], %10 float32[3], %11 float32[3] = call(%0, %2, %5, %6, %7) {count=2 mapped=[1,1,0]}
          body rule rank 2
            input %0 float32[2,3] p
            input %1 float32[3] mean
            input %2 float32[] shared/lr
            %3 float32[2,3] = sub(%0, %1)
            %4 float32[3] = mean(%0) {axes=[0]}
            output %3 p
            output %4 mean
        %12 float32[3], %13 float32[3] = call(%1, %3, %7) {count=2 mapped=[1,0]}
          body rule rank 1
            input %0 float32[3] p
            input %1 float32[] shared/lr
            %2 float32[3] = mul(%0, %1)
            output %2 p
        %14 float32[3] = call(%4, %7) {count=1 mapped=[1,0]}
          body rule norm
            input %0 float32[3] p
            input %1 float32[] shared/lr
            %2 float32[3] = mul(%0, %1)
            output %2 p
        output %8 p/a/kernel
        output %12 p/a/bias
        output %9 p/b/kernel
        output %13 p/b/bias
        output %14 p/norm
        output %10 mean/a/kernel
        output %11 mean/b/kernel"
    `);
  });

  test('gives what the loop gives, paths in the order of the specs', () => {
    const { params, means, lr } = numbered();
    const eager = step(params, means, lr);
    expect([...eager.p.keys()]).toEqual([...SPECS.keys()]);
    expect([...(eager.mean ?? new Map()).keys()]).toEqual(['a/kernel', 'b/kernel']);
    const flat = new Map<string, tf.Tensor>([
      ...[...params].map(([path, x]) => [`params/${path}`, x] as const),
      ...[...means].map(([path, x]) => [`means/${path}`, x] as const),
      ['lr', lr],
    ]);
    const outputs = replay(traceStep(), flat);
    expect([...outputs.keys()]).toEqual([
      ...[...SPECS.keys()].map((path) => `p/${path}`),
      'mean/a/kernel',
      'mean/b/kernel',
    ]);
    for (const [path, x] of eager.p) expect(outputs.get(`p/${path}`)?.arraySync()).toEqual(x.arraySync());
    for (const [path, x] of eager.mean ?? []) expect(outputs.get(`mean/${path}`)?.arraySync()).toEqual(x.arraySync());
    // The second matrix by hand: 10..15 less its means, which are 25, 26, 27.
    expect(outputs.get('p/b/kernel')?.arraySync()).toEqual([
      [-15, -15, -15],
      [-12, -12, -12],
    ]);
  });

  test('splits kinds by the shapes of the records', () => {
    const specs = new Map([
      ['a', VECTOR],
      ['b', VECTOR],
      ['c', VECTOR],
    ]);
    const graph = trace(
      ({ m }) => ({
        ...mapTensors({ specs, classOf: () => ({ key: 'one' }) }, { m }, (_, { m }) => ({ n: tf.neg(m) })),
      }),
      {
        m: new Map([
          ['a', VECTOR],
          ['b', MATRIX],
          ['c', VECTOR],
        ]),
      },
    );
    const calls = graph.nodes.map((node) => (node.attrs as Attributes['call']).count);
    expect(calls).toEqual([2, 1]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['n/a', 'n/b', 'n/c']);
  });

  test('of no tensors is nothing', () => {
    const graph = trace(
      () => ({ ...mapTensors({ specs: new Map(), classOf: () => ({ key: 'one' }) }, {}, () => ({})) }),
      {},
    );
    expect(graph).toEqual({ name: 'traced', inputs: [], nodes: [], values: [], outputs: [] });
  });

  test('may be used inside of itself', () => {
    const specs = new Map([['w', VECTOR]]);
    const one = { specs, classOf: () => ({ key: 'one' }) };
    const graph = trace(
      ({ x }) => ({
        ...mapTensors(one, { x }, (_, { x }) => {
          const { y } = mapTensors(one, { x: new Map([['w', x]]) }, (_, { x }) => ({ y: tf.neg(x) }));
          return { z: tf.exp(y.get('w') as tf.Tensor) };
        }),
      }),
      { x: specs },
    );
    verifyGraph(graph);
    const outputs = replay(graph, new Map([['x/w', tf.tensor1d([0, 1, 2])]]));
    expect(outputs.get('z/w')?.arraySync()).toEqual([0, -1, -2].map((x) => Math.fround(Math.exp(x))));
  });
});
