import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ValueType } from '../../../jit/graph/graph.ts';
import { ShapeError } from '../../../jit/graph/shape-error.ts';
import { cond, scan } from '../../../jit/trace/control-flow.ts';
import { customGradient } from '../../../jit/trace/custom-gradient.ts';
import { valueAndGradient } from '../../../jit/trace/gradient.ts';
import { mapTensors } from '../../../jit/trace/map-tensors.ts';
import { TraceError } from '../../../jit/trace/trace-error.ts';
import { trace } from '../../../jit/trace/trace.ts';
import { placeOfMark } from './lines.ts';

type Rule = (x: tf.Tensor) => tf.Tensor;

const VECTOR: ValueType = { shape: [3], dtype: 'float32' };

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** The error of tracing a function of a vector; the tensors, the variables and the backend are as before. */
function errorOf(rule: Rule, type: ValueType = VECTOR): unknown {
  const { numTensors } = tf.memory();
  const variables = Object.keys(tf.engine().state.registeredVariables);
  try {
    trace(({ x }) => ({ y: rule(x) }), { x: type });
  } catch (error) {
    expect(tf.getBackend()).toBe('cpu');
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(Object.keys(tf.engine().state.registeredVariables)).toEqual(variables);
    return error;
  }
  throw new Error('Cannot show an error: expected one but it traced');
}

/** A refusal at a mark of this file: `call` and what follows the place. */
function refusalAt(mark: string, call: string, rest: string): TraceError {
  return new TraceError(`Cannot trace ${call} at ${placeOfMark(import.meta.url, mark)}: ${rest}`);
}

describe('values', () => {
  const rules: Readonly<Record<string, Rule>> = {
    tensor1d: (x) => tf.add(x, tf.tensor1d([1, 2, 3])), // at tensor1d
    // An array as argument, of which TensorFlow.js makes a tensor.
    mul: (x) => x.mul([1, 2, 3]), // at mul
    randomNormal: () => tf.randomNormal([3]), // at randomNormal
    dropout: (x) => tf.dropout(x, 0.5), // at dropout
  };

  test.each(Object.keys(rules))('made while tracing: %s', (name) => {
    expect(errorOf(rules[name] as Rule)).toEqual(
      refusalAt(
        name,
        `tf.${name}`,
        'expected no array of numbers made while tracing but got a float32[3]; pass it in as an input, or write constant([...])',
      ),
    );
  });

  const READING =
    'expected no value to be read but got a tensor whose value is not known while tracing; branch with tf.where or cond, loop with scan or repeat';

  const reads: Readonly<Record<string, Rule>> = {
    dataSync: (x) => tf.scalar(x.dataSync()[0] ?? 0), // at dataSync
    arraySync: (x) => tf.tensor(x.arraySync()), // at arraySync
    bufferSync: (x) => x.bufferSync().toTensor(), // at bufferSync
  };

  test.each(Object.keys(reads))('read: %s', (name) => {
    expect(errorOf(reads[name] as Rule)).toEqual(refusalAt(name, `tf.${name}`, READING));
  });

  test('read later: data', async () => {
    const errors: Promise<unknown>[] = [];
    const rule: Rule = (x) => {
      const read = x.data(); // at data
      errors.push(read.catch((error: unknown) => error));
      return x;
    };
    trace(({ x }) => ({ y: rule(x) }), { x: VECTOR });
    expect(await errors[0]).toEqual(refusalAt('data', 'tf.data', READING));
  });
});

describe('tensors from elsewhere', () => {
  test('of another backend, which stay alive', () => {
    const outside = tf.tensor1d([1, 2, 3]);
    const rule: Rule = (x) => tf.add(x, outside); // at outside
    expect(errorOf(rule)).toEqual(
      refusalAt(
        'outside',
        'tf.add',
        'expected tensors of the running trace but got a float32[3] made outside of it; pass it in as an input, or write constant([...])',
      ),
    );
    expect([...outside.dataSync()]).toEqual([1, 2, 3]);
    outside.dispose();
  });

  test('given as an output', () => {
    const outside = tf.tensor1d([1, 2, 3]);
    const run = (): unknown => trace(({ x }) => ({ 'next/x': x, y: outside }), { x: VECTOR }); // at output
    expect(run).toThrow(
      refusalAt(
        'output',
        'the output y',
        'expected tensors of the running trace but got a float32[3] made outside of it; pass it in as an input, or write constant([...])',
      ),
    );
    expect([...outside.dataSync()]).toEqual([1, 2, 3]);
    outside.dispose();
  });

  test('of a trace that has ended', () => {
    const kept: tf.Tensor[] = [];
    trace(
      ({ x }) => {
        kept.push(tf.keep(tf.exp(x)));
        return { x };
      },
      { x: VECTOR },
      { name: 'first' },
    );
    const rule: Rule = (x) => tf.add(x, kept[0] as tf.Tensor); // at kept
    const error = errorOf(rule);
    kept[0]?.dispose();
    expect(error).toEqual(
      refusalAt(
        'kept',
        'tf.add',
        'expected tensors of the running trace but got a float32[3] of first, which is another trace; pass it in as an input',
      ),
    );
  });

  test('strings', () => {
    const rule: Rule = () => tf.scalar('no'); // at string
    expect(errorOf(rule)).toEqual(
      refusalAt(
        'string',
        'tf.scalar',
        'expected float32, int32, bool but got string; keep such tensors outside of traced code',
      ),
    );
  });

  test('closed over by the rule of mapTensors: an input, and something computed', () => {
    const specs = new Map([['w', { shape: [3] }]]);
    const map = (x: tf.Tensor, rule: Rule): tf.Tensor =>
      mapTensors({ specs, classOf: () => ({ key: 'any' }) }, { p: new Map([['w', x]]) }, (_, { p }) => ({
        q: rule(p),
      })).q.get('w') as tf.Tensor;
    const ofInput: Rule = (x) => map(x, (p) => tf.add(p, x)); // at input
    expect(errorOf(ofInput)).toEqual(
      refusalAt(
        'input',
        'tf.add',
        'expected only the tensors handed to rule any but got the input x (float32[3]) of traced, which it closes over; hand it over among the records or the shared tensors',
      ),
    );
    const ofResult: Rule = (x) => {
      const y = tf.exp(x);
      return map(x, (p) => tf.add(p, y)); // at result
    };
    expect(errorOf(ofResult)).toEqual(
      refusalAt(
        'result',
        'tf.add',
        'expected only the tensors handed to rule any but got the result of exp (float32[3]) of traced, which it closes over; hand it over among the records or the shared tensors',
      ),
    );
  });

  test('closed over by customGradient', () => {
    const rule: Rule = (x) => {
      const forward = ({ p }: { p: tf.Tensor }): { q: tf.Tensor } => ({ q: tf.mul(p, x) }); // at forward
      return customGradient(forward, ({ p }) => ({ p }))({ p: tf.exp(x) }).q;
    };
    expect(errorOf(rule)).toEqual(
      refusalAt(
        'forward',
        'tf.mul',
        'expected only the tensors handed to customGradient but got the input x (float32[3]) of traced, which it closes over; hand it over as an input',
      ),
    );
  });
});

describe('functions', () => {
  const OTHERS =
    'write it with other functions of TensorFlow.js, or compute it outside and pass the result in as an input';

  test('kernels that are not made of the primitives', () => {
    const topk: Rule = (x) => tf.topk(x).values; // at topk
    expect(errorOf(topk)).toEqual(
      refusalAt('topk', 'tf.topk', `expected a kernel made of the primitives but got TopK; ${OTHERS}`),
    );
    const complex: Rule = (x) => tf.complex(x, x); // at complex
    expect(errorOf(complex)).toEqual(
      refusalAt('complex', 'tf.complex', `expected a kernel made of the primitives but got Complex; ${OTHERS}`),
    );
    const mine: Rule = (x) => tf.engine().runKernel<tf.Tensor>('Mine', { x }); // at mine
    expect(errorOf(mine)).toEqual(
      refusalAt('mine', 'tf.runKernel', `expected a kernel made of the primitives but got Mine; ${OTHERS}`),
    );
  });

  test('tf.grads, tf.customGrad and tf.variable', () => {
    const grad: Rule = (x) => tf.grad((y) => tf.sum(y))(x); // at grad
    expect(errorOf(grad)).toEqual(
      refusalAt(
        'grad',
        'tf.sum',
        'expected gradients by valueAndGradient or hvp but got a gradient of TensorFlow.js; write valueAndGradient(f, params), which differentiates the graph',
      ),
    );
    const twice = tf.customGrad((x) => {
      const value = tf.mul(x as tf.Tensor, 2); // at customGrad
      return { value, gradFunc: (dy: tf.Tensor) => dy };
    });
    expect(errorOf((x) => twice(x))).toEqual(
      refusalAt(
        'customGrad',
        'tf.mul',
        'expected derivatives by customGradient but got tf.customGrad, whose derivative a graph would not know; write customGradient(forward, backward)',
      ),
    );
    const variable: Rule = (x) => tf.variable(x); // at variable
    expect(errorOf(variable)).toEqual(
      refusalAt(
        'variable',
        'tf.variable',
        'expected no variable made while tracing but got one; take state in as an input and give the next one as an output',
      ),
    );
  });
});

describe('shapes and dtypes', () => {
  const place = (mark: string): string => placeOfMark(import.meta.url, mark);

  test('that primitives can’t take', () => {
    const add: Rule = (x) => tf.add(x, tf.ones([4])); // at add
    expect(errorOf(add)).toEqual(
      new ShapeError(
        `Cannot apply add: expected shapes that broadcast together but got [3] and [4], in tf.add at ${place('add')}`,
      ),
    );
    const exp: Rule = (x) => tf.exp(x); // at exp
    expect(errorOf(exp, { shape: [3], dtype: 'int32' })).toEqual(
      new ShapeError(`Cannot apply exp: expected float32 but got int32[3], in tf.exp at ${place('exp')}`),
    );
  });

  test('that lowerings refuse', () => {
    const half: Rule = () => tf.range(0, 2, 0.5, 'int32'); // at half
    expect(errorOf(half)).toEqual(
      new ShapeError(
        `Cannot apply range: expected whole numbers for int32 but got start 0, step 0.5, in tf.range at ${place('half')}`,
      ),
    );
    const complex: Rule = (x) => tf.cast(x, 'complex64'); // at cast
    expect(errorOf(complex)).toEqual(
      new ShapeError(
        `Cannot apply cast: expected float32, int32 or bool but got complex64, in tf.cast at ${place('cast')}`,
      ),
    );
  });

  test('that TensorFlow.js refuses', () => {
    const reshape: Rule = (x) => x.reshape([2, 2]); // at reshape
    expect(errorOf(reshape)).toEqual(
      new ShapeError(`Cannot trace tf.reshape at ${place('reshape')}: Size(3) must match the product of shape 2,2`),
    );
    const less: Rule = (x) => tf.less(x, tf.zeros([2])); // at less
    expect(errorOf(less)).toEqual(
      new ShapeError(
        `Cannot trace tf.less at ${place('less')}: Operands could not be broadcast together with shapes 3 and 2.`,
      ),
    );
  });

  test('of authoring functions', () => {
    const branches: Rule = (x) => {
      const isPositive = tf.any(tf.greater(x, 0));
      const [then, otherwise] = [() => ({ y: x }), () => ({ y: tf.sum(x) })];
      return cond(isPositive, then, otherwise).y; // at cond
    };
    expect(errorOf(branches)).toEqual(
      new ShapeError(
        `Cannot apply cond: expected both branches to give float32[3] but got float32[], in cond at ${place('cond')}`,
      ),
    );
    const carries: Rule = (x) => {
      const body = (carry: { y: tf.Tensor }) => ({ carry: { y: tf.sum(carry.y) }, outputs: {} });
      return scan({ body, init: { y: x }, sequences: {}, length: 2 }).carry.y; // at scan
    };
    expect(errorOf(carries)).toEqual(
      new ShapeError(
        `Cannot apply scan: expected float32[3] as next carry 0 but got float32[], in scan at ${place('scan')}`,
      ),
    );
    const gradient: Rule = (x) => {
      const params = new Map([['x', x]]);
      return valueAndGradient((p) => p.get('x') as tf.Tensor, params).value; // at gradient
    };
    expect(errorOf(gradient)).toEqual(
      new ShapeError(
        `Cannot differentiate: expected a float32 scalar but got float32[3], in valueAndGradient at ${place('gradient')}; reduce it by tf.sum or tf.mean`,
      ),
    );
  });
});

describe('outputs', () => {
  test('that are no record of tensors', () => {
    const x = { x: VECTOR };
    const give = (result: unknown): unknown => trace(() => result as Record<string, tf.Tensor>, x); // at give
    const RECORD = 'expected it to give a record of tensors and groups of tensors';
    expect(() => give(tf.keep(tf.scalar(1)))).toThrow(
      refusalAt('give', 'trace', `${RECORD} but got a tensor; write ({ name: tensor })`),
    );
    expect(() => give(Promise.resolve({}))).toThrow(
      refusalAt('give', 'trace', `${RECORD} but got a promise; traced functions are not async`),
    );
    expect(() => give(undefined)).toThrow(
      refusalAt('give', 'trace', `${RECORD} but got undefined; write ({ name: tensor })`),
    );
    expect(() => give({ y: undefined })).toThrow(
      refusalAt('give', 'the output y', 'expected a tensor but got undefined; leave it out'),
    );
    expect(() => give({ y: 3 })).toThrow(
      refusalAt('give', 'the output y', 'expected a tensor but got number; give tensors, of numbers by tf.scalar'),
    );
  });
});

test('errors of the author’s own code pass through', () => {
  const own = new Error('mine');
  expect(
    errorOf(() => {
      throw own;
    }),
  ).toBe(own);
});
