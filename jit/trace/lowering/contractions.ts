import * as tf from '@tensorflow/tfjs-core';
import { type ValueId, sameShape, sizeOf } from '../../graph/graph.ts';
import { ShapeError } from '../../graph/shape-error.ts';
import { broadcastShapes } from '../../graph/type-rules.ts';
import { activate } from './elementwise.ts';
import type { Emit } from './emit.ts';
import { type KernelRule, type KernelTable, withAttributes } from './kernel-rule.ts';

interface Transposes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Products of matrices on the last two axes; the axes before them broadcast. */
function matMul(emit: Emit, [a, b]: readonly [ValueId, ValueId], { transposeA, transposeB }: Transposes): ValueId {
  const [leadA, leadB] = [emit.shape(a).slice(0, -2), emit.shape(b).slice(0, -2)];
  const lead = broadcastShapes('matMul', [leadA, leadB]);
  const matrix = (x: ValueId): ValueId => emit.reshape(x, emit.shape(x).slice(-2));
  const contract = (x: ValueId, y: ValueId, count: number): ValueId => {
    const batch = Array.from({ length: count }, (_, axis) => axis);
    const [rankX, rankY] = [emit.shape(x).length, emit.shape(y).length];
    return emit.one(
      'contract',
      {
        leftBatch: batch,
        rightBatch: batch,
        leftContract: [transposeA ? rankX - 2 : rankX - 1],
        rightContract: [transposeB ? rankY - 1 : rankY - 2],
      },
      [x, y],
    );
  };
  // One matrix on the right for all on the left needs no batch axes.
  if (sizeOf(leadB) === 1 && sameShape(lead, leadA)) return contract(a, matrix(b), 0);
  const spread = (x: ValueId): ValueId => emit.broadcast(x, [...lead, ...emit.shape(x).slice(-2)]);
  return contract(spread(a), spread(b), lead.length);
}

const fusedMatMul: KernelRule = withAttributes(
  (emit, { of, maybe }, { transposeA, transposeB, activation, leakyreluAlpha }: tf._FusedMatMulAttrs) => {
    const bias = maybe('bias');
    const result = matMul(emit, [of('a'), of('b')], { transposeA, transposeB });
    const biased = bias === undefined ? result : emit.binary('add', result, bias);
    return activate(emit, biased, { activation, alpha: leakyreluAlpha ?? 0.2, prelu: maybe('preluActivationWeights') });
  },
);

/** Labels of the tensors and of the result, as numbers: those of the result first. */
interface Labels {
  readonly terms: readonly (readonly number[])[];
  readonly output: readonly number[];
}

function labelsOf(emit: Emit, equation: string, list: readonly ValueId[]): Labels {
  const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, list.length);
  // One boundary: TensorFlow.js asks for tensors and reads their shapes.
  const tensors = list.map((x) => ({ shape: [...emit.shape(x)] })) as unknown as tf.Tensor[];
  tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors);
  const output = allDims.map((_, label) => label).filter((label) => !summedDims.includes(label));
  return { terms: idDims, output };
}

/** Sums over the labels that neither the result nor the other tensor has. */
function sumOver(
  emit: Emit,
  x: ValueId,
  { own, kept }: { own: readonly number[]; kept: readonly number[] },
): {
  readonly value: ValueId;
  readonly labels: readonly number[];
} {
  const axes = own.flatMap((label, axis) => (kept.includes(label) ? [] : [axis]));
  return {
    value: emit.reduce('sum', x, { axes, keepDims: false }),
    labels: own.filter((label) => kept.includes(label)),
  };
}

const einsum: KernelRule = withAttributes((emit, { list }, { equation }: tf.EinsumAttrs) => {
  const { terms, output } = labelsOf(emit, equation, list);
  const [a, b] = list;
  const [ownA = [], ownB = []] = terms;
  if (a === undefined) throw new ShapeError('Cannot apply einsum: expected one or two tensors but got none');
  const left = sumOver(emit, a, { own: ownA, kept: [...output, ...ownB] });
  if (b === undefined) return arrange(emit, left.value, { labels: left.labels, output });
  const right = sumOver(emit, b, { own: ownB, kept: [...output, ...ownA] });
  const both = left.labels.filter((label) => right.labels.includes(label));
  const batch = both.filter((label) => output.includes(label));
  const summed = both.filter((label) => !output.includes(label));
  const axes = (labels: readonly number[], of: readonly number[]): number[] => labels.map((label) => of.indexOf(label));
  const value = emit.one(
    'contract',
    {
      leftBatch: axes(batch, left.labels),
      rightBatch: axes(batch, right.labels),
      leftContract: axes(summed, left.labels),
      rightContract: axes(summed, right.labels),
    },
    [left.value, right.value],
  );
  const rest = [...left.labels, ...right.labels].filter((label) => !both.includes(label));
  return arrange(emit, value, { labels: [...batch, ...rest], output });
});

/** The axes in the result's order. */
function arrange(
  emit: Emit,
  x: ValueId,
  { labels, output }: { readonly labels: readonly number[]; readonly output: readonly number[] },
): ValueId {
  return emit.transpose(
    x,
    output.map((label) => labels.indexOf(label)),
  );
}

/** Products summed over axes. */
export const CONTRACTIONS: KernelTable = {
  BatchMatMul: withAttributes((emit, { of }, attributes: tf.BatchMatMulAttrs) =>
    matMul(emit, [of('a'), of('b')], attributes),
  ),
  _FusedMatMul: fusedMatMul,
  Einsum: einsum,
};
