import onnxProto from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { BufferPool } from '../../../../jit/engines/onnx/buffers.ts';
import { emitOnnx, usedInputs } from '../../../../jit/engines/onnx/emit.ts';
import { loadOnnxRuntime } from '../../../../jit/engines/onnx/loader.ts';
import { OnnxSession } from '../../../../jit/engines/onnx/session.ts';
import { GraphBuilder } from '../../../../jit/graph/builder.ts';
import type { Graph, HostArray } from '../../../../jit/graph/graph.ts';
import { floats, recurrence } from '../programs.ts';

const decode = (model: Uint8Array) =>
  onnxProto.onnx.ModelProto.toObject(onnxProto.onnx.ModelProto.decode(model), { longs: Number });

/** y = params/p * values/lr + step, and what no output needs. */
function exported(): Graph {
  const builder = new GraphBuilder('exported');
  const p = builder.input('params/p', { shape: [2], dtype: 'float32' });
  const lr = builder.input('values/lr', { shape: [], dtype: 'float32' });
  const step = builder.input('step', { shape: [], dtype: 'int32' });
  builder.input('values/unused', { shape: [3], dtype: 'float32' });
  const count = builder.one('cast', { dtype: 'float32' }, [step]);
  const scaled = builder.one('binary', { fn: 'mul' }, [p, lr]);
  builder.one('unary', { fn: 'exp' }, [scaled]);
  return builder.finish([{ name: 'next/params/p', value: builder.one('binary', { fn: 'add' }, [scaled, count]) }]);
}

const scalar = (value: number): HostArray => floats([], [value]);

describe('emitOnnx', () => {
  test('writes IR 8, opset 17 and the default domain alone, with the names that ports have', () => {
    const model = decode(
      emitOnnx(exported(), {
        metadata: new Map([
          ['b', '1'],
          ['a', '2'],
        ]),
        docString: 'what it is',
        producer: { name: 'someone', version: '3' },
      }),
    );
    expect(model).toMatchObject({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      producerName: 'someone',
      producerVersion: '3',
      docString: 'what it is',
      metadataProps: [
        { key: 'b', value: '1' },
        { key: 'a', value: '2' },
      ],
    });
    const { graph } = model as {
      graph: { name: string; input: { name: string }[]; output: { name: string }[]; node: object[] };
    };
    expect(graph.name).toBe('exported');
    expect(graph.input.map((port) => port.name)).toEqual(['params/p', 'values/lr', 'step', 'values/unused']);
    expect(graph.output.map((port) => port.name)).toEqual(['next/params/p']);
    // Only what the output needs: Mul, Cast, Add.
    expect(graph.node.map((node) => (node as { opType: string }).opType)).toEqual(['Cast', 'Mul', 'Add']);
  });

  test('gives the same bytes every time', () => {
    const model = recurrenceWithoutClash();
    expect(Buffer.from(emitOnnx(model)).equals(emitOnnx(recurrenceWithoutClash()))).toBe(true);
  });

  test('initializers, defaults and int64 inputs', async () => {
    const runtime = await loadOnnxRuntime();
    const model = emitOnnx(exported(), {
      initializers: new Map([['params/p', floats([2], [1, 10])]]),
      defaults: new Map([['values/lr', scalar(0.5)]]),
      int64Inputs: new Set(['step']),
    });
    const session = await runtime.InferenceSession.create(model, { logSeverityLevel: 4 });
    // onnxruntime-node lists what has no default.
    expect(session.inputNames).toEqual(['step', 'values/unused']);
    const unused = new runtime.Tensor('float32', new Float32Array(3), [3]);
    const step = new runtime.Tensor('int64', [3n], []);
    const y = async (feeds: Record<string, InstanceType<typeof runtime.Tensor>>) =>
      Array.from((await session.run({ 'values/unused': unused, ...feeds }))['next/params/p']?.data as Float32Array);
    expect(await y({ step })).toEqual([3.5, 8]);
    // onnxruntime takes any shape for a scalar input.
    expect(await y({ step: new runtime.Tensor('int64', [3n], [1]) })).toEqual([3.5, 8]);
    await session.release();
  });

  test('a scalar output has no axes', async () => {
    const builder = new GraphBuilder('scalar');
    const x = builder.input('x', { shape: [], dtype: 'float32' });
    const model = emitOnnx(builder.finish([{ name: 'y', value: builder.one('unary', { fn: 'neg' }, [x]) }]));
    const runtime = await loadOnnxRuntime();
    const session = await runtime.InferenceSession.create(model);
    const { y } = await session.run({ x: new runtime.Tensor('float32', [2], []) });
    expect([y?.dims, y?.data]).toEqual([[], Float32Array.of(-2)]);
    await session.release();
  });

  test('a splat and a broadcast cost no memory of their own', () => {
    const builder = new GraphBuilder('wide');
    const x = builder.input('x', { shape: [1000, 1000], dtype: 'float32' });
    const row = builder.input('row', { shape: [1000], dtype: 'float32' });
    const wide = builder.one('broadcast', { shape: [1000, 1000] }, [row]);
    const half = builder.one('unary', { fn: 'exp' }, [wide]);
    const sum = builder.one('binary', { fn: 'add' }, [x, half]);
    const model = emitOnnx(
      builder.finish([
        { name: 'y', value: builder.one('binary', { fn: 'mul' }, [sum, builder.splat(2, [1000, 1000])]) },
      ]),
    );
    const { graph } = decode(model) as { graph: { node: { opType: string }[] } };
    expect(graph.node.map((node) => node.opType)).toEqual(['Exp', 'Add', 'Mul']);
    expect(model.length).toBeLessThan(400);
  });

  test('a loop computes what its steps share before it', async () => {
    const body = new GraphBuilder('step');
    const x = body.input('x', { shape: [2], dtype: 'float32' });
    const w = body.input('w', { shape: [2], dtype: 'float32' });
    const shared = body.one('unary', { fn: 'exp' }, [w]);
    const step = body.finish([{ name: 'next', value: body.one('binary', { fn: 'mul' }, [x, shared]) }]);
    const builder = new GraphBuilder('loop');
    const operands = ['x', 'w'].map((name) => builder.input(name, { shape: [2], dtype: 'float32' }));
    const [last] = builder.add('scan', { body: step, length: 3, carries: 1, sequences: 0 }, operands);
    const model = emitOnnx(builder.finish([{ name: 'y', value: last as number }]));
    const { graph } = decode(model) as { graph: { node: { opType: string }[] } };
    expect(graph.node.map((node) => node.opType)).toEqual(['Exp', 'Scan']);
    const session = await OnnxSession.create(model, {
      runtime: await loadOnnxRuntime(),
      buffers: new BufferPool(),
      device: 'cpu',
      threads: 1,
    });
    const outputs = await session.run(
      new Map([
        ['x', floats([2], [1, 2])],
        ['w', floats([2], [0, Math.log(2)])],
      ]),
      new Map([['y', { shape: [2], dtype: 'float32' }]]),
    );
    expect(outputs.get('y')).toEqual(Float32Array.of(1, 16));
    await session.release();
  });

  test('says which inputs outputs depend on', () => {
    expect([...usedInputs(exported())]).toEqual(['params/p', 'values/lr', 'step']);
  });

  test('refuses in words', () => {
    const refusal = (options: Parameters<typeof emitOnnx>[1], graph = exported()) => {
      try {
        emitOnnx(graph, options);
      } catch (cause) {
        return String(cause);
      }
      return 'nothing';
    };
    const inputs = 'params/p, values/lr, step, values/unused';
    expect(refusal({ defaults: new Map([['lr', scalar(1)]]) })).toBe(
      `RangeError: Cannot emit exported as ONNX: expected an input for the initializer lr but got inputs ${inputs}`,
    );
    expect(refusal({ defaults: new Map([['values/lr', floats([1], [1])]]) })).toBe(
      'RangeError: Cannot emit exported as ONNX: expected float32[] for the initializer values/lr but got float32[1]',
    );
    expect(refusal({ initializers: new Map([['values/unused', floats([3], [1, 2, 3])]]) })).toBe(
      'RangeError: Cannot emit exported as ONNX: expected an initializer that some output depends on but got values/unused (put it into the metadata)',
    );
    expect(refusal({ int64Inputs: new Set(['values/lr']) })).toBe(
      'RangeError: Cannot emit exported as ONNX: expected int32 for the int64 input values/lr but got float32[]',
    );
    expect(refusal({ int64Inputs: new Set(['steps']) })).toBe(
      `RangeError: Cannot emit exported as ONNX: expected an input for the int64 input steps but got inputs ${inputs}`,
    );
    expect(refusal({}, recurrence(2))).toBe(
      'RangeError: Cannot emit recurrence as ONNX: expected outputs named otherwise than inputs (ONNX names are unique) but got x for both',
    );
  });
});

/** The recurrence with output names of their own. */
function recurrenceWithoutClash(): Graph {
  const graph = recurrence(3);
  return { ...graph, outputs: graph.outputs.map(({ name, value }) => ({ name: `next/${name}`, value })) };
}
