import type { ParamSpec, ParamSpecs } from '../../lopt/optimizer.ts';
import { UsageError } from '../cli/option.ts';

/** Widths of the networks whose parameters stand for a size, biases included: 2,410 parameters, 101,770, 997,962 and 10,022,794. */
export const SIZES: ReadonlyMap<string, readonly number[]> = new Map([
  ['2410', [64, 32, 10]],
  ['100k', [784, 128, 10]],
  ['1m', [784, 640, 512, 320, 10]],
  ['10m', [784, 3072, 2048, 640, 10]],
]);

/** Sizes from a list such as 2410,100k,1m. */
export function readSizes(text: string, name: string): readonly string[] {
  const names = text.split(',');
  for (const size of names)
    if (!SIZES.has(size))
      throw new UsageError(
        `Cannot read ${name}: expected sizes among ${[...SIZES.keys()].join(', ')}, separated by commas, but got ${JSON.stringify(text)}`,
      );
  return names;
}

/** Parameters of a multi-layer perceptron of these widths. */
export function mlpSpecs(widths: readonly number[]): ParamSpecs {
  const layers = widths.slice(1).map((width, layer): readonly ParamSpec[] => {
    const role = layer === 0 ? 'input' : layer === widths.length - 2 ? 'output' : 'hidden';
    const fanIn = widths[layer] ?? 1;
    return [
      { path: `dense${layer}/kernel`, shape: [fanIn, width], dtype: 'float32', role, fanIn, fanOut: width },
      { path: `dense${layer}/bias`, shape: [width], dtype: 'float32', role: 'bias' },
    ];
  });
  return new Map(layers.flat().map((spec) => [spec.path, spec]));
}
