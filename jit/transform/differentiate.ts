import type { GraphBuilder } from '../graph/builder.ts';
import { type Attributes, type Graph, type Node, type Op, type ValueId, sameShape } from '../graph/graph.ts';
import { build, type Build } from './expressions.ts';

/** The cotangents of a node's inputs from those of its outputs; undefined where the derivative is zero. */
type Derivative<O extends Op> = (
  b: Build,
  attrs: Attributes[O],
  inputs: readonly ValueId[],
  outputs: readonly ValueId[],
  cotangents: readonly ValueId[],
) => readonly (ValueId | undefined)[];

const zero = (): readonly undefined[] => [];
const notThere = (op: string) => (): never => {
  throw new RangeError(`Cannot differentiate ${op}: expected it not on a path from parameters to the loss`);
};

function unaryDerivative(
  b: Build,
  fn: Attributes['unary']['fn'],
  x: ValueId,
  y: ValueId,
  dy: ValueId,
): ValueId | undefined {
  const one = b.number(1);
  switch (fn) {
    case 'neg':
      return b.neg(dy);
    case 'abs':
      return b.mul(dy, b.unary('sign', x));
    case 'exp':
      return b.mul(dy, y);
    case 'expm1':
      return b.mul(dy, b.unary('exp', x));
    case 'log':
      return b.div(dy, x);
    case 'log1p':
      return b.div(dy, b.add(x, one));
    case 'sqrt':
      return b.select(b.compare('equal', y, b.number(0)), b.mul(dy, b.number(0)), b.div(dy, b.mul(y, b.number(2))));
    case 'rsqrt':
      return b.div(b.neg(dy), b.mul(b.binary('mul', x, b.unary('sqrt', x)), b.number(2)));
    case 'reciprocal':
      return b.neg(b.mul(dy, b.mul(y, y)));
    case 'sin':
      return b.mul(dy, b.unary('cos', x));
    case 'cos':
      return b.neg(b.mul(dy, b.unary('sin', x)));
    case 'tan':
      return b.mul(dy, b.add(one, b.mul(y, y)));
    case 'asin':
      return b.div(dy, b.unary('sqrt', b.sub(one, b.mul(x, x))));
    case 'acos':
      return b.neg(b.div(dy, b.unary('sqrt', b.sub(one, b.mul(x, x)))));
    case 'atan':
      return b.div(dy, b.add(one, b.mul(x, x)));
    case 'sinh':
      return b.mul(dy, b.unary('cosh', x));
    case 'cosh':
      return b.mul(dy, b.unary('sinh', x));
    case 'tanh':
      return b.mul(dy, b.sub(one, b.mul(y, y)));
    case 'asinh':
      return b.div(dy, b.unary('sqrt', b.add(one, b.mul(x, x))));
    case 'acosh':
      return b.div(dy, b.unary('sqrt', b.sub(b.mul(x, x), one)));
    case 'atanh':
      return b.div(dy, b.sub(one, b.mul(x, x)));
    case 'sigmoid':
      return b.mul(dy, b.mul(y, b.sub(one, y)));
    case 'softplus':
      return b.mul(dy, b.unary('sigmoid', x));
    case 'erf':
      return b.mul(dy, b.mul(b.number(1.1283791670955126), b.unary('exp', b.neg(b.mul(x, x)))));
    case 'relu':
      return b.mul(dy, b.cast(b.compare('greater', x, b.number(0)), 'float32'));
    case 'sign':
    case 'floor':
    case 'ceil':
    case 'round':
    case 'not':
    case 'isNan':
    case 'isInf':
    case 'isFinite':
      return undefined;
  }
}

function binaryDerivative(
  b: Build,
  fn: Attributes['binary']['fn'],
  x: ValueId,
  y: ValueId,
  z: ValueId,
  dz: ValueId,
): readonly (ValueId | undefined)[] {
  const to = (value: ValueId, like: ValueId): ValueId => b.sumTo(value, b.shape(like));
  const where = (c: ValueId): ValueId => b.mul(dz, b.cast(c, 'float32'));
  switch (fn) {
    case 'add':
      return [to(dz, x), to(dz, y)];
    case 'sub':
      return [to(dz, x), to(b.neg(dz), y)];
    case 'mul':
      return [to(b.mul(dz, y), x), to(b.mul(dz, x), y)];
    case 'div':
      return [to(b.div(dz, y), x), to(b.neg(b.div(b.mul(dz, x), b.mul(y, y))), y)];
    case 'max':
      return [to(where(b.compare('greaterEqual', x, y)), x), to(where(b.compare('less', x, y)), y)];
    case 'min':
      return [to(where(b.compare('lessEqual', x, y)), x), to(where(b.compare('greater', x, y)), y)];
    case 'pow': {
      const dx = b.mul(dz, b.mul(y, b.binary('pow', x, b.sub(y, b.number(1)))));
      const positive = b.compare('greater', x, b.number(0));
      const log = b.select(positive, b.unary('log', x), b.mul(x, b.number(0)));
      return [to(dx, x), to(b.mul(dz, b.mul(z, log)), y)];
    }
    case 'atan2': {
      const d = b.add(b.mul(x, x), b.mul(y, y));
      return [to(b.mul(dz, b.div(y, d)), x), to(b.neg(b.mul(dz, b.div(x, d))), y)];
    }
    case 'mod':
      return [to(dz, x), to(b.mul(dz, b.neg(b.unary('floor', b.div(x, y)))), y)];
    case 'floorDiv':
    case 'and':
    case 'or':
    case 'xor':
      return [];
  }
}

const DERIVATIVES: { readonly [O in Op]: Derivative<O> } = {
  constant: zero,
  compare: zero,
  argReduce: zero,
  iota: zero,
  size: zero,
  stopGradient: zero,
  unary: (b, { fn }, [x], [y], [dy]) => [unaryDerivative(b, fn, x as ValueId, y as ValueId, dy as ValueId)],
  binary: (b, { fn }, [x, y], [z], [dz]) =>
    binaryDerivative(b, fn, x as ValueId, y as ValueId, z as ValueId, dz as ValueId),
  select: (b, _, [c, x, y], _o, [dz]) => {
    const none = b.number(0);
    return [
      undefined,
      b.sumTo(b.select(c as ValueId, dz as ValueId, none), b.shape(x as ValueId)),
      b.sumTo(b.select(c as ValueId, none, dz as ValueId), b.shape(y as ValueId)),
    ];
  },
  reduce: (b, { fn, axes }, [x], [y], [dy]) => {
    const shape = b.shape(x as ValueId);
    const kept = shape.map((d, axis) => (axes.includes(axis) ? 1 : d));
    const spread = b.broadcast(b.reshape(dy as ValueId, kept), shape);
    const count = b.one('size', { axes }, [x as ValueId]);
    if (fn === 'sum') return [spread];
    if (fn === 'mean') return [b.div(spread, count)];
    if (fn === 'max' || fn === 'min')
      return [b.mul(spread, b.cast(b.compare('equal', x as ValueId, b.reshape(y as ValueId, kept)), 'float32'))];
    return notThere(`reduce ${fn}`)();
  },
  contract: (b, { leftBatch, rightBatch, leftContract, rightContract }, [x, y], _, [dz]) => {
    const rankX = b.shape(x as ValueId).length;
    const rankY = b.shape(y as ValueId).length;
    const n = leftBatch.length;
    const freeX = range(rankX).filter((a) => !leftBatch.includes(a) && !leftContract.includes(a));
    const freeY = range(rankY).filter((a) => !rightBatch.includes(a) && !rightContract.includes(a));
    const zFreeX = freeX.map((_f, i) => n + i);
    const zFreeY = freeY.map((_f, i) => n + freeX.length + i);
    // dx = dz . y over y's free axes: axes come as batch, x's free, then y's contracted axes in y's order
    const dx = b.one('contract', { leftBatch: range(n), rightBatch, leftContract: zFreeY, rightContract: freeY }, [
      dz as ValueId,
      y as ValueId,
    ]);
    const orderY = rightContract
      .map((_a, i) => i)
      .sort((i, j) => (rightContract[i] as number) - (rightContract[j] as number));
    const axesX = [...leftBatch, ...freeX, ...orderY.map((i) => leftContract[i] as number)];
    const dy = b.one(
      'contract',
      { leftBatch: range(n), rightBatch: leftBatch, leftContract: zFreeX, rightContract: freeX },
      [dz as ValueId, x as ValueId],
    );
    const orderX = leftContract
      .map((_a, i) => i)
      .sort((i, j) => (leftContract[i] as number) - (leftContract[j] as number));
    const axesY = [...rightBatch, ...freeY, ...orderX.map((i) => rightContract[i] as number)];
    return [b.transpose(dx, inverse(axesX)), b.transpose(dy, inverse(axesY))];
  },
  gather: (b, { axis, batchDims }, [x, indices], _, [dy]) => [
    b.one('scatterAdd', { axis, batchDims, size: b.shape(x as ValueId)[axis] as number }, [
      indices as ValueId,
      dy as ValueId,
    ]),
    undefined,
  ],
  scatterAdd: (b, { axis, batchDims }, [indices], _, [dy]) => [
    undefined,
    b.one('gather', { axis, batchDims }, [dy as ValueId, indices as ValueId]),
  ],
  cumulative: (b, attrs, _, _o, [dy]) =>
    attrs.fn === 'sum'
      ? [b.one('cumulative', { ...attrs, reverse: !attrs.reverse }, [dy as ValueId])]
      : notThere('cumulative prod')(),
  reshape: (b, _, [x], _o, [dy]) => [b.reshape(dy as ValueId, b.shape(x as ValueId))],
  transpose: (b, { perm }, _, _o, [dy]) => [b.transpose(dy as ValueId, inverse(perm))],
  slice: (b, { begin, size, strides }, [x], _, [dy]) => {
    if (strides.some((s) => s !== 1)) return notThere('a slice with strides')();
    const shape = b.shape(x as ValueId);
    return [
      b.one(
        'pad',
        { before: begin, after: shape.map((d, a) => d - (begin[a] as number) - (size[a] as number)), value: 0 },
        [dy as ValueId],
      ),
    ];
  },
  pad: (b, { before }, [x], _, [dy]) => [b.slice(dy as ValueId, before, b.shape(x as ValueId))],
  concat: (b, { axis }, inputs, _, [dy]) => {
    let begin = 0;
    return inputs.map((x) => {
      const shape = b.shape(x);
      const first = shape.map((_d, a) => (a === axis ? begin : 0));
      begin += shape[axis] as number;
      return b.slice(dy as ValueId, first, shape);
    });
  },
  reverse: (b, { axes }, _, _o, [dy]) => [b.one('reverse', { axes }, [dy as ValueId])],
  broadcast: (b, _, [x], _o, [dy]) => [b.sumTo(dy as ValueId, b.shape(x as ValueId))],
  cast: (b, { dtype }, [x], _, [dy]) => (dtype === 'float32' && b.type(x as ValueId).dtype === 'float32' ? [dy] : []),
  call: notThere('mapTensors'),
  customGradient: notThere('customGradient'),
  cond: notThere('cond'),
  scan: notThere('scan'),
};

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const inverse = (perm: readonly number[]): number[] => {
  const back = [...perm];
  perm.forEach((axis, i) => {
    back[axis] = i;
  });
  return back;
};

/** Appends the reverse pass of the nodes from `since` on; gives one gradient for each value of `wrt`. */
export function appendGradient(
  builder: GraphBuilder,
  {
    outputs,
    cotangents,
    wrt,
    since,
  }: {
    readonly outputs: readonly ValueId[];
    readonly cotangents: readonly ValueId[];
    readonly wrt: readonly ValueId[];
    readonly since: number;
  },
): readonly ValueId[] {
  const b = build(builder);
  const forward = builder.nodes.slice(since);
  const reached = new Set<ValueId>(wrt);
  for (const node of forward)
    if (node.inputs.some((id) => reached.has(id) && builder.type(id).dtype === 'float32'))
      for (const id of node.outputs) reached.add(id);
  const sums = new Map<ValueId, ValueId>();
  const accumulate = (id: ValueId, cotangent: ValueId): void => {
    const before = sums.get(id);
    sums.set(id, before === undefined ? cotangent : b.add(before, cotangent));
  };
  outputs.forEach((id, index) => accumulate(id, cotangents[index] as ValueId));
  for (const node of [...forward].reverse()) {
    if (!node.outputs.some((id) => reached.has(id) && sums.has(id))) continue;
    const given = node.outputs.map((id) => sums.get(id) ?? b.zeros(id));
    const rule = DERIVATIVES[node.op] as Derivative<Op>;
    const gradients = rule(b, (node as Node).attrs as Attributes[Op], node.inputs, node.outputs, given);
    gradients.forEach((gradient, index) => {
      const id = node.inputs[index] as ValueId;
      if (gradient !== undefined && reached.has(id)) accumulate(id, gradient);
    });
  }
  return wrt.map((id) => {
    const sum = sums.get(id);
    return sum === undefined ? b.zeros(id) : sameShape(b.shape(sum), b.shape(id)) ? sum : b.broadcast(sum, b.shape(id));
  });
}

/** The graph with its gradients: outputs are `value`, then `gradient/<input>`. */
export function gradientGraph(
  graph: Graph,
  { output, wrt }: { readonly output: string; readonly wrt: readonly string[] },
): Graph {
  const { builder, outputs } = copy(graph);
  const value = outputs.get(output) as ValueId;
  const seed = builder.splat(1, builder.type(value).shape);
  const ids = wrt.map((name) => builder.inputs.find((port) => port.name === name)?.value as ValueId);
  const gradients = appendGradient(builder, { outputs: [value], cotangents: [seed], wrt: ids, since: 0 });
  return builder.finish([
    { name: 'value', value },
    ...wrt.map((name, index) => ({ name: `gradient/${name}`, value: gradients[index] as ValueId })),
  ]);
}

import { GraphBuilder as Builder } from '../graph/builder.ts';
function copy(graph: Graph): { builder: Builder; outputs: Map<string, ValueId> } {
  const builder = new Builder(graph.name);
  const inputs = graph.inputs.map(({ name, value }) =>
    builder.input(name, graph.values[value] as { shape: number[]; dtype: 'float32' }),
  );
  const outputs = builder.inline(graph, inputs);
  return { builder, outputs: new Map(graph.outputs.map(({ name }, index) => [name, outputs[index] as ValueId])) };
}
