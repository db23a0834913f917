import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { type Call, type KernelCase, SUMMATION, arrays } from './kernel-check.ts';

const EXTENT = fc.integer({ min: 1, max: 4 });

interface Product {
  readonly a: number[];
  readonly b: number[];
  readonly result: number[];
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Shapes of a product. TensorFlow.js's cpu backend broadcasts batches by counting modulo, which is right where one operand has a single matrix. */
const products: fc.Arbitrary<Product> = fc
  .tuple(
    fc.array(EXTENT, { maxLength: 2 }),
    fc.tuple(EXTENT, EXTENT, EXTENT),
    fc.constantFrom('both', 'left', 'right'),
    fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  )
  .map(([batch, [m, k, n], which, [transposeA, transposeB, ones]]) => {
    const single = ones ? batch.map(() => 1) : [];
    const leadA = which === 'right' ? single : batch;
    const leadB = which === 'left' ? single : batch;
    return {
      a: [...leadA, ...(transposeA ? [k, m] : [m, k])],
      b: [...leadB, ...(transposeB ? [n, k] : [k, n])],
      result: [...batch, m, n],
      transposeA,
      transposeB,
    };
  });

const matMuls: fc.Arbitrary<Call> = products.chain(({ a, b, transposeA, transposeB }) =>
  fc.tuple(arrays(a), arrays(b)).map(([a, b]) => ({
    inputs: { a, b },
    run: ({ a, b }) => tf.matMul(a as tf.Tensor, b as tf.Tensor, transposeA, transposeB),
  })),
);

const fused: fc.Arbitrary<Call> = fc
  .tuple(
    products,
    fc.constantFrom<tf.fused.Activation>('linear', 'relu', 'relu6', 'elu', 'sigmoid', 'prelu', 'leakyrelu'),
    fc.boolean(),
    fc.double({ min: 0.1, max: 0.5, noNaN: true }),
  )
  .chain(([{ a, b, result, transposeA, transposeB }, activation, hasBias, leakyreluAlpha]) =>
    fc
      .tuple(arrays(a), arrays(b), arrays(result.slice(-1)), arrays(result.slice(-1)))
      .map(([a, b, bias, preluActivationWeights]) => ({
        inputs: { a, b, bias, preluActivationWeights },
        run: ({ a, b, bias, preluActivationWeights }) =>
          tf.engine().runKernel<tf.Tensor>(
            '_FusedMatMul',
            {
              a: a as tf.Tensor,
              b: b as tf.Tensor,
              ...(hasBias ? { bias: bias as tf.Tensor } : {}),
              ...(activation === 'prelu' ? { preluActivationWeights: preluActivationWeights as tf.Tensor } : {}),
            },
            { transposeA, transposeB, activation, leakyreluAlpha },
          ),
      })),
  );

/** The same by products of tensors that have all axes: TensorFlow.js's own is wrong where it sums over labels of different tensors. */
function einsumByProducts(
  terms: readonly (readonly string[])[],
  output: readonly string[],
  tensors: readonly tf.Tensor[],
): tf.Tensor {
  const labels = [...new Set(terms.flat())].toSorted();
  const whole = terms.map((term, index) => {
    const own = labels.filter((label) => term.includes(label));
    const x = tf.transpose(
      tensors[index] as tf.Tensor,
      own.map((label) => term.indexOf(label)),
    );
    return tf.reshape(
      x,
      labels.map((label) => (own.includes(label) ? (x.shape[own.indexOf(label)] ?? 1) : 1)),
    );
  });
  const sums = labels.flatMap((label, axis) => (output.includes(label) ? [] : [axis]));
  const product = tf.sum(
    whole.reduce((a, b) => tf.mul(a, b)),
    sums,
  );
  const kept = labels.filter((label) => output.includes(label));
  return tf.transpose(
    product,
    output.map((label) => kept.indexOf(label)),
  );
}

/** Equations of one and two tensors in all kinds of labels: of both, of one, kept, summed. */
const einsums: fc.Arbitrary<Call> = fc
  .tuple(
    fc.subarray(['a', 'b', 'c', 'd'], { minLength: 1 }),
    fc.option(fc.subarray(['c', 'd', 'e', 'f']), { nil: undefined }),
  )
  .chain(([left, right]) => {
    const labels = [...new Set([...left, ...(right ?? [])])];
    return fc.tuple(
      fc.shuffledSubarray(left, { minLength: left.length }),
      right === undefined ? fc.constant(undefined) : fc.shuffledSubarray(right, { minLength: right.length }),
      fc.shuffledSubarray(labels),
      fc.array(EXTENT, { minLength: labels.length, maxLength: labels.length }),
      fc.constant(labels),
    );
  })
  .chain(([left, right, output, extents, labels]) => {
    const shapeOf = (term: readonly string[]): number[] => term.map((label) => extents[labels.indexOf(label)] ?? 1);
    const equation = `${[left, ...(right === undefined ? [] : [right])].map((term) => term.join('')).join(',')}->${output.join('')}`;
    return fc.tuple(arrays(shapeOf(left)), arrays(shapeOf(right ?? []))).map(([a, b]): Call => ({
      inputs: { a, b },
      run: ({ a, b }) => {
        const terms = right === undefined ? [left] : [left, right];
        const tensors = [a as tf.Tensor, b as tf.Tensor].slice(0, terms.length);
        return tf.getBackend() === 'cpu' ? einsumByProducts(terms, output, tensors) : tf.einsum(equation, ...tensors);
      },
    }));
  });

/** Kernels that multiply and sum. */
export const CONTRACTION_CASES: readonly KernelCase[] = [
  { kernel: 'BatchMatMul', calls: matMuls, tolerance: SUMMATION },
  { kernel: '_FusedMatMul', calls: fused, tolerance: SUMMATION },
  { kernel: 'Einsum', calls: einsums, tolerance: SUMMATION },
];
