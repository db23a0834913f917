import type { Attributes, ValueId } from '../../graph/graph.ts';
import { sizeOf } from '../../graph/graph.ts';
import { type Build, extentsOf, inverse, range } from '../expressions.ts';
import { type Derivative, at, noDerivative } from './derivative.ts';
import { masked } from './elementwise.ts';

/** The derivative of a product by each factor: the product of those before times the product of those after, right also among zeros. */
function productDerivative(
  b: Build,
  { x, dy, axes }: { readonly x: ValueId; readonly dy: ValueId; readonly axes: readonly number[] },
): ValueId {
  // As one last axis of factors: [kept..., factor].
  const shape = b.shape(x);
  const kept = range(shape.length).filter((axis) => !axes.includes(axis));
  const perm = [...kept, ...axes];
  const keptShape = extentsOf(shape, kept);
  const flat = b.reshape(b.transpose(x, perm), [...keptShape, sizeOf(extentsOf(shape, axes))]);
  const products = (reverse: boolean): ValueId =>
    b.one('cumulative', { fn: 'prod', axis: kept.length, exclusive: true, reverse }, [flat]);
  const others = b.mul(products(false), products(true));
  const dx = b.mul(b.reshape(dy, [...keptShape, 1]), others);
  return b.transpose(b.reshape(dx, extentsOf(shape, perm)), inverse(perm));
}

/**
 * The derivative of cumulative products, right also among zeros. By factor k, output i changes by the product of the factors before k
 * times that of those from k to i without k: the latter for all pairs is the cumulative product along i of a table that holds 1 up to k.
 */
function cumulativeProductDerivative(
  b: Build,
  { attrs, x, dy }: { readonly attrs: Attributes['cumulative']; readonly x: ValueId; readonly dy: ValueId },
): ValueId {
  const { axis, exclusive, reverse } = attrs;
  const shape = b.shape(x);
  const extent = shape[axis] as number;
  // Axis k goes before axis i.
  const pairs = shape.toSpliced(axis, 1, extent, extent);
  const alongI = shape.toSpliced(axis, 1, 1, extent);
  const isAxis = (which: number) => pairs.map((d, each) => (each === which ? d : 1));
  const k = b.one('iota', { shape: isAxis(axis), axis, dtype: 'int32' }, []);
  const i = b.one('iota', { shape: isAxis(axis + 1), axis: axis + 1, dtype: 'int32' }, []);
  const after = b.compare(reverse ? 'less' : 'greater', i, k);
  const reached = exclusive ? after : b.compare(reverse ? 'lessEqual' : 'greaterEqual', i, k);
  const factors = b.broadcast(b.select(after, b.reshape(x, alongI), b.number(1)), pairs);
  const between = b.one('cumulative', { fn: 'prod', axis: axis + 1, exclusive, reverse }, [factors]);
  const weighted = b.select(reached, b.mul(between, b.reshape(dy, alongI)), b.number(0));
  const sum = b.one('reduce', { fn: 'sum', axes: [axis + 1], keepDims: false }, [weighted]);
  return b.mul(sum, b.one('cumulative', { fn: 'prod', axis, exclusive: true, reverse }, [x]));
}

export const REDUCTION_DERIVATIVES: {
  readonly [O in 'reduce' | 'argReduce' | 'cumulative']: Derivative<O>;
} = {
  /** Every element that equals the largest (smallest) gets its cotangent, as in TensorFlow.js. */
  reduce: ({ b }, { attrs: { fn, axes }, inputs, outputs, cotangents }) => {
    const [x, y, dy] = [at(inputs, 0), at(outputs, 0), at(cotangents, 0)];
    const shape = b.shape(x);
    const kept = shape.map((d, axis) => (axes.includes(axis) ? 1 : d));
    const spread = (value: ValueId): ValueId => b.broadcast(b.reshape(value, kept), shape);
    switch (fn) {
      case 'sum':
        return [spread(dy)];
      case 'mean':
        return [spread(b.div(dy, b.one('size', { axes }, [x])))];
      case 'max':
      case 'min':
        return [masked(b, b.reshape(dy, kept), b.compare('equal', x, b.reshape(y, kept)))];
      case 'prod':
        return [productDerivative(b, { x, dy, axes })];
      case 'any':
      case 'all':
        break;
    }
    return [];
  },
  argReduce: noDerivative,
  cumulative: ({ b }, { attrs, inputs, cotangents }) => {
    const [x, dy] = [at(inputs, 0), at(cotangents, 0)];
    if (attrs.fn === 'prod') return [cumulativeProductDerivative(b, { attrs, x, dy })];
    return [b.one('cumulative', { ...attrs, reverse: !attrs.reverse }, [dy])];
  },
};
