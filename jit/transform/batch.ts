import { GraphBuilder } from '../graph/builder.ts';
import {
  type Attributes,
  type Graph,
  type Node,
  type Op,
  type ValueId,
  type ValueType,
  sameShape,
} from '../graph/graph.ts';
import { type Build, build } from './expressions.ts';

/** A value of the batched graph, and whether it carries the particle axis (always axis 0). */
interface Part {
  readonly id: ValueId;
  readonly mapped: boolean;
}
interface Context {
  readonly b: Build;
  readonly builder: GraphBuilder;
  readonly particles: number;
}
type Rule<O extends Op> = (context: Context, attrs: Attributes[O], inputs: readonly Part[]) => readonly Part[];

const part = (id: ValueId, mapped = true): Part => ({ id, mapped });
const one = (id: ValueId): readonly Part[] => [part(id)];
const rankOf = ({ b }: Context, { id, mapped }: Part): number => b.shape(id).length - (mapped ? 1 : 0);
const up = (axes: readonly number[]): number[] => axes.map((axis) => axis + 1);
const spread = ({ b, particles }: Context, x: Part): ValueId =>
  x.mapped ? x.id : b.broadcast(x.id, [particles, ...b.shape(x.id)]);
/** The inputs with ranks aligned, so that numpy's rule pairs the particle axes. */
function align(context: Context, inputs: readonly Part[]): ValueId[] {
  const { b } = context;
  const rank = Math.max(...inputs.map((x) => rankOf(context, x)));
  return inputs.map((x) => {
    if (!x.mapped) return x.id;
    const shape = b.shape(x.id);
    return b.reshape(x.id, [
      shape[0] as number,
      ...Array.from({ length: rank - (shape.length - 1) }, () => 1),
      ...shape.slice(1),
    ]);
  });
}
const elementwise =
  <O extends Op>(op: O): Rule<O> =>
  (context, attrs, inputs) =>
    one(context.b.one(op, attrs, align(context, inputs)));
const same =
  <O extends Op>(op: O, next: (attrs: Attributes[O], context: Context, x: Part) => Attributes[O]): Rule<O> =>
  (context, attrs, [x]) =>
    one(context.b.one(op, next(attrs, context, x as Part), [(x as Part).id]));

const RULES: { readonly [O in Op]: Rule<O> } = {
  constant: () => {
    throw new Error('a constant has no inputs');
  },
  iota: () => {
    throw new Error('iota has no inputs');
  },
  unary: same('unary', (attrs) => attrs),
  binary: elementwise('binary'),
  compare: elementwise('compare'),
  select: elementwise('select'),
  reduce: same('reduce', (attrs) => ({ ...attrs, axes: up(attrs.axes) })),
  argReduce: same('argReduce', (attrs) => ({ ...attrs, axis: attrs.axis + 1 })),
  contract: (context, { leftBatch, rightBatch, leftContract, rightContract }, [x, y]) => {
    const { b } = context;
    const [a, c] = [x as Part, y as Part];
    if (a.mapped && c.mapped)
      return one(
        b.one(
          'contract',
          {
            leftBatch: [0, ...up(leftBatch)],
            rightBatch: [0, ...up(rightBatch)],
            leftContract: up(leftContract),
            rightContract: up(rightContract),
          },
          [a.id, c.id],
        ),
      );
    if (a.mapped) {
      const id = b.one(
        'contract',
        { leftBatch: up(leftBatch), rightBatch, leftContract: up(leftContract), rightContract },
        [a.id, c.id],
      );
      const n = leftBatch.length;
      const rank = b.shape(id).length;
      return one(b.transpose(id, [n, ...range(n), ...range(rank).slice(n + 1)]));
    }
    const id = b.one(
      'contract',
      { leftBatch, rightBatch: up(rightBatch), leftContract, rightContract: up(rightContract) },
      [a.id, c.id],
    );
    const rank = b.shape(id).length;
    const at = rankOf(context, a) - leftContract.length;
    return one(b.transpose(id, [at, ...range(rank).filter((axis) => axis !== at)]));
  },
  gather: (context, { axis, batchDims }, [x, indices]) => {
    const { b } = context;
    const [a, c] = [x as Part, indices as Part];
    if (a.mapped && c.mapped) return one(b.one('gather', { axis: axis + 1, batchDims: batchDims + 1 }, [a.id, c.id]));
    if (batchDims > 0)
      return one(
        b.one('gather', { axis: axis + 1, batchDims: batchDims + 1 }, [spread(context, a), spread(context, c)]),
      );
    if (a.mapped) return one(b.one('gather', { axis: axis + 1, batchDims: 0 }, [a.id, c.id]));
    const id = b.one('gather', { axis, batchDims: 0 }, [a.id, c.id]);
    const rank = b.shape(id).length;
    return one(b.transpose(id, [axis, ...range(rank).filter((other) => other !== axis)]));
  },
  scatterAdd: (context, { axis, batchDims, size }, [indices, updates]) =>
    one(
      context.b.one('scatterAdd', { axis: axis + 1, batchDims: batchDims + 1, size }, [
        spread(context, indices as Part),
        spread(context, updates as Part),
      ]),
    ),
  cumulative: same('cumulative', (attrs) => ({ ...attrs, axis: attrs.axis + 1 })),
  reshape: same('reshape', ({ shape }, { particles }) => ({ shape: [particles, ...shape] })),
  transpose: same('transpose', ({ perm }) => ({ perm: [0, ...up(perm)] })),
  slice: same('slice', ({ begin, size, strides }, { particles }) => ({
    begin: [0, ...begin],
    size: [particles, ...size],
    strides: [1, ...strides],
  })),
  pad: same('pad', ({ before, after, value }) => ({ before: [0, ...before], after: [0, ...after], value })),
  concat: (context, { axis }, inputs) =>
    one(
      context.b.one(
        'concat',
        { axis: axis + 1 },
        inputs.map((x) => spread(context, x)),
      ),
    ),
  reverse: same('reverse', ({ axes }) => ({ axes: up(axes) })),
  broadcast: (context, { shape }, [x]) =>
    one(
      context.b.broadcast(
        align(context, [x as Part, { id: (x as Part).id, mapped: false }].slice(0, 1)).map((id) => {
          const own = context.b.shape(id);
          return context.b.reshape(id, [
            own[0] as number,
            ...Array.from({ length: shape.length - own.length + 1 }, () => 1),
            ...own.slice(1),
          ]);
        })[0] as ValueId,
        [context.particles, ...shape],
      ),
    ),
  cast: same('cast', (attrs) => attrs),
  stopGradient: same('stopGradient', (attrs) => attrs),
  size: ({ b }, { axes }, [x]) => [part(b.one('size', { axes: up(axes) }, [(x as Part).id]), false)],
  call: (context, { body, count, mapped }, inputs) => {
    let start = 0;
    const flags: boolean[] = [];
    const flat: ValueId[] = [];
    for (const isMapped of mapped) {
      const own = inputs.slice(start, start + (isMapped ? count : 1));
      start += own.length;
      const isBatched = own.some((x) => x.mapped);
      flags.push(isBatched);
      for (const x of own) flat.push(isBatched ? spread(context, x) : x.id);
    }
    const wide = batchFlags(body, context.particles, flags);
    return context.builder.add('call', { body: wide, count, mapped }, flat).map((id) => part(id));
  },
  customGradient: () => {
    throw new RangeError('Cannot batch customGradient');
  },
  cond: (context, { then, otherwise }, [predicate, ...operands]) => {
    const flags = operands.map((x) => x.mapped);
    const p = predicate as Part;
    const [a, c] = [batchFlags(then, context.particles, flags), batchFlags(otherwise, context.particles, flags)];
    const ids = operands.map((x) => x.id);
    if (!p.mapped) return context.builder.add('cond', { then: a, otherwise: c }, [p.id, ...ids]).map((id) => part(id));
    const [yes, no] = [context.builder.inline(a, ids), context.builder.inline(c, ids)];
    return yes.map((id, index) => {
      const shape = context.b.shape(id);
      return part(
        context.b.select(
          context.b.reshape(p.id, [context.particles, ...shape.slice(1).map(() => 1)]),
          id,
          no[index] as ValueId,
        ),
      );
    });
  },
  scan: (context, { body, length, carries, sequences }, inputs) => {
    const { b, builder } = context;
    const carry = inputs.slice(0, carries).map((x) => spread(context, x));
    const slices = inputs.slice(carries, carries + sequences);
    const rest = inputs.slice(carries + sequences);
    const swap = (id: ValueId): ValueId => b.transpose(id, [1, 0, ...range(b.shape(id).length).slice(2)]);
    const wide = batchFlags(body, context.particles, [
      ...carry.map(() => true),
      ...slices.map((x) => x.mapped),
      ...rest.map((x) => x.mapped),
    ]);
    const outputs = builder.add('scan', { body: wide, length, carries, sequences }, [
      ...carry,
      ...slices.map((x) => (x.mapped ? swap(x.id) : x.id)),
      ...rest.map((x) => x.id),
    ]);
    return outputs.map((id, index) => part(index < carries ? id : swap(id)));
  },
};
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function batchFlags(graph: Graph, particles: number, flags: readonly boolean[]): Graph {
  const builder = new GraphBuilder(graph.name);
  const context: Context = { b: build(builder), builder, particles };
  const parts = new Map<ValueId, Part>();
  graph.inputs.forEach(({ name, value }, index) => {
    const { shape, dtype } = graph.values[value] as ValueType;
    const mapped = flags[index] === true;
    parts.set(value, part(builder.input(name, { shape: mapped ? [particles, ...shape] : shape, dtype }), mapped));
  });
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((id) => parts.get(id) as Part);
    const outputs = inputs.some((x) => x.mapped)
      ? (RULES[node.op] as Rule<Op>)(context, (node as Node).attrs as Attributes[Op], inputs)
      : builder
          .add(
            node.op,
            node.attrs,
            inputs.map((x) => x.id),
            node.place,
          )
          .map((id) => part(id, false));
    node.outputs.forEach((id, index) => parts.set(id, outputs[index] as Part));
  }
  return builder.finish(
    graph.outputs.map(({ name, value }) => ({ name, value: spread(context, parts.get(value) as Part) })),
  );
}

/** Adds a leading particle axis to the inputs in `mapped` and to all outputs. */
export function batch(
  graph: Graph,
  { particles, mapped }: { readonly particles: number; readonly mapped: ReadonlySet<string> },
): Graph {
  void sameShape;
  return batchFlags(
    graph,
    particles,
    graph.inputs.map(({ name }) => mapped.has(name)),
  );
}
