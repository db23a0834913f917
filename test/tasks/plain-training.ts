import { normal } from '../../jit/random/draws.ts';
import { type Key, fold } from '../../jit/random/key.ts';
import { batchRows } from '../../tasks/batches.ts';
import type { TaskData } from '../../tasks/task.ts';

/** Weights of a network of dense layers with relu between them, in plain arrays. */
interface Layer {
  readonly fanIn: number;
  readonly fanOut: number;
  /** Kernel `[in, out]`, then bias `[out]`. */
  readonly weights: Float64Array;
  readonly gradient: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** Accuracy on the three splits that aren't train of a network trained with Adam, its rate falling linearly to 0. Plain loops in double precision: shares nothing with the tasks but their data. */
export function plainAccuracy(
  data: TaskData,
  {
    hidden,
    classes,
    rate,
    steps,
    key,
  }: {
    readonly hidden: readonly number[];
    readonly classes: number;
    readonly rate: number;
    readonly steps: number;
    readonly key: Key;
  },
): number {
  const images = Float64Array.from(data.resident.get('images')?.data ?? []);
  const labels = data.resident.get('labels')?.data ?? [];
  const inputs = images.length / labels.length;
  const widths = [inputs, ...hidden, classes];
  const layers = widths.slice(1).map((fanOut, i): Layer => {
    const fanIn = widths[i] ?? 0;
    const weights = new Float64Array((fanIn + 1) * fanOut);
    normal(fold(key, i), fanIn * fanOut).forEach((z, at) => {
      weights[at] = z / Math.sqrt(fanIn);
    });
    const zeros = (): Float64Array => new Float64Array(weights.length);
    return { fanIn, fanOut, weights, gradient: zeros(), first: zeros(), second: zeros() };
  });
  for (let step = 0; step < steps; step += 1) {
    const rows = batchRows(data, { split: 'train', key, index: step });
    for (const layer of layers) layer.gradient.fill(0);
    for (const row of rows)
      backward(
        layers,
        forward(layers, images.subarray(row * inputs, (row + 1) * inputs)),
        labels[row]!,
        1 / rows.length,
      );
    adam(layers, { rate: rate * (1 - step / steps), step });
  }
  return accuracy(layers, { data, images, labels, inputs });
}

function accuracy(
  layers: readonly Layer[],
  { data, images, labels, inputs }: { data: TaskData; images: Float64Array; labels: ArrayLike<number>; inputs: number },
): number {
  let right = 0;
  let seen = 0;
  for (const split of ['innerValid', 'outerValid', 'test'] as const)
    for (let i = 0; i < data.size(split); i += 1) {
      const row = data.row(split, i);
      const logits = forward(layers, images.subarray(row * inputs, (row + 1) * inputs)).at(-1) ?? new Float64Array();
      if (logits.indexOf(Math.max(...logits)) === labels[row]) right += 1;
      seen += 1;
    }
  return right / seen;
}

/** The input and every layer's output, activations applied. */
function forward(layers: readonly Layer[], input: Float64Array): Float64Array[] {
  const outputs = [input];
  layers.forEach(({ fanIn, fanOut, weights }, depth) => {
    const x = outputs[depth]!;
    const y = weights.slice(fanIn * fanOut);
    for (let i = 0; i < fanIn; i += 1) {
      const value = x[i]!;
      if (value !== 0) for (let o = 0; o < fanOut; o += 1) y[o] = y[o]! + value * weights[i * fanOut + o]!;
    }
    outputs.push(depth === layers.length - 1 ? y : y.map((z) => Math.max(0, z)));
  });
  return outputs;
}

/** Adds the gradient of one example's cross entropy, times a scale. */
function backward(layers: readonly Layer[], outputs: readonly Float64Array[], label: number, scale: number): void {
  const logits = outputs.at(-1)!;
  const most = Math.max(...logits);
  const exps = logits.map((z) => Math.exp(z - most));
  const total = exps.reduce((sum, e) => sum + e, 0);
  let upstream = exps.map((e, o) => scale * (e / total - (o === label ? 1 : 0)));
  for (let depth = layers.length - 1; depth >= 0; depth -= 1) {
    const { fanIn, fanOut, weights, gradient } = layers[depth]!;
    const x = outputs[depth]!;
    const down = new Float64Array(fanIn);
    for (let i = 0; i < fanIn; i += 1) {
      let sum = 0;
      for (let o = 0; o < fanOut; o += 1) {
        gradient[i * fanOut + o] = gradient[i * fanOut + o]! + x[i]! * upstream[o]!;
        sum += weights[i * fanOut + o]! * upstream[o]!;
      }
      down[i] = x[i]! > 0 ? sum : 0;
    }
    for (let o = 0; o < fanOut; o += 1) gradient[fanIn * fanOut + o] = gradient[fanIn * fanOut + o]! + upstream[o]!;
    upstream = down;
  }
}

function adam(layers: readonly Layer[], { rate, step }: { rate: number; step: number }): void {
  const bias1 = 1 - 0.9 ** (step + 1);
  const bias2 = 1 - 0.999 ** (step + 1);
  for (const { weights, gradient, first, second } of layers)
    for (let i = 0; i < weights.length; i += 1) {
      const g = gradient[i]!;
      first[i] = 0.9 * first[i]! + 0.1 * g;
      second[i] = 0.999 * second[i]! + 0.001 * g * g;
      weights[i] = weights[i]! - (rate * (first[i]! / bias1)) / (Math.sqrt(second[i]! / bias2) + 1e-8);
    }
}
