/** The layers of a learned optimizer's network: leaves of theta named `layer<i>/kernel` [in, out] and `layer<i>/bias` [out]. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Layer } from '../features/feature-network.ts';
import type { Tensors, ThetaLeaf } from '../optimizer.ts';

/**
 * Leaves of dense layers from `from` on. `widths` has each layer's inputs, then the last one's outputs; kernels start as truncated normals
 * of scale 1 / sqrt(inputs), biases at zero. `published(index)` gives the published names.
 */
export function denseLeaves(
  widths: readonly number[],
  {
    from = 0,
    published,
  }: { readonly from?: number; readonly published: (index: number) => Readonly<Record<'kernel' | 'bias', string>> },
): readonly ThetaLeaf[] {
  return widths.slice(0, -1).flatMap((inputs, offset): readonly ThetaLeaf[] => {
    const index = from + offset;
    const outputs = widths[offset + 1] ?? inputs;
    const names = published(index);
    return [
      {
        path: `layer${index}/kernel`,
        shape: [inputs, outputs],
        init: { kind: 'truncatedNormal', scale: 1 / Math.sqrt(inputs) },
        published: names.kernel,
      },
      { path: `layer${index}/bias`, shape: [outputs], init: { kind: 'zeros' }, published: names.bias },
    ];
  });
}

/** One layer from a program's values. */
export function layerOf(values: Tensors, index: number): Layer {
  return { kernel: leafOf(values, `layer${index}/kernel`), bias: leafOf(values, `layer${index}/bias`) };
}

/** A leaf of theta from a program's values. @throws RangeError where it is missing. */
export function leafOf(values: Tensors, path: string): Tensor {
  const leaf = values.get(path);
  if (leaf === undefined)
    throw new RangeError(`Cannot update: expected values to have theta’s leaf ${path} but it is missing`);
  return leaf;
}

/** Layers as members of a flat record, for a rule's shared tensors: `kernel<i>` and `bias<i>`, from 1. */
export function layerRecord(layers: readonly Layer[]): Record<string, Tensor> {
  return Object.fromEntries(
    layers.flatMap(({ kernel, bias }, index) => [
      [`kernel${index + 1}`, kernel],
      [`bias${index + 1}`, bias],
    ]),
  );
}

/** The layers of such a record. */
export function layersOf(record: Readonly<Record<string, Tensor>>, count: number): readonly Layer[] {
  return Array.from({ length: count }, (_, index) => ({
    kernel: sharedTensor(record, `kernel${index + 1}`),
    bias: sharedTensor(record, `bias${index + 1}`),
  }));
}

/** A member of a rule's shared tensors. @throws RangeError where it is missing. */
export function sharedTensor(record: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = record[name];
  if (tensor === undefined)
    throw new RangeError(`Cannot update: expected shared tensors to have ${name} but it is missing`);
  return tensor;
}
