/** Theta as a list of leaves: random starts, and the way to and from the published trees. */
import { type HostArray, sameShape, sizeOf } from '../../jit/graph/graph.ts';
import { truncatedNormal } from '../../jit/random/draws.ts';
import { fold, type Key } from '../../jit/random/key.ts';
import type { Arrays, ThetaLeaf } from '../optimizer.ts';

/** A random theta: each leaf drawn from its own distribution with a key of its own. */
export function initTheta(leaves: readonly ThetaLeaf[], key: Key): Arrays {
  return new Map(
    leaves.map(({ path, shape, init }) => {
      const count = sizeOf(shape);
      const data =
        init.kind === 'zeros'
          ? new Float32Array(count)
          : truncatedNormal(fold(key, path), count).map((draw) => Math.fround(draw * Math.fround(init.scale)));
      return [path, { shape, dtype: 'float32', data }];
    }),
  );
}

/** Theta under our names from a published tree. @throws RangeError listing missing, unexpected and mis-shaped leaves. */
export function importTheta(name: string, leaves: readonly ThetaLeaf[], published: Arrays): Arrays {
  checkLeaves(
    `import a published theta into ${name}`,
    new Map(leaves.map((leaf) => [leaf.published, leaf])),
    published,
  );
  return new Map(leaves.map(({ path, published: from, shape }) => [path, copyOf(published.get(from), shape)]));
}

/** Theta under the published names. @throws RangeError listing missing, unexpected and mis-shaped leaves. */
export function exportTheta(name: string, leaves: readonly ThetaLeaf[], theta: Arrays): Arrays {
  checkTheta(name, leaves, theta);
  return new Map(leaves.map(({ path, published: to, shape }) => [to, copyOf(theta.get(path), shape)]));
}

/** Checks that a theta has exactly these leaves. @throws RangeError listing missing, unexpected and mis-shaped leaves. */
export function checkTheta(name: string, leaves: readonly ThetaLeaf[], theta: Arrays): void {
  checkLeaves(`use a theta for ${name}`, new Map(leaves.map((leaf) => [leaf.path, leaf])), theta);
}

/** Number of meta-parameters. */
export function thetaSize(leaves: readonly ThetaLeaf[]): number {
  return leaves.reduce((total, { shape }) => total + sizeOf(shape), 0);
}

function checkLeaves(doing: string, expected: ReadonlyMap<string, ThetaLeaf>, given: Arrays): void {
  const missing = [...expected.keys()].filter((path) => !given.has(path));
  const unexpected = [...given.keys()].filter((path) => !expected.has(path));
  const misshaped = [...expected].flatMap(([path, { shape }]) => {
    const leaf = given.get(path);
    return leaf === undefined || sameShape(leaf.shape, shape)
      ? []
      : [`${path} is [${leaf.shape.join(',')}], not [${shape.join(',')}]`];
  });
  const faults = [
    ...(missing.length === 0 ? [] : [`missing ${missing.join(', ')}`]),
    ...(unexpected.length === 0 ? [] : [`unexpected ${unexpected.join(', ')}`]),
    ...(misshaped.length === 0 ? [] : [`mis-shaped ${misshaped.join(', ')}`]),
  ];
  if (faults.length > 0)
    throw new RangeError(
      `Cannot ${doing}: expected ${expected.size} leaves but got ${faults.join('; ')} (are the options those that theta was made with?)`,
    );
}

function copyOf(leaf: HostArray | undefined, shape: readonly number[]): HostArray {
  if (leaf === undefined) throw new RangeError('Cannot copy a leaf: expected an array but it is missing');
  return { shape, dtype: 'float32', data: Float32Array.from(leaf.data) };
}
