import type { Attributes, Op } from '../../graph/graph.ts';
import { range } from '../expressions.ts';
import { ofOne } from './elementwise.ts';
import {
  type Batched,
  type Batching,
  type BatchingRule,
  at,
  mapped,
  raised,
  rankOf,
  shifted,
  spread,
  unmapped,
} from './rule.ts';

/** A primitive without inputs. */
function withoutInputs<O extends Op>(op: O): BatchingRule<O> {
  return ({ b }, attrs) => [unmapped(b.one(op, attrs, []))];
}

/**
 * A batched product where both operands carry the particle axis. Where one does, the axis stays a free one if it comes out in front, so that
 * particles are more rows of one product; else the other operand is repeated, which engines need not do in memory.
 */
function contract(
  batching: Batching,
  { leftBatch, rightBatch, leftContract, rightContract }: Attributes['contract'],
  inputs: readonly Batched[],
): readonly Batched[] {
  const { b } = batching;
  const [x, y] = [at(inputs, 0), at(inputs, 1)];
  const isFree = leftBatch.length === 0;
  if (isFree && x.isMapped && !y.isMapped)
    return [
      mapped(
        b.one('contract', { leftBatch, rightBatch, leftContract: shifted(leftContract), rightContract }, [x.id, y.id]),
      ),
    ];
  if (isFree && y.isMapped && !x.isMapped && rankOf(batching, x) === leftContract.length)
    return [
      mapped(
        b.one('contract', { leftBatch, rightBatch, leftContract, rightContract: shifted(rightContract) }, [x.id, y.id]),
      ),
    ];
  return [
    mapped(
      b.one(
        'contract',
        {
          leftBatch: [0, ...shifted(leftBatch)],
          rightBatch: [0, ...shifted(rightBatch)],
          leftContract: shifted(leftContract),
          rightContract: shifted(rightContract),
        },
        [spread(batching, x), spread(batching, y)],
      ),
    ),
  ];
}

/** Of an unmapped table by mapped indices it is one gather; of a mapped table by unmapped indices too. */
function gather(
  batching: Batching,
  { axis, batchDims }: Attributes['gather'],
  inputs: readonly Batched[],
): readonly Batched[] {
  const { b } = batching;
  const [x, indices] = [at(inputs, 0), at(inputs, 1)];
  if (batchDims > 0 || (x.isMapped && indices.isMapped))
    return [
      mapped(
        b.one('gather', { axis: axis + 1, batchDims: batchDims + 1 }, [spread(batching, x), spread(batching, indices)]),
      ),
    ];
  if (x.isMapped) return [mapped(b.one('gather', { axis: axis + 1, batchDims: 0 }, [x.id, indices.id]))];
  const picked = b.one('gather', { axis, batchDims: 0 }, [x.id, indices.id]);
  const others = range(b.shape(picked).length).filter((each) => each !== axis);
  return [mapped(b.transpose(picked, [axis, ...others]))];
}

/** By unmapped indices the particle axis is one more axis of what is added. */
function scatterAdd(
  batching: Batching,
  { axis, batchDims, size }: Attributes['scatterAdd'],
  inputs: readonly Batched[],
): readonly Batched[] {
  const { b } = batching;
  const [indices, updates] = [at(inputs, 0), at(inputs, 1)];
  if (batchDims === 0 && !indices.isMapped)
    return [mapped(b.one('scatterAdd', { axis: axis + 1, batchDims, size }, [indices.id, updates.id]))];
  const operands = [spread(batching, indices), spread(batching, updates)];
  return [mapped(b.one('scatterAdd', { axis: axis + 1, batchDims: batchDims + 1, size }, operands))];
}

export const LAYOUT_BATCHING: {
  readonly [
    O in
      | 'constant'
      | 'iota'
      | 'size'
      | 'contract'
      | 'gather'
      | 'scatterAdd'
      | 'reshape'
      | 'transpose'
      | 'slice'
      | 'pad'
      | 'concat'
      | 'reverse'
      | 'broadcast'
  ]: BatchingRule<O>;
} = {
  constant: withoutInputs('constant'),
  iota: withoutInputs('iota'),
  size: ({ b }, { axes }, inputs) => [unmapped(b.one('size', { axes: shifted(axes) }, [at(inputs, 0).id]))],
  contract,
  gather,
  scatterAdd,
  reshape: ofOne('reshape', ({ shape }, particles) => ({ shape: [particles, ...shape] })),
  transpose: ofOne('transpose', ({ perm }) => ({ perm: [0, ...shifted(perm)] })),
  slice: ofOne('slice', ({ begin, size, strides }, particles) => ({
    begin: [0, ...begin],
    size: [particles, ...size],
    strides: [1, ...strides],
  })),
  pad: ofOne('pad', ({ before, after, value }) => ({ before: [0, ...before], after: [0, ...after], value })),
  concat: (batching, { axis }, inputs) => [
    mapped(
      batching.b.one(
        'concat',
        { axis: axis + 1 },
        inputs.map((x) => spread(batching, x)),
      ),
    ),
  ],
  reverse: ofOne('reverse', ({ axes }) => ({ axes: shifted(axes) })),
  broadcast: (batching, { shape }, inputs) => {
    const x = raised(batching, at(inputs, 0), shape.length);
    return [mapped(batching.b.broadcast(x, [batching.particles, ...shape]))];
  },
};
