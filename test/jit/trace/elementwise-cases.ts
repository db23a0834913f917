import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import type { DType } from '../../../jit/graph/graph.ts';
import { ANY_NUMBERS, BROADCAST_PAIRS, type Call, type KernelCase, ROUNDING, arrays, shapes } from './kernel-check.ts';

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

function unary(
  kernel: string,
  run: Unary,
  { dtypes = ['float32'] as readonly DType[], tolerance = 0 } = {},
): KernelCase {
  const calls = fc
    .tuple(shapes(), fc.constantFrom(...dtypes))
    .chain(([shape, dtype]) => arrays(shape, dtype === 'float32' ? { elements: ANY_NUMBERS } : { dtype }))
    .map((x): Call => ({ inputs: { x }, run: ({ x }) => run(x as tf.Tensor) }));
  return { kernel, calls, tolerance };
}

function binary(
  kernel: string,
  run: Binary,
  { dtypes = ['float32'] as readonly DType[], tolerance = 0, elements = ANY_NUMBERS } = {},
): KernelCase {
  const calls = fc
    .tuple(BROADCAST_PAIRS, fc.constantFrom(...dtypes), fc.constantFrom(...dtypes))
    .chain(([[a, b], left, right]) =>
      fc.tuple(
        arrays(a, left === 'float32' ? { elements } : { dtype: left }),
        arrays(b, right === 'float32' ? { elements } : { dtype: right }),
      ),
    )
    .map(([a, b]): Call => ({ inputs: { a, b }, run: ({ a, b }) => run(a as tf.Tensor, b as tf.Tensor) }));
  return { kernel, calls, tolerance };
}

/** Numbers whose quotients are exact or far from whole: TensorFlow.js rounds down before it rounds to float32. */
const QUARTERS = fc.oneof(
  fc.integer({ min: -12, max: 12 }).map((count) => count / 4),
  fc.constantFrom(Number.NaN, Infinity, -Infinity),
);

const NUMBERS: readonly DType[] = ['float32', 'int32'];
const ALL: readonly DType[] = ['float32', 'int32', 'bool'];
const BOOLS: readonly DType[] = ['bool'];

const selects: fc.Arbitrary<Call> = fc.oneof(
  fc
    .tuple(BROADCAST_PAIRS, fc.constantFrom<DType>(...NUMBERS))
    .chain(([[c, t], dtype]) => fc.tuple(arrays(c, { dtype: 'bool' }), arrays(t, { dtype }), arrays(t, { dtype })))
    .map(([c, t, e]): Call => ({
      inputs: { c, t, e },
      run: ({ c, t, e }) => tf.where(c as tf.Tensor, t as tf.Tensor, e as tf.Tensor),
    })),
  // A condition of one axis chooses among rows; TensorFlow.js's cpu backend repeats the first element of each there.
  shapes({ minRank: 1 })
    .chain((t) => fc.tuple(arrays(t.slice(0, 1), { dtype: 'bool' }), arrays(t), arrays(t, { dtype: 'int32' })))
    .map(([condition, t, e]): Call => ({
      inputs: { condition, t, e },
      run: ({ condition, t, e }) => {
        const [c, x, y] = [condition as tf.Tensor, t as tf.Tensor, e as tf.Tensor];
        if (tf.getBackend() !== 'cpu') return tf.engine().runKernel<tf.Tensor>('Select', { condition: c, t: x, e: y });
        return tf.where(tf.reshape(c, [c.size, ...x.shape.slice(1).map(() => 1)]), x, y);
      },
    })),
);

function withNumber(kernel: string, run: (x: tf.Tensor, value: number) => tf.Tensor): KernelCase {
  const calls = fc
    .tuple(
      shapes().chain((shape) => arrays(shape, { elements: ANY_NUMBERS })),
      fc.double({ min: -2, max: 2, noNaN: true }).map(Math.fround),
    )
    .map(([x, value]): Call => ({ inputs: { x }, run: ({ x }) => run(x as tf.Tensor, value) }));
  return { kernel, calls, tolerance: 0 };
}

/** Of equal bounds TensorFlow.js makes a constant. */
const clips: fc.Arbitrary<Call> = fc
  .tuple(
    shapes(),
    fc.constantFrom<DType>(...NUMBERS),
    fc.tuple(fc.double({ min: -3, max: 3, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true })),
    fc.constantFrom('none', 'low', 'high'),
  )
  .chain(([shape, dtype, bounds, infinite]) => {
    const low = infinite === 'low' ? -Infinity : Math.fround(Math.min(...bounds));
    const high = infinite === 'high' ? Infinity : Math.fround(Math.max(...bounds) + 0.25);
    return arrays(shape, dtype === 'float32' ? { elements: ANY_NUMBERS } : { dtype }).map((x): Call => ({
      inputs: { x },
      run: ({ x }) => tf.clipByValue(x as tf.Tensor, low, high),
    }));
  });

const sums: fc.Arbitrary<Call> = fc
  .tuple(shapes(), fc.integer({ min: 1, max: 4 }), fc.constantFrom<DType>(...NUMBERS))
  .chain(([shape, count, dtype]) => fc.array(arrays(shape, { dtype }), { minLength: count, maxLength: count }))
  .map((list) => ({
    inputs: Object.fromEntries(list.map((x, index) => [`x${index}`, x])),
    run: (inputs) => tf.addN(Object.values(inputs)),
  }));

const casts: fc.Arbitrary<Call> = fc
  .tuple(shapes(), fc.constantFrom<DType>(...ALL), fc.constantFrom<DType>(...ALL))
  .chain(([shape, from, to]) =>
    arrays(shape, { dtype: from }).map((x): Call => ({ inputs: { x }, run: ({ x }) => tf.cast(x as tf.Tensor, to) })),
  );

/** The kernel doesn't broadcast. */
function eluGradient(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const dy = tf.add(a, tf.zerosLike(b));
  return tf.engine().runKernel<tf.Tensor>('EluGrad', { dy, y: tf.add(b, tf.zerosLike(dy)) });
}

/** Kernels of functions of one argument, of two, comparisons, logic, choice. */
export const ELEMENTWISE_CASES: readonly KernelCase[] = [
  unary('Neg', tf.neg, { dtypes: NUMBERS }),
  unary('Abs', tf.abs, { dtypes: NUMBERS }),
  unary('Sign', tf.sign, { dtypes: NUMBERS }),
  unary('Exp', tf.exp),
  unary('Expm1', tf.expm1),
  unary('Log', tf.log),
  unary('Log1p', tf.log1p),
  unary('Sqrt', tf.sqrt),
  unary('Rsqrt', tf.rsqrt),
  unary('Reciprocal', tf.reciprocal),
  unary('Sin', tf.sin),
  unary('Cos', tf.cos),
  unary('Tan', tf.tan),
  unary('Asin', tf.asin),
  unary('Acos', tf.acos),
  unary('Atan', tf.atan),
  unary('Sinh', tf.sinh),
  unary('Cosh', tf.cosh),
  unary('Tanh', tf.tanh),
  unary('Asinh', tf.asinh),
  unary('Acosh', tf.acosh),
  unary('Atanh', tf.atanh),
  unary('Sigmoid', tf.sigmoid),
  unary('Softplus', tf.softplus),
  unary('Erf', tf.erf),
  unary('Relu', tf.relu),
  unary('Floor', tf.floor),
  unary('Ceil', tf.ceil),
  unary('Round', tf.round, { dtypes: NUMBERS }),
  unary('IsNan', tf.isNaN, { dtypes: NUMBERS }),
  unary('IsInf', tf.isInf, { dtypes: NUMBERS }),
  unary('IsFinite', tf.isFinite, { dtypes: NUMBERS }),
  unary('Square', tf.square, { dtypes: NUMBERS }),
  unary('Relu6', tf.relu6),
  unary('Elu', tf.elu, { tolerance: ROUNDING }),
  unary('Selu', tf.selu, { tolerance: ROUNDING }),
  unary('LogicalNot', tf.logicalNot, { dtypes: BOOLS }),
  unary('ZerosLike', tf.zerosLike, { dtypes: ALL }),
  unary('OnesLike', tf.onesLike, { dtypes: ALL }),
  unary('Identity', tf.clone, { dtypes: ALL }),
  withNumber('LeakyRelu', tf.leakyRelu),
  withNumber('Step', (x, alpha) => tf.step(x, alpha)),
  binary('EluGrad', eluGradient, { tolerance: ROUNDING }),
  binary('Prelu', tf.prelu),
  binary('Add', tf.add, { dtypes: NUMBERS }),
  binary('Sub', tf.sub, { dtypes: NUMBERS }),
  binary('Multiply', tf.mul, { dtypes: ALL }),
  binary('RealDiv', tf.div),
  binary('Maximum', tf.maximum, { dtypes: ALL }),
  binary('Minimum', tf.minimum, { dtypes: ALL }),
  binary('Pow', tf.pow),
  binary('Atan2', tf.atan2),
  binary('Mod', tf.mod, { dtypes: NUMBERS }),
  binary('FloorDiv', tf.floorDiv, { dtypes: NUMBERS, elements: QUARTERS }),
  binary('SquaredDifference', tf.squaredDifference, { dtypes: NUMBERS, tolerance: ROUNDING }),
  binary('Equal', tf.equal, { dtypes: ALL }),
  binary('NotEqual', tf.notEqual, { dtypes: ALL }),
  binary('Less', tf.less, { dtypes: NUMBERS }),
  binary('LessEqual', tf.lessEqual, { dtypes: NUMBERS }),
  binary('Greater', tf.greater, { dtypes: NUMBERS }),
  binary('GreaterEqual', tf.greaterEqual, { dtypes: NUMBERS }),
  binary('LogicalAnd', tf.logicalAnd, { dtypes: BOOLS }),
  binary('LogicalOr', tf.logicalOr, { dtypes: BOOLS }),
  { kernel: 'Select', calls: selects, tolerance: 0 },
  { kernel: 'ClipByValue', calls: clips, tolerance: 0 },
  { kernel: 'AddN', calls: sums, tolerance: 0 },
  { kernel: 'Cast', calls: casts, tolerance: 0 },
];
