import type { HostArray } from '../../jit/graph/graph.ts';
import { groupOf } from '../../jit/trace/structure.ts';
import type { Arrays } from '../../lopt/optimizer.ts';
import { type GroupState, type PairOptions, type PairState, initGroups } from './pair-groups.ts';

/**
 * A copy of the state on the host. Of group g: `group/<g>/particles/<name>` `[particle, ...]`, `group/<g>/trajectory` int32
 * `[pair, 2]` (length, position), and where pairs have them `group/<g>/accumulator/<leaf>` `[pair, ...leaf]`.
 */
export async function downloadGroups({ groups }: PairState): Promise<Map<string, HostArray>> {
  const arrays = new Map<string, HostArray>();
  for (const [index, { particles, trajectories, accumulators }] of groups.entries()) {
    for (const [name, array] of await particles.download()) arrays.set(`group/${index}/particles/${name}`, array);
    arrays.set(`group/${index}/trajectory`, {
      shape: [trajectories.length, 2],
      dtype: 'int32',
      data: Int32Array.from(trajectories.flatMap(({ length, position }) => [length, position])),
    });
    for (const [path, array] of stack(accumulators)) arrays.set(`group/${index}/accumulator/${path}`, array);
  }
  return arrays;
}

/** The state from such a copy. @throws RangeError when an array is missing or has another shape. */
export function uploadGroups(options: PairOptions, arrays: ReadonlyMap<string, HostArray>): PairState {
  const start = initGroups(options);
  disposeGroups(start);
  return {
    groups: start.groups.map(({ trajectories, accumulators }, index): GroupState => {
      const own = groupOf(arrays, `group/${index}`);
      const saved = own.get('trajectory');
      if (saved === undefined || saved.data.length !== 2 * trajectories.length)
        throw new RangeError(
          `Cannot restore group ${index} of particles: expected a trajectory of ${trajectories.length} pairs but got ${saved === undefined ? 'none' : saved.data.length / 2}`,
        );
      return {
        particles: options.unroll.uploadState(groupOf(own, 'particles')),
        trajectories: trajectories.map((_, pair) => ({
          length: saved.data[2 * pair]!,
          position: saved.data[2 * pair + 1]!,
        })),
        accumulators: unstack(groupOf(own, 'accumulator'), accumulators.length),
      };
    }),
  };
}

/** Gives the memory of all groups back. */
export function disposeGroups({ groups }: PairState): void {
  for (const { particles } of groups) particles.dispose();
}

/** Accumulators stacked, `[pair, ...leaf]`; nothing where there are none. All pairs have one or none has. */
function stack(accumulators: readonly (Arrays | undefined)[]): Map<string, HostArray> {
  const stacked = new Map<string, HostArray>();
  for (const [path, { shape, data }] of accumulators[0] ?? []) {
    const all = new Float32Array(accumulators.length * data.length);
    accumulators.forEach((own, pair) => all.set(own?.get(path)?.data ?? [], pair * data.length));
    stacked.set(path, { shape: [accumulators.length, ...shape], dtype: 'float32', data: all });
  }
  return stacked;
}

function unstack(stacked: ReadonlyMap<string, HostArray>, pairs: number): (Arrays | undefined)[] {
  return Array.from({ length: pairs }, (_, pair) => {
    if (stacked.size === 0) return undefined;
    return new Map(
      [...stacked].map(([path, { shape, data }]) => {
        const size = data.length / pairs;
        return [
          path,
          {
            shape: shape.slice(1),
            dtype: 'float32',
            data: Float32Array.from(data.subarray(pair * size, (pair + 1) * size)),
          },
        ];
      }),
    );
  });
}
