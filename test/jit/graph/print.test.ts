import { expect, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import { printGraph } from '../../../jit/graph/print.ts';

test('attributes that say something are shown, constants short', () => {
  const builder = new GraphBuilder('some of everything');
  const x = builder.input('x', { shape: [2, 3], dtype: 'float32' });
  const n = builder.input('n', { shape: [2], dtype: 'int32' });
  const table = builder.constant({
    shape: [4],
    dtype: 'float32',
    data: Float32Array.of(0.1, -0, Number.NaN, Infinity),
  });
  const long = builder.constant({
    shape: [3, 3],
    dtype: 'int32',
    data: Int32Array.from({ length: 9 }, (_, i) => i * i),
  });
  const tenth = builder.splat(0.1, [2, 3]);
  const product = builder.one(
    'contract',
    { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [1] },
    [x, tenth],
    'model.ts:7',
  );
  const outputs = [
    table,
    long,
    product,
    builder.one('reduce', { fn: 'sum', axes: [0], keepDims: true }, [x]),
    builder.one('argReduce', { fn: 'min', axis: 1 }, [x]),
    builder.one('cumulative', { fn: 'prod', axis: 0, exclusive: true, reverse: false }, [x]),
    builder.one('reshape', { shape: [6] }, [x]),
    builder.one('slice', { begin: [0, 1], size: [2, 1], strides: [1, 1] }, [x]),
    builder.one('slice', { begin: [0, 0], size: [2, 2], strides: [1, 2] }, [x]),
    builder.one('pad', { before: [1, 0], after: [0, 0], value: 1e-8 }, [x]),
    builder.one('cast', { dtype: 'bool' }, [n]),
    builder.one('iota', { shape: [5], axis: 0, dtype: 'int32' }, []),
    builder.one('gather', { axis: 1, batchDims: 1 }, [x, n]),
    builder.one('concat', { axis: 0 }, [x, x]),
    builder.one('stopGradient', {}, [x]),
  ];
  const graph = builder.finish(outputs.map((value, index) => ({ name: `y${index}`, value })));
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "graph some of everything
      input %0 float32[2,3] x
      input %1 int32[2] n
      %2 float32[4] = constant [0.1, -0, NaN, Infinity]
      %3 int32[3,3] = constant [0, 1, 4, 9, 16, 25, ... 9 numbers]
      %4 float32[2,3] = constant 0.1
      %5 float32[2,2] = contract(%0, %4) {leftContract=[1] rightContract=[1]} # model.ts:7
      %6 float32[1,3] = sum(%0) {axes=[0] keepDims=true}
      %7 int32[2] = argMin(%0) {axis=1}
      %8 float32[2,3] = cumprod(%0) {axis=0 exclusive=true}
      %9 float32[6] = reshape(%0)
      %10 float32[2,1] = slice(%0) {begin=[0,1]}
      %11 float32[2,2] = slice(%0) {begin=[0,0] strides=[1,2]}
      %12 float32[3,3] = pad(%0) {before=[1,0] after=[0,0] value=1e-8}
      %13 bool[2] = cast(%1)
      %14 int32[5] = iota() {axis=0}
      %15 float32[2] = gather(%0, %1) {axis=1 batchDims=1}
      %16 float32[4,3] = concat(%0, %0) {axis=0}
      %17 float32[2,3] = stopGradient(%0)
      output %2 y0
      output %3 y1
      output %5 y2
      output %6 y3
      output %7 y4
      output %8 y5
      output %9 y6
      output %10 y7
      output %11 y8
      output %12 y9
      output %13 y10
      output %14 y11
      output %15 y12
      output %16 y13
      output %17 y14"
  `);
});
