import type { HostArray } from '../jit/graph/graph.ts';
import { type Key, fold } from '../jit/random/key.ts';
import { normal } from '../jit/random/draws.ts';
import type { Arrays } from '../lopt/optimizer.ts';

/**
 * One antithetic perturbation eps of the trainable leaves of theta, each element normal with standard deviation `sigma`. A pure
 * function of the key, so that it is kept as a key and made again where it is needed. A leaf's draw doesn't depend on the others.
 */
export function drawPerturbation(key: Key, { theta, sigma }: { theta: Arrays; sigma: number }): Arrays {
  const eps = new Map<string, HostArray>();
  for (const [path, { shape, data }] of theta) {
    const draws = normal(fold(key, path), data.length);
    for (let i = 0; i < draws.length; i += 1) draws[i] = sigma * draws[i]!;
    eps.set(path, { shape, dtype: 'float32', data: draws });
  }
  return eps;
}

/**
 * Theta of each particle of a group, `[particle, ...leaf]`: particle 2i has theta + eps of pair i, particle 2i + 1 theta - eps.
 */
export function perturb(theta: Arrays, perturbations: readonly Arrays[]): Arrays {
  const particles = 2 * perturbations.length;
  const perturbed = new Map<string, HostArray>();
  for (const [path, { shape, data }] of theta) {
    const size = data.length;
    const all = new Float32Array(particles * size);
    perturbations.forEach((eps, pair) => {
      const own = leafOf(eps, path).data;
      const plus = 2 * pair * size;
      const minus = plus + size;
      for (let i = 0; i < size; i += 1) {
        all[plus + i] = data[i]! + own[i]!;
        all[minus + i] = data[i]! - own[i]!;
      }
    });
    perturbed.set(path, { shape: [particles, ...shape], dtype: 'float32', data: all });
  }
  return perturbed;
}

/** The sum of two perturbations of the same theta, in float32. */
export function addPerturbations(a: Arrays, b: Arrays): Arrays {
  const sum = new Map<string, HostArray>();
  for (const [path, { shape, data }] of a) {
    const other = leafOf(b, path).data;
    sum.set(path, { shape, dtype: 'float32', data: Float32Array.from(data, (x, i) => x + other[i]!) });
  }
  return sum;
}

/**
 * The leaf of a group at a path.
 * @throws RangeError when it is missing.
 */
export function leafOf(group: Arrays, path: string): HostArray {
  const leaf = group.get(path);
  if (leaf === undefined)
    throw new RangeError(`Cannot read leaf ${path}: expected one of ${[...group.keys()].join(', ')}`);
  return leaf;
}

/** The leaves at these paths, in their order. */
export function pickLeaves(theta: Arrays, paths: ReadonlySet<string>): Arrays {
  return new Map([...theta].filter(([path]) => paths.has(path)));
}
