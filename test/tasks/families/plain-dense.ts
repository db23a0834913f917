import type { Tensors } from '../../../lopt/optimizer.ts';
import type { Activation } from '../../../tasks/families/activations.ts';

const ACTIVATE: Readonly<Record<Activation, (x: number) => number>> = {
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  softplus: (x) => Math.log1p(Math.exp(x)),
};

/** Outputs of a network of dense layers for rows of inputs, in plain loops and double precision. */
export function plainDense(
  params: Tensors,
  rows: readonly (readonly number[])[],
  { activation, norm }: { readonly activation: Activation; readonly norm: 'none' | 'layer' },
): readonly (readonly number[])[] {
  const values = (path: string): readonly number[] => [...(params.get(path)?.dataSync() ?? [])];
  const depth = [...params.keys()].filter((path) => path.endsWith('/kernel')).length;
  return rows.map((row) => {
    let x = row;
    for (let layer = 0; layer < depth; layer += 1) {
      const kernel = values(`layer${layer}/kernel`);
      const input = x;
      let y = values(`layer${layer}/bias`).map((bias, out, { length }) =>
        input.reduce((sum, value, i) => sum + value * (kernel[i * length + out] ?? NaN), bias),
      );
      if (layer < depth - 1) {
        if (norm === 'layer') {
          const scale = values(`norm${layer}/scale`);
          const offset = values(`norm${layer}/offset`);
          const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
          const variance = y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / y.length;
          y = y.map(
            (value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * (scale[i] ?? NaN) + (offset[i] ?? NaN),
          );
        }
        y = y.map(ACTIVATE[activation]);
      }
      x = y;
    }
    return x;
  });
}
