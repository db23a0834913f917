import type { Attributes, ValueId } from '../../graph/graph.ts';
import { callGroups } from '../bodies.ts';
import { range } from '../expressions.ts';
import { type Batched, type Batching, type BatchingRule, at, mapped, raised, rankOf, spread } from './rule.ts';

/** A body's input carries the particle axis in all calls when it does in one. */
function call(batching: Batching, attrs: Attributes['call'], inputs: readonly Batched[]): readonly Batched[] {
  const { body, count } = attrs;
  const groups = callGroups(attrs).map(({ start, size }) => inputs.slice(start, start + size));
  const flags = groups.map((group) => group.some((x) => x.isMapped));
  const wide = batching.body(body, { inputs: flags });
  const operands = groups.flatMap((group, index) =>
    group.map((x) => (flags[index] === true ? spread(batching, x) : x.id)),
  );
  return batching.builder
    .add('call', { ...attrs, body: wide.graph }, operands)
    .map((id, index) => ({ id, isMapped: wide.outputs[Math.floor(index / count)] === true }));
}

/** The cotangent of what all particles share is the sum over the particles. */
function customGradient(
  batching: Batching,
  { forward, backward }: Attributes['customGradient'],
  inputs: readonly Batched[],
): readonly Batched[] {
  const flags = inputs.map((x) => x.isMapped);
  const wide = batching.body(forward, { inputs: flags });
  const back = batching.body(backward, { inputs: [...flags, ...wide.outputs], outputs: flags, sums: true });
  return batching.builder
    .add(
      'customGradient',
      { forward: wide.graph, backward: back.graph },
      inputs.map((x) => x.id),
    )
    .map((id, index) => ({ id, isMapped: wide.outputs[index] === true }));
}

/** Stays a branch where all particles take the same one; else both are computed and each particle's is selected. */
function cond(
  batching: Batching,
  { then, otherwise }: Attributes['cond'],
  inputs: readonly Batched[],
): readonly Batched[] {
  const { b, builder } = batching;
  const [predicate, ...operands] = inputs as [Batched, ...Batched[]];
  const flags = operands.map((x) => x.isMapped);
  const ids = operands.map((x) => x.id);
  const first = batching.body(then, { inputs: flags });
  const second = batching.body(otherwise, { inputs: flags });
  if (predicate.isMapped) {
    const [taken, other] = [builder.inline(first.graph, ids), builder.inline(second.graph, ids)];
    return taken.map((id, index) => {
      const branches: readonly Batched[] = [
        { id, isMapped: first.outputs[index] === true },
        { id: other[index] as ValueId, isMapped: second.outputs[index] === true },
      ];
      const rank = rankOf(batching, at(branches, 0));
      return mapped(b.select(raised(batching, predicate, rank), at(branches, 0).id, at(branches, 1).id));
    });
  }
  const outputs = first.outputs.map((flag, index) => flag || second.outputs[index] === true);
  const branches = {
    then: batching.body(then, { inputs: flags, outputs }).graph,
    otherwise: batching.body(otherwise, { inputs: flags, outputs }).graph,
  };
  return builder
    .add('cond', branches, [predicate.id, ...ids])
    .map((id, index) => ({ id, isMapped: outputs[index] === true }));
}

/**
 * Time stays the leading axis of sequences: a mapped one is turned to [time, particle, ...] before the loop, and what is stacked is turned
 * back after it. A carry is mapped when its first value is, or what a step makes of it.
 */
function scan(batching: Batching, attrs: Attributes['scan'], inputs: readonly Batched[]): readonly Batched[] {
  const { b, builder } = batching;
  const { body, carries, sequences } = attrs;
  const flags = inputs.map((x) => x.isMapped);
  let wide = batching.body(body, { inputs: flags });
  while (range(carries).some((index) => wide.outputs[index] === true && flags[index] !== true)) {
    range(carries).forEach((index) => {
      flags[index] ||= wide.outputs[index] === true;
    });
    wide = batching.body(body, { inputs: flags });
  }
  const outputs = wide.outputs.map((flag, index) => (index < carries ? flags[index] === true : flag));
  wide = batching.body(body, { inputs: flags, outputs });
  const turned = (id: ValueId): ValueId =>
    b.transpose(
      id,
      range(b.shape(id).length).map((axis) => (axis < 2 ? 1 - axis : axis)),
    );
  const operands = inputs.map((x, index) => {
    if (index < carries) return flags[index] === true ? spread(batching, x) : x.id;
    return index < carries + sequences && x.isMapped ? turned(x.id) : x.id;
  });
  return builder.add('scan', { ...attrs, body: wide.graph }, operands).map((id, index) => ({
    id: index >= carries && outputs[index] === true ? turned(id) : id,
    isMapped: outputs[index] === true,
  }));
}

export const CONTROL_FLOW_BATCHING: {
  readonly [O in 'call' | 'customGradient' | 'cond' | 'scan']: BatchingRule<O>;
} = { call, customGradient, cond, scan };
