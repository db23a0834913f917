import { describe, expect, it } from 'vitest';
import { fold, rootKey } from '../../../jit/random/key.ts';
import type { Arrays } from '../../../lopt/optimizer.ts';
import type { Estimator, Part } from '../../../meta/estimators/estimator.ts';
import { type PairOptions, type PairState, meanOfParts } from '../../../meta/estimators/pair-groups.ts';
import { createTruncatedEs } from '../../../meta/estimators/truncated-es.ts';
import { createTruncatedPes } from '../../../meta/estimators/truncated-pes.ts';
import { drawPerturbation } from '../../../meta/perturbation.ts';
import { resetCapacity } from '../../../meta/trajectory.ts';
import { FLAT, LINEAR, QUADRATIC, type Toy, createToyUnroll, toyTheta } from '../toy-unroll.ts';

const KEY = rootKey(0);

function options(
  toy: Toy,
  { pairs, windowLength, length, sigma = 0.1, groupSize = 2 * pairs, lossOf }: Setting,
): PairOptions {
  const schedule = { min: length, max: length, stagger: 0 };
  const freshRows = (groupSize / 2) * resetCapacity({ windowLength, schedule });
  return {
    unroll: createToyUnroll(toy, { particles: groupSize, windowLength, freshRows, ...(lossOf ? { lossOf } : {}) }),
    values: new Map([['theta', { shape: [2], dtype: 'float32', data: new Float32Array(2) }]]),
    pairs,
    sigma,
    schedule,
  };
}

interface Setting {
  readonly pairs: number;
  readonly windowLength: number;
  readonly length: number;
  readonly sigma?: number;
  readonly groupSize?: number;
  readonly lossOf?: Parameters<typeof createToyUnroll>[1]['lossOf'];
}

async function run(
  estimator: Estimator<PairState>,
  theta: Arrays,
  windows: number,
): Promise<{ gradients: Float32Array[]; parts: (readonly Part[])[] }> {
  const gradients: Float32Array[] = [];
  const parts: (readonly Part[])[] = [];
  let state = estimator.init();
  for (let window = 0; window < windows; window += 1) {
    const measured = await estimator.measure(theta, { state, key: fold(KEY, window) });
    state = measured.state;
    parts.push(measured.parts);
    gradients.push(estimator.combine(theta, measured.parts).gradient.get('theta')?.data as Float32Array);
  }
  return { gradients, parts };
}

/** Standard error of an estimate's mean over pairs, for each element, from its parts one by one. */
function standardErrors(estimator: Estimator<PairState>, theta: Arrays, parts: readonly Part[]): number[] {
  const each = parts.map((part) => estimator.combine(theta, [part]).gradient.get('theta')?.data ?? []);
  const size = each[0]?.length ?? 0;
  return Array.from({ length: size }, (_, i) => {
    const mean = each.reduce((sum, g) => sum + (g[i] ?? 0), 0) / each.length;
    const variance = each.reduce((sum, g) => sum + ((g[i] ?? 0) - mean) ** 2, 0) / (each.length - 1);
    return Math.sqrt(variance / each.length);
  });
}

/** Exact meta-gradient by theta0 of each window's mean loss, through whole trajectories. */
function exactGradients(toy: Toy, setting: { theta0: number; windowLength: number; length: number }, windows: number) {
  const step = 1e-5;
  const means = (theta0: number): number[] => {
    const result: number[] = [];
    let x = 0;
    for (let window = 0; window < windows; window += 1) {
      let sum = 0;
      for (let t = 0; t < setting.windowLength; t += 1) {
        if ((window * setting.windowLength + t) % setting.length === 0) x = 0;
        sum += toy.loss(x, [theta0]);
        x = toy.next(x, [theta0]);
      }
      result.push(sum / setting.windowLength);
    }
    return result;
  };
  const [up, down] = [means(setting.theta0 + step), means(setting.theta0 - step)];
  // Central differences are exact to rounding for losses of degree 2.
  return up.map((value, index) => (value - (down[index] ?? 0)) / (2 * step));
}

// A mean of 2,000 pairs lies within 4.5 standard errors of its expectation in all but 1 of 10^5 draws; draws are keyed, so this is fixed.
const STANDARD_ERRORS = 4.5;

describe.each([
  { name: 'linear', toy: LINEAR },
  { name: 'quadratic', toy: QUADRATIC },
])('truncated PES on the $name toy', ({ toy }) => {
  const setting = { pairs: 2_000, windowLength: 5, length: 20 };

  it('gives the exact meta-gradient of every window of two trajectories', async () => {
    const theta = toyTheta(0.5);
    const estimator = createTruncatedPes(options(toy, setting));
    const { gradients, parts } = await run(estimator, theta, 8);
    const exact = exactGradients(toy, { theta0: 0.5, ...setting }, 8);
    gradients.forEach(([estimate = NaN], window) => {
      const [error = NaN] = standardErrors(estimator, theta, parts[window] ?? []);
      expect(Math.abs(estimate - (exact[window] ?? NaN))).toBeLessThan(STANDARD_ERRORS * error);
    });
    // The sum property: window gradients of a trajectory add up to the gradient of its mean loss times the number of windows.
    const sum = (values: readonly number[]): number => values.slice(0, 4).reduce((total, value) => total + value, 0);
    const errors = gradients.map((_, window) => standardErrors(estimator, theta, parts[window] ?? [])[0] ?? NaN);
    expect(Math.abs(sum(gradients.map(([estimate = NaN]) => estimate)) - sum(exact))).toBeLessThan(
      STANDARD_ERRORS * sum(errors),
    );
  });

  it('is unbiased where truncated ES is not', async () => {
    const theta = toyTheta(0.5);
    const estimator = createTruncatedEs(options(toy, setting));
    const { gradients, parts } = await run(estimator, theta, 4);
    const exact = exactGradients(toy, { theta0: 0.5, ...setting }, 4);
    const [first = NaN, , , last = NaN] = gradients.map(([estimate = NaN]) => estimate);
    const [error0 = NaN, , , error3 = NaN] = parts.map((own) => standardErrors(estimator, theta, own)[0] ?? NaN);
    // Nothing came before the first window; by the fourth most of what theta did lies outside it.
    expect(Math.abs(first - (exact[0] ?? NaN))).toBeLessThan(STANDARD_ERRORS * error0);
    expect((exact[3] ?? NaN) - last).toBeGreaterThan(10 * error3);
  });
});

describe('truncated ES', () => {
  it('credits exactly what theta does within the window', async () => {
    const theta = toyTheta(0.5);
    const estimator = createTruncatedEs(options(LINEAR, { pairs: 2_000, windowLength: 5, length: 20 }));
    const { gradients, parts } = await run(estimator, theta, 3);
    // Of x after t steps from any state: sum of .9^k, k < t; its mean over t = 0..4.
    const within = (0 + 1 + 1.9 + 2.71 + 3.439) / 5;
    const [error = NaN] = standardErrors(estimator, theta, parts[2] ?? []);
    expect(Math.abs((gradients[2]?.[0] ?? NaN) - within)).toBeLessThan(STANDARD_ERRORS * error);
  });

  it('starts both members of a pair where the + member ended', async () => {
    const setting = options(LINEAR, { pairs: 2, windowLength: 5, length: 20 });
    const estimator = createTruncatedEs(setting);
    const theta = toyTheta(0.5);
    const { state } = await estimator.measure(theta, { state: estimator.init(), key: fold(KEY, 0) });
    const x = (await estimator.download(state)).get('group/0/particles/x')?.data ?? [];
    const ends = [0, 1].map((pair) => {
      const eps = drawPerturbation(fold(fold(KEY, 0), 'perturbation', pair), { theta, sigma: 0.1 });
      return (0.5 + (eps.get('theta')?.data[0] ?? NaN)) * (1 + 0.9 + 0.81 + 0.729 + 0.6561);
    });
    // float32 theta and state: 1e-6 relative.
    [0, 0, 1, 1].forEach((pair, particle) => expect(x[particle]).toBeCloseTo(ends[pair] ?? NaN, 5));
  });
});

describe.each([
  { length: 7, windowLength: 5 },
  { length: 3, windowLength: 10 },
  { length: 10, windowLength: 5 },
  { length: 5, windowLength: 5 },
])('PES credit with trajectories of $length and windows of $windowLength', ({ length, windowLength }) => {
  it('equals that of an oracle which credits each loss with what its own trajectory has seen', async () => {
    const sigma = 0.1;
    const pairs = 3;
    const windows = 9;
    const theta = toyTheta(0.5, -0.25);
    const estimator = createTruncatedPes(options(QUADRATIC, { pairs, windowLength, length, sigma }));
    const { gradients } = await run(estimator, theta, windows);
    const eps = (window: number, pair: number): ArrayLike<number> =>
      drawPerturbation(fold(fold(KEY, window), 'perturbation', pair), { theta, sigma }).get('theta')?.data ?? [];
    const expected = Array.from({ length: windows }, () => [0, 0]);
    for (let pair = 0; pair < pairs; pair += 1) {
      let [plus, minus] = [0, 0];
      for (let time = 0; time < windows * windowLength; time += 1) {
        const window = Math.floor(time / windowLength);
        const began = time - (time % length);
        if (began === time) [plus, minus] = [0, 0];
        const seen = [0, 0];
        for (let past = Math.floor(began / windowLength); past <= window; past += 1)
          for (const i of [0, 1]) seen[i] = (seen[i] ?? 0) + (eps(past, pair)[i] ?? NaN);
        const difference = QUADRATIC.loss(plus, []) - QUADRATIC.loss(minus, []);
        const row = expected[window] ?? [];
        for (const i of [0, 1])
          row[i] = (row[i] ?? NaN) + ((seen[i] ?? NaN) * difference) / (2 * sigma * sigma * windowLength * pairs);
        const own = eps(window, pair)[0] ?? NaN;
        plus = QUADRATIC.next(plus, [0.5 + own]);
        minus = QUADRATIC.next(minus, [0.5 - own]);
      }
    }
    // Losses come back in float32, about 6e-8 of up to 10, over differences of about 1: 1e-5 is ample.
    gradients.forEach((gradient, window) =>
      [...gradient].forEach((value, i) => {
        const want = expected[window]?.[i] ?? NaN;
        expect(Math.abs(value - want)).toBeLessThan(1e-5 * Math.max(1, Math.abs(want)));
      }),
    );
  });
});

describe.each([
  { name: 'truncated-pes', create: createTruncatedPes },
  { name: 'truncated-es', create: createTruncatedEs },
])('$name', ({ create }) => {
  it('gives the same gradient of a linear loss for every sigma', async () => {
    const theta = toyTheta(0, 0);
    const [a, b, c] = await Promise.all(
      [0.01, 0.02, 1].map(async (sigma) => {
        const estimator = create(options(FLAT, { pairs: 8, windowLength: 4, length: 100, sigma }));
        return (await run(estimator, theta, 1)).gradients[0] ?? [];
      }),
    );
    for (const i of [0, 1]) {
      // Only float32 rounding of losses differs.
      expect(b?.[i]).toBeCloseTo(a?.[i] ?? NaN, 5);
      expect(c?.[i]).toBeCloseTo(a?.[i] ?? NaN, 5);
    }
  });

  it('tends to the gradient of a linear loss as pairs grow, and does not grow with them', async () => {
    const theta = toyTheta(0.1, 0.2);
    for (const pairs of [8, 64, 2_000]) {
      const estimator = create(options(FLAT, { pairs, windowLength: 1, length: 100 }));
      const { gradients, parts } = await run(estimator, theta, 1);
      const errors = standardErrors(estimator, theta, parts[0] ?? []);
      [2, -3].forEach((exact, i) =>
        expect(Math.abs((gradients[0]?.[i] ?? NaN) - exact)).toBeLessThan(STANDARD_ERRORS * (errors[i] ?? NaN)),
      );
    }
  });

  it('negates the difference of a pair and keeps the gradient when eps is negated', async () => {
    const theta = toyTheta(0.5);
    const setting = options(QUADRATIC, { pairs: 4, windowLength: 5, length: 20 });
    // Swapping the two members of each pair is what -eps for eps does.
    const swapped: PairOptions = {
      ...setting,
      unroll: {
        ...setting.unroll,
        window: async (input) => {
          const result = await setting.unroll.window(input);
          return { ...result, losses: result.losses.map((_, i, all) => all[i % 2 === 0 ? i + 1 : i - 1] ?? NaN) };
        },
      },
    };
    const [plain, other] = [await run(create(setting), theta, 1), await run(create(swapped), theta, 1)];
    plain.parts[0]?.forEach(({ credit }, pair) => {
      expect(other.parts[0]?.[pair]?.credit.before).toBe(0 - credit.before);
      expect(other.parts[0]?.[pair]?.credit.after).toBe(0 - credit.after);
    });
    other.gradients[0]?.forEach((value, i) => expect(-value).toBe(plain.gradients[0]?.[i]));
  });

  it('gives the same bytes when groups are measured in two calls', async () => {
    const theta = toyTheta(0.5, 1, -3);
    const setting = options(QUADRATIC, { pairs: 6, windowLength: 5, length: 7, groupSize: 4 });
    const estimator = create(setting);
    let [whole, split] = [estimator.init(), estimator.init()];
    for (let window = 0; window < 3; window += 1) {
      const key = fold(KEY, window);
      const once = await estimator.measure(theta, { state: whole, key });
      const last = await estimator.measure(theta, { state: split, key, particles: { first: 8, count: 4 } });
      const rest = await estimator.measure(theta, { state: last.state, key, particles: { first: 0, count: 8 } });
      [whole, split] = [once.state, rest.state];
      expect(estimator.combine(theta, [...last.parts, ...rest.parts])).toEqual(estimator.combine(theta, once.parts));
    }
    expect(await estimator.download(split)).toEqual(await estimator.download(whole));
  });

  it('refuses to cut a group', async () => {
    const estimator = create(options(LINEAR, { pairs: 4, windowLength: 5, length: 7, groupSize: 4 }));
    await expect(async () =>
      estimator.measure(toyTheta(0), { state: estimator.init(), key: KEY, particles: { first: 2, count: 4 } }),
    ).rejects.toThrow(new RangeError('Cannot measure particles 2 to 5: expected whole groups of 4 among 8 particles'));
  });

  it('lets one diverging particle change only its own share', async () => {
    const theta = toyTheta(0.5);
    const pairs = 4;
    const base = { pairs, windowLength: 5, length: 20 };
    const healthy = await run(create(options(QUADRATIC, base)), theta, 1);
    for (const bad of [NaN, Infinity, -Infinity]) {
      const diverging = create(
        options(QUADRATIC, {
          ...base,
          lossOf: (loss, { particle, step }) => (particle === 2 && step > 1 ? bad : loss),
        }),
      );
      const { parts, gradients } = await run(diverging, theta, 1);
      expect(Number.isFinite(gradients[0]?.[0])).toBe(true);
      for (const pair of [0, 2, 3]) expect(parts[0]?.[pair]).toEqual(healthy.parts[0]?.[pair]);
      expect(parts[0]?.[1]?.credit).toMatchObject({ nonFinite: 3, drops: 3, validSteps: 2 });
    }
  });

  it('restores its state from a download, to the same bytes', async () => {
    const theta = toyTheta(0.5, 1, -3);
    const estimator = create(options(FLAT, { pairs: 4, windowLength: 5, length: 7, groupSize: 4 }));
    const { state } = await estimator.measure(theta, { state: estimator.init(), key: fold(KEY, 0) });
    const copy = estimator.upload(await estimator.download(state));
    const [a, b] = await Promise.all(
      [state, copy].map((own) => estimator.measure(theta, { state: own, key: fold(KEY, 1) })),
    );
    expect(b?.parts).toEqual(a?.parts);
  });
});

describe('PES by hand', () => {
  it('averages eps times its slope over sigma squared', () => {
    const sigma = 0.01;
    const theta = toyTheta(0, 0);
    const perturbations = [
      [1, 0],
      [0, 1],
      [1, 1],
      [1, -1],
    ];
    const parts = perturbations.map((_, pair) => ({ pair }) as Part);
    const gradient = meanOfParts(theta, parts, ({ pair }) => {
      const [x = NaN, y = NaN] = perturbations[pair] ?? [];
      const difference = 2 * sigma * (2 * x - 3 * y);
      return [{ weight: difference / (2 * sigma * sigma), vector: () => toyTheta(sigma * x, sigma * y) }];
    });
    const [a = NaN, b = NaN] = gradient.get('theta')?.data ?? [];
    // float32 perturbations.
    expect(a).toBeCloseTo(1.5, 6);
    expect(b).toBeCloseTo(-2.25, 6);
  });
});
