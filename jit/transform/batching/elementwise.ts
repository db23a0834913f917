import type { Attributes, Op } from '../../graph/graph.ts';
import { type BatchingRule, at, mapped, raised, rankOf, shifted } from './rule.ts';

/** A primitive whose operands broadcast: ranks are aligned so that numpy's rule pairs the particle axes. */
function broadcasting<O extends 'binary' | 'compare' | 'select'>(op: O): BatchingRule<O> {
  return (batching, attrs, inputs) => {
    const rank = Math.max(...inputs.map((x) => rankOf(batching, x)));
    const aligned = inputs.map((x) => raised(batching, x, rank));
    return [mapped(batching.b.one(op, attrs, aligned))];
  };
}

/** A primitive of one input, whose attributes change and nothing else. */
export function ofOne<O extends Op>(
  op: O,
  change: (attrs: Attributes[O], particles: number) => Attributes[O],
): BatchingRule<O> {
  return ({ b, particles }, attrs, inputs) => [mapped(b.one(op, change(attrs, particles), [at(inputs, 0).id]))];
}

function unchanged<O extends Op>(op: O): BatchingRule<O> {
  return ofOne(op, (attrs) => attrs);
}

export const ELEMENTWISE_BATCHING: {
  readonly [
    O in 'unary' | 'binary' | 'compare' | 'select' | 'cast' | 'stopGradient' | 'reduce' | 'argReduce' | 'cumulative'
  ]: BatchingRule<O>;
} = {
  unary: unchanged('unary'),
  binary: broadcasting('binary'),
  compare: broadcasting('compare'),
  select: broadcasting('select'),
  cast: unchanged('cast'),
  stopGradient: unchanged('stopGradient'),
  reduce: ofOne('reduce', (attrs) => ({ ...attrs, axes: shifted(attrs.axes) })),
  argReduce: ofOne('argReduce', (attrs) => ({ ...attrs, axis: attrs.axis + 1 })),
  cumulative: ofOne('cumulative', (attrs) => ({ ...attrs, axis: attrs.axis + 1 })),
};
