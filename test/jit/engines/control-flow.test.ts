import { describe, test } from 'vitest';
import { GraphBuilder } from '../../../jit/graph/builder.ts';
import type { Graph, HostArray, ValueId, ValueType } from '../../../jit/graph/graph.ts';
import { ENGINE_RUNS } from './engine-runs.ts';
import { expectAgreement, onUnrolled } from './runs.ts';

const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const });
const floats = (shape: readonly number[], ...values: number[]): HostArray => ({
  shape,
  dtype: 'float32',
  data: Float32Array.from(values),
});

function named(values: readonly ValueId[]): { name: string; value: ValueId }[] {
  return values.map((value, index) => ({ name: `out${index}`, value }));
}

/**
 * A loop with all that loops have: a float, an int32, a bool and an empty carry, two sequences (one of empty slices), a captured matrix,
 * a part that is the same in every step, and stacked outputs that are a carry, a constant, a captured value, empty, and one given twice.
 */
function loop(length: number): { graph: Graph; inputs: Map<string, HostArray> } {
  const body = new GraphBuilder('step');
  const x = body.input('x', float(2));
  const count = body.input('count', { shape: [], dtype: 'int32' });
  const flag = body.input('flag', { shape: [2], dtype: 'bool' });
  const none = body.input('none', float(0, 2));
  const slice = body.input('slice', float(2));
  const nothing = body.input('nothing', float(0));
  const weights = body.input('weights', float(2, 2));
  const attrs = { leftBatch: [], rightBatch: [], leftContract: [0], rightContract: [0] };
  const scaled = body.one('binary', { fn: 'mul' }, [weights, body.splat(0.5)]);
  const turned = body.one('contract', attrs, [x, scaled]);
  const next = body.one('unary', { fn: 'tanh' }, [body.one('binary', { fn: 'add' }, [turned, slice])]);
  const one = body.constant({ shape: [], dtype: 'int32', data: Int32Array.of(1) });
  const total = body.one('reduce', { fn: 'sum', axes: [0, 1], keepDims: false }, [scaled]);
  const isPositive = body.one('compare', { fn: 'greater' }, [next, body.splat(0)]);
  const step = body.finish(
    named([
      next,
      body.one('binary', { fn: 'add' }, [count, one]),
      body.one('binary', { fn: 'xor' }, [flag, isPositive]),
      none,
      x,
      body.splat(3, [2]),
      weights,
      nothing,
      next,
      body.one('binary', { fn: 'mul' }, [total, slice]),
      flag,
    ]),
  );
  const builder = new GraphBuilder('loop');
  const types = step.inputs.map((port, index) => {
    const { shape, dtype } = step.values[port.value] as ValueType;
    return builder.input(port.name, { shape: index === 4 || index === 5 ? [length, ...shape] : shape, dtype });
  });
  const outputs = builder.add('scan', { body: step, length, carries: 4, sequences: 2 }, types);
  const inputs = new Map<string, HostArray>([
    ['x', floats([2], 0.5, -1)],
    ['count', { shape: [], dtype: 'int32', data: Int32Array.of(7) }],
    ['flag', { shape: [2], dtype: 'bool', data: Uint8Array.of(1, 0) }],
    ['none', floats([0, 2])],
    ['slice', floats([length, 2], ...Array.from({ length: 2 * length }, (_, i) => Math.sin(i)))],
    ['nothing', floats([length, 0])],
    ['weights', floats([2, 2], 1, -2, 0.5, 3)],
  ]);
  return { graph: builder.finish(named(outputs)), inputs };
}

/** A loop without sequences around a branch: halves or triples, whichever keeps the sum small. */
function branching(): { graph: Graph; inputs: Map<string, HostArray> } {
  const branch = (name: string, factor: number): Graph => {
    const builder = new GraphBuilder(name);
    const x = builder.input('x', float(2));
    const offset = builder.input('offset', float(2));
    const scaled = builder.one('binary', { fn: 'mul' }, [x, builder.splat(factor)]);
    return builder.finish(
      named([builder.one('binary', { fn: 'add' }, [scaled, offset]), offset, builder.splat(factor)]),
    );
  };
  const body = new GraphBuilder('step');
  const x = body.input('x', float(2));
  const offset = body.input('offset', float(2));
  const sum = body.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [x]);
  const isLarge = body.one('compare', { fn: 'greater' }, [sum, body.splat(4)]);
  const attrs = { then: branch('halve', 0.5), otherwise: branch('triple', 3) };
  const [next, same, factor] = body.add('cond', attrs, [isLarge, x, offset]) as [ValueId, ValueId, ValueId];
  const step = body.finish(named([next, factor, same]));
  const builder = new GraphBuilder('branching');
  const operands = [builder.input('x', float(2)), builder.input('offset', float(2))];
  const outputs = builder.add('scan', { body: step, length: 5, carries: 1, sequences: 0 }, operands);
  return {
    graph: builder.finish(named(outputs)),
    inputs: new Map([
      ['x', floats([2], 1, 0.25)],
      ['offset', floats([2], 0.125, -0.5)],
    ]),
  };
}

/** A call of three members with a shared input, inside a customGradient, with an output that is an input. */
function calls(): { graph: Graph; inputs: Map<string, HostArray> } {
  const rule = new GraphBuilder('rule');
  const p = rule.input('p', float(2));
  const lr = rule.input('lr', float());
  const g = rule.input('g', float(2));
  const body = rule.finish(
    named([rule.one('binary', { fn: 'sub' }, [p, rule.one('binary', { fn: 'mul' }, [lr, g])]), p, lr]),
  );
  const forward = new GraphBuilder('forward');
  const values = ['a', 'b', 'c', 'lr', 'ga', 'gb', 'gc'].map((name) =>
    forward.input(name, name === 'lr' ? float() : float(2)),
  );
  const called = forward.add('call', { body, count: 3, mapped: [true, false, true] }, values);
  const inner = forward.finish(named(called));
  const backward = new GraphBuilder('backward');
  const all = [...inner.inputs, ...inner.outputs].map(({ value }, index) =>
    backward.input(`in${index}`, inner.values[value] as ValueType),
  );
  const builder = new GraphBuilder('calls');
  const operands = inner.inputs.map(({ name, value }) => builder.input(name, inner.values[value] as ValueType));
  const outputs = builder.add(
    'customGradient',
    { forward: inner, backward: backward.finish(named(all.slice(0, 7))) },
    operands,
  );
  const inputs = new Map(
    inner.inputs.map(({ name, value }, index) => {
      const { shape } = inner.values[value] as ValueType;
      return [name, floats(shape, ...shape.map(() => index), ...(shape.length === 0 ? [0.5] : [-index]))];
    }),
  );
  return { graph: builder.finish([...named(outputs), { name: 'a again', value: operands[0] as ValueId }]), inputs };
}

describe('loops, branches and calls mean the same on every engine', () => {
  const programs = [
    ['a loop', loop(4)],
    ['a loop of one step', loop(1)],
    ['branches in a loop', branching()],
    ['calls in a custom gradient', calls()],
  ] as const;
  for (const [where, run] of ENGINE_RUNS)
    test.each([...programs, ['a loop of no steps', loop(0)] as const])(`%s on ${where}`, async (_, program) => {
      await expectAgreement(run, { ...program, describe: (output) => output });
    });

  // Without empty values, which sessions are never given by engines.
  test('branches and loops written out as plain operators', async () => {
    await expectAgreement(onUnrolled, { ...branching(), describe: (output) => output });
    await expectAgreement(onUnrolled, { ...calls(), describe: (output) => output });
  });
});
