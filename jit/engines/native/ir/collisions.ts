/**
 * When do two runs of a kernel's code touch the same element? The sound half of the question: which loop counters must agree in every
 * such pair. Where this can't tell, it says that they need not.
 */
import { type Atom, type Index, atomKey, atomMax, dependencies, quotient } from './index-expression.ts';
import type { Loop, OperationId } from './program.ts';

export interface Runs {
  readonly loops: readonly Loop[];
  /** Whether a computed index is the same in every run of the code. */
  readonly isFixed: (operation: OperationId) => boolean;
}

/** One unknown of the equation `sum of factor * unknown = total`; with an atom: that atom's difference between the two runs. */
interface Unknown {
  readonly factor: number;
  readonly min: number;
  readonly max: number;
  readonly key?: string;
}

/** Steps of the search for solutions; what isn't settled by then is given up. */
const MOST_STEPS = 20_000;

/**
 * The counters, of loops that run more than once, that are equal in any two runs p and q with a(p) = b(q); `never` where no two runs have
 * that. Loops round the kernel count the same in all of its runs.
 */
export function agreeingCounters(a: Index, b: Index, runs: Runs): ReadonlySet<number> | 'never' {
  const own = new Set(runs.loops.map(({ counter }) => counter));
  const isFixed = (atom: Atom): boolean => {
    if (atom.kind === 'counter') return !own.has(atom.counter);
    if (atom.kind === 'computed') return runs.isFixed(atom.operation);
    const { counters, operations } = dependencies(atom.of);
    return [...counters].every((counter) => !own.has(counter)) && [...operations].every(runs.isFixed);
  };
  const first = agreeingAtoms(a, b, isFixed);
  if (first === 'never') return 'never';
  const agreeing = new Map(first);
  const isKnown = (index: Index): boolean =>
    index.terms.every(({ atom }) => isFixed(atom) || agreeing.has(atomKey(atom)));
  // Where x mod n agrees, and what stands above it, floor(x / n), agrees, x does, and what x is made of.
  const seen = new Set<string>();
  for (let settled = false; !settled;) {
    settled = true;
    for (const [key, atom] of agreeing) {
      if (atom.kind !== 'remainder' || seen.has(key) || !isKnown(quotient(atom.of, atom.by))) continue;
      seen.add(key);
      settled = false;
      const inner = agreeingAtoms(atom.of, atom.of, isFixed);
      if (inner !== 'never') for (const [own, each] of inner) agreeing.set(own, each);
    }
  }
  return new Set([...agreeing.values()].flatMap((atom) => (atom.kind === 'counter' ? [atom.counter] : [])));
}

/** The atoms, by key, that are equal in any two runs in which the indices are. */
function agreeingAtoms(a: Index, b: Index, isFixed: (atom: Atom) => boolean): ReadonlyMap<string, Atom> | 'never' {
  const atoms = new Map<string, { atom: Atom; left: number; right: number }>();
  for (const { atom, factor } of a.terms) atoms.set(atomKey(atom), { atom, left: factor, right: 0 });
  for (const { atom, factor } of b.terms) {
    const key = atomKey(atom);
    atoms.set(key, { atom, left: atoms.get(key)?.left ?? 0, right: factor });
  }
  const unknowns: Unknown[] = [];
  const candidates = new Map<string, Atom>();
  for (const [key, { atom, left, right }] of atoms) {
    const max = atomMax(atom);
    if (isFixed(atom)) {
      if (left !== right) unknowns.push({ factor: left - right, min: 0, max });
    } else if (left === right) {
      candidates.set(key, atom);
      unknowns.push({ factor: left, min: -max, max, key });
    } else unknowns.push({ factor: left, min: 0, max }, { factor: -right, min: 0, max });
  }
  const free = freeKeys(unknowns, b.offset - a.offset);
  if (free === 'never') return 'never';
  return new Map([...candidates].filter(([key]) => !free.has(key)));
}

/** The keys of the unknowns that aren't 0 in some solution; all keys where the search gives up. */
function freeKeys(unknowns: readonly Unknown[], total: number): ReadonlySet<string> | 'never' {
  const keys = new Set(unknowns.flatMap(({ key }) => (key === undefined ? [] : [key])));
  const used = unknowns
    .filter(({ factor }) => factor !== 0)
    .toSorted((a, b) => Math.abs(b.factor) - Math.abs(a.factor));
  if (used.some(({ max }) => max === Number.POSITIVE_INFINITY)) return keys;
  // Smallest and largest sum of the unknowns from each place on.
  const lows = [0];
  const highs = [0];
  for (const { factor, min, max } of used.toReversed()) {
    lows.unshift((lows[0] ?? 0) + Math.min(factor * min, factor * max));
    highs.unshift((highs[0] ?? 0) + Math.max(factor * min, factor * max));
  }
  const free = new Set<string>();
  let steps = 0;
  let isSolved = false;
  const isDone = (): boolean => steps > MOST_STEPS || (isSolved && free.size === keys.size);
  const search = (place: number, left: number, moved: readonly string[]): void => {
    if (isDone()) return;
    steps += 1;
    const unknown = used[place];
    if (unknown === undefined) {
      isSolved = true;
      for (const key of moved) free.add(key);
      return;
    }
    const { factor, min, max, key } = unknown;
    // left - factor * value must be within reach of the others.
    const bounds = [(left - (highs[place + 1] ?? 0)) / factor, (left - (lows[place + 1] ?? 0)) / factor];
    const from = Math.max(min, Math.ceil(Math.min(...bounds)));
    const to = Math.min(max, Math.floor(Math.max(...bounds)));
    for (let value = from; value <= to && !isDone(); value += 1)
      search(place + 1, left - factor * value, key === undefined || value === 0 ? moved : [...moved, key]);
  };
  if (total >= (lows[0] ?? 0) && total <= (highs[0] ?? 0)) search(0, total, []);
  if (steps > MOST_STEPS) return keys;
  return isSolved ? free : 'never';
}
