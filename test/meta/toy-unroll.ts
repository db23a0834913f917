import type { HostArray } from '../../jit/graph/graph.ts';
import type { Arrays } from '../../lopt/optimizer.ts';
import type { Task } from '../../tasks/task.ts';
import type { ParticleState, Unroll } from '../../meta/unroll.ts';

/** Dynamics of one inner problem: a state that starts at 0, a loss before each step, and a step that theta drives. */
export interface Toy {
  readonly loss: (x: number, theta: readonly number[]) => number;
  readonly next: (x: number, theta: readonly number[]) => number;
}

/** x grows by theta0 and decays by 10 % a step; the loss is x. */
export const LINEAR: Toy = { loss: (x) => x, next: (x, [a = 0]) => 0.9 * x + a };

/** The same dynamics with loss x^2 / 2. */
export const QUADRATIC: Toy = { loss: (x) => (x * x) / 2, next: (x, [a = 0]) => 0.9 * x + a };

/** A loss that doesn't depend on the inner state: 2 theta0 - 3 theta1. */
export const FLAT: Toy = { loss: (_, [a = 0, b = 0]) => 2 * a - 3 * b, next: (x) => x };

const NOTHING: Task = {
  name: 'toy',
  specs: new Map(),
  noise: {},
  dynamic: new Map(),
  sampleDynamic: () => new Map(),
  init: () => new Map(),
  loss: () => {
    throw new Error('the toy has no traced loss');
  },
  normalize: (loss) => loss,
};

interface ToyState extends ParticleState {
  readonly x: Float64Array;
}

/** theta of a toy, a vector. */
export function toyTheta(...values: number[]): Arrays {
  return new Map([['theta', { shape: [values.length], dtype: 'float32', data: Float32Array.from(values) }]]);
}

/**
 * An unroll whose inner problems are a toy computed in double precision, so that exact meta-gradients are known and ten thousand pairs
 * cost nothing. `lossOf` may replace a loss, to make a particle diverge.
 */
export function createToyUnroll(
  toy: Toy,
  {
    particles,
    windowLength,
    freshRows,
    lossOf = (loss) => loss,
  }: {
    particles: number;
    windowLength: number;
    freshRows: number;
    lossOf?: (loss: number, at: { particle: number; step: number; values: Arrays }) => number;
  },
): Unroll {
  const makeState = (x: Float64Array): ToyState => ({
    x,
    handles: new Map(),
    download: () =>
      Promise.resolve(
        new Map<string, HostArray>([['x', { shape: [particles], dtype: 'float32', data: Float32Array.from(x) }]]),
      ),
    dispose: () => undefined,
  });
  return {
    task: NOTHING,
    inputs: {
      batchSize: undefined,
      validLoss: false,
      metaLoss: 'train',
      noise: new Map(),
      freshNoise: new Map(),
      dynamic: new Map(),
    },
    windowLength,
    particles,
    freshRows,
    mappedValues: new Set(['theta']),
    graph: { name: 'toy', inputs: [], nodes: [], outputs: [], values: [] },
    emptyState: () => makeState(new Float64Array(particles)),
    uploadState: (arrays) => makeState(Float64Array.from(arrays.get('x')?.data ?? [])),
    window: ({ values, state, plan }) => {
      const x = Float64Array.from((state as ToyState).x);
      const losses = new Float32Array(windowLength * particles);
      const mask = new Float32Array(windowLength * particles).fill(1);
      const theta = values.get('theta')?.data ?? [];
      const size = theta.length / particles;
      const reset = plan.get('reset')?.data ?? [];
      for (let particle = 0; particle < particles; particle += 1) {
        const own = Array.from(theta.slice(particle * size, (particle + 1) * size));
        for (let step = 0; step < windowLength; step += 1) {
          if ((reset[particle * windowLength + step] ?? -1) >= 0) x[particle] = 0;
          const loss = lossOf(toy.loss(x[particle] ?? 0, own), { particle, step, values });
          losses[step * particles + particle] = loss;
          if (!Number.isFinite(loss)) mask[step * particles + particle] = 0;
          x[particle] = toy.next(x[particle] ?? 0, own);
        }
      }
      return Promise.resolve({ state: makeState(x), losses, rawLosses: losses, mask });
    },
    evaluate: () => Promise.resolve(new Map()),
    rearrange: (state, sources) =>
      Promise.resolve(makeState(Float64Array.from(sources, (source) => (state as ToyState).x[source] ?? 0))),
    dispose: () => undefined,
  };
}
