import type { Attributes, ValueId } from '../../graph/graph.ts';
import { sizeOf } from '../../graph/graph.ts';
import { type Build, inverse } from '../expressions.ts';
import { type Derivative, at, noDerivative } from './derivative.ts';

/** A value put where a slice with strides took it from, zeros elsewhere. */
function scatterSlice(
  b: Build,
  {
    attrs: { begin, size, strides },
    shape,
    dy,
  }: { readonly attrs: Attributes['slice']; readonly shape: readonly number[]; readonly dy: ValueId },
): ValueId {
  if (sizeOf(size) === 0) return b.zeros({ shape, dtype: 'float32' });
  let spaced = dy;
  if (strides.some((stride) => stride !== 1)) {
    // Each axis gets one behind it, filled up with zeros to the stride; the zeros after the last element are cut off.
    const split = b.reshape(
      dy,
      size.flatMap((d) => [d, 1]),
    );
    const none = size.flatMap(() => [0, 0]);
    const gaps = b.pad(
      split,
      none,
      strides.flatMap((stride) => [0, stride - 1]),
    );
    const wide = b.reshape(
      gaps,
      size.map((d, axis) => d * at(strides, axis)),
    );
    spaced = b.slice(
      wide,
      size.map(() => 0),
      size.map((d, axis) => (d - 1) * at(strides, axis) + 1),
    );
  }
  const after = b.shape(spaced).map((d, axis) => at(shape, axis) - at(begin, axis) - d);
  return b.pad(spaced, begin, after);
}

export const LAYOUT_DERIVATIVES: {
  readonly [
    O in
      | 'gather'
      | 'scatterAdd'
      | 'reshape'
      | 'transpose'
      | 'slice'
      | 'pad'
      | 'concat'
      | 'reverse'
      | 'broadcast'
      | 'constant'
      | 'iota'
      | 'size'
  ]: Derivative<O>;
} = {
  gather: ({ b }, { attrs: { axis, batchDims }, inputs: [x = 0, indices = 0], cotangents }) => [
    b.one('scatterAdd', { axis, batchDims, size: at(b.shape(x), axis) }, [indices, at(cotangents, 0)]),
  ],
  scatterAdd: ({ b }, { attrs: { axis, batchDims }, inputs: [indices = 0], cotangents }) => [
    undefined,
    b.one('gather', { axis, batchDims }, [at(cotangents, 0), indices]),
  ],
  reshape: ({ b }, { inputs, cotangents }) => [b.reshape(at(cotangents, 0), b.shape(at(inputs, 0)))],
  transpose: ({ b }, { attrs: { perm }, cotangents }) => [b.transpose(at(cotangents, 0), inverse(perm))],
  slice: ({ b }, { attrs, inputs, cotangents }) => [
    scatterSlice(b, { attrs, shape: b.shape(at(inputs, 0)), dy: at(cotangents, 0) }),
  ],
  pad: ({ b }, { attrs: { before }, inputs, cotangents }) => [
    b.slice(at(cotangents, 0), before, b.shape(at(inputs, 0))),
  ],
  concat: ({ b }, { attrs: { axis }, inputs, cotangents, wanted }) => {
    let start = 0;
    return inputs.map((x, index) => {
      const shape = b.shape(x);
      const begin = shape.map((_, each) => (each === axis ? start : 0));
      start += at(shape, axis);
      return wanted[index] === true ? b.slice(at(cotangents, 0), begin, shape) : undefined;
    });
  },
  reverse: ({ b }, { attrs: { axes }, cotangents }) => [b.reverse(at(cotangents, 0), axes)],
  broadcast: ({ b }, { inputs, cotangents }) => [b.sumTo(at(cotangents, 0), b.shape(at(inputs, 0)))],
  constant: noDerivative,
  iota: noDerivative,
  size: noDerivative,
};
