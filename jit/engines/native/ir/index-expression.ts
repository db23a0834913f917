/**
 * Index arithmetic of the loop IR: sums of integer multiples of loop counters, plus quotients and remainders where a reshape leaves
 * them. Expressions are kept in a normal form. In it, indices that are equal have equal keys where they differ by:
 * - order and grouping of sums and multiples;
 * - multiples of the divisor: for x and y that share no counter, `quotient(by * x + y, by)` is `x + quotient(y, by)`, so x where
 *   0 <= y < by, and `remainder(by * x + y, by)` is `remainder(y, by)`;
 * - a quotient of a quotient, or a remainder of a remainder by a divisor of its number, of a sum of counters: both are one;
 * - `by * quotient(x, by) + remainder(x, by)`: x. So the place of a tensor's element, seen in other shapes, transposed or not, and put
 *   back, is what it was.
 * What is smaller than a unit that divides everything else stays outside: `(8i + 4j + k) mod 16`, k < 4, is `4((2i + j) mod 4) + k`.
 */

/** What an index counts by. All are non-negative. */
export type Atom =
  /** Counter of a loop, known by its number. */
  | { readonly kind: 'counter'; readonly counter: number; readonly extent: number }
  | { readonly kind: 'quotient'; readonly of: Index; readonly by: number }
  | { readonly kind: 'remainder'; readonly of: Index; readonly by: number }
  /** An int32 that the kernel computed, by the number of its operation; only within that kernel. */
  | { readonly kind: 'computed'; readonly operation: number };

/** `offset` plus the sum of `factor * atom`. Terms are sorted by key, factors are never zero. */
export interface Index {
  readonly offset: number;
  readonly terms: readonly Term[];
}

export interface Term {
  readonly atom: Atom;
  readonly factor: number;
}

/** A number as an index. */
export function constantIndex(offset: number): Index {
  return { offset, terms: [] };
}

export const ZERO: Index = constantIndex(0);

function atomIndex(atom: Atom): Index {
  return { offset: 0, terms: [{ atom, factor: 1 }] };
}

/** A loop's counter as an index. A loop that runs once, or never, counts 0. */
export function counterIndex(counter: number, extent: number): Index {
  return extent <= 1 ? ZERO : atomIndex({ kind: 'counter', counter, extent });
}

/** An operation's int32 result as an index. */
export function computedIndex(operation: number): Index {
  return atomIndex({ kind: 'computed', operation });
}

/** The number, where it is one. */
export function asConstant({ offset, terms }: Index): number | undefined {
  return terms.length === 0 ? offset : undefined;
}

export function addIndex(a: Index, b: Index): Index {
  if (a.terms.length === 0) return { offset: a.offset + b.offset, terms: b.terms };
  if (b.terms.length === 0) return { offset: a.offset + b.offset, terms: a.terms };
  return normal(a.offset + b.offset, [...a.terms, ...b.terms]);
}

/** A sum of any terms in normal form. */
function normal(offset: number, parts: readonly Term[]): Index {
  const merged = new Map<string, Term>();
  for (const { atom, factor } of parts) {
    const key = atomKey(atom);
    merged.set(key, { atom, factor: factor + (merged.get(key)?.factor ?? 0) });
  }
  const entries = [...merged].filter(([, { factor }]) => factor !== 0).toSorted(([x], [y]) => (x < y ? -1 : 1));
  return rejoined({ offset, terms: entries.map(([, term]) => term) });
}

/** Puts `by * quotient(x, by) + remainder(x, by)` together again: x, or with a remainder by n of the quotient, `remainder(x, by * n)`. */
function rejoined(index: Index): Index {
  for (const low of index.terms) {
    if (low.atom.kind !== 'remainder') continue;
    const { of, by } = low.atom;
    const above = quotient(of, by);
    const all = exchanged(index, { low, high: above, by, sum: () => of });
    if (all !== undefined) return all;
    for (const { atom } of index.terms) {
      if (atom.kind !== 'remainder') continue;
      const high = remainder(above, atom.by);
      const some = exchanged(index, { low, high, by, sum: () => remainder(of, by * atom.by) });
      if (some !== undefined) return some;
    }
  }
  return index;
}

/** The index with `sum` in place of `low + by * high`, times the factor of `low`, where that is part of it. */
function exchanged(
  index: Index,
  { low, high, by, sum }: { low: Term; high: Index; by: number; sum: () => Index },
): Index | undefined {
  const taken = scaleIndex(high, low.factor * by);
  if (taken.terms.length === 0 || !taken.terms.every((term) => index.terms.some((own) => isSameTerm(own, term))))
    return undefined;
  const terms = index.terms.filter((own) => own !== low && !taken.terms.some((term) => isSameTerm(own, term)));
  return addIndex({ offset: index.offset - taken.offset, terms }, scaleIndex(sum(), low.factor));
}

function isSameTerm(a: Term, b: Term): boolean {
  return a.factor === b.factor && atomKey(a.atom) === atomKey(b.atom);
}

export function scaleIndex(index: Index, by: number): Index {
  if (by === 0) return ZERO;
  if (by === 1) return index;
  return {
    offset: index.offset === 0 ? 0 : index.offset * by,
    terms: index.terms.map(({ atom, factor }) => ({ atom, factor: factor * by })),
  };
}

/** The sum of `strides[i] * indices[i]`. */
export function dotIndex(indices: readonly Index[], strides: readonly number[]): Index {
  return indices.reduce((sum, index, axis) => addIndex(sum, scaleIndex(index, strides[axis] ?? 0)), ZERO);
}

/** Smallest and largest value; infinite where a computed index is part of it. */
export function indexRange({ offset, terms }: Index): { readonly min: number; readonly max: number } {
  let [min, max] = [offset, offset];
  for (const { atom, factor } of terms) {
    const top = atomMax(atom);
    if (factor > 0) max += factor * top;
    else min += factor * top;
  }
  return { min, max };
}

/** Largest value of an atom; its smallest is 0. */
export function atomMax(atom: Atom): number {
  if (atom.kind === 'counter') return Math.max(atom.extent - 1, 0);
  if (atom.kind === 'computed') return Number.POSITIVE_INFINITY;
  const { max } = indexRange(atom.of);
  return atom.kind === 'quotient' ? Math.floor(max / atom.by) : Math.min(atom.by - 1, max);
}

/** `floor(index / by)`, of a non-negative index. */
export function quotient(index: Index, by: number): Index {
  if (by === 1) return index;
  const { whole, rest } = divided(index, by);
  return addIndex(whole, quotientOfRest(rest, by));
}

function quotientOfRest(rest: Index, by: number): Index {
  if (indexRange(rest).max < by) return ZERO;
  const parts = splitByUnit(rest, by);
  if (parts !== undefined) return quotient(parts.high, by / parts.unit);
  for (const term of rest.terms) {
    const { atom, factor } = term;
    if (factor !== 1 || atom.kind !== 'quotient') continue;
    const others: Index = { offset: rest.offset, terms: rest.terms.filter((own) => own !== term) };
    return quotient(addIndex(scaleIndex(others, atom.by), atom.of), atom.by * by);
  }
  const atom = loneAtom(rest);
  if (atom?.kind === 'remainder' && atom.by % by === 0) return remainder(quotient(atom.of, by), atom.by / by);
  return atomIndex({ kind: 'quotient', of: rest, by });
}

/** `index - by * floor(index / by)`, of a non-negative index. */
export function remainder(index: Index, by: number): Index {
  if (by === 1) return ZERO;
  const { rest } = divided(withoutRemainders(index, by), by);
  if (indexRange(rest).max < by) return rest;
  const parts = splitByUnit(rest, by);
  if (parts !== undefined) return addIndex(scaleIndex(remainder(parts.high, by / parts.unit), parts.unit), parts.low);
  return atomIndex({ kind: 'remainder', of: rest, by });
}

/** The index, but for multiples of `by`, without remainders that the remainder by `by` makes needless. */
function withoutRemainders(index: Index, by: number): Index {
  const isNeedless = ({ atom, factor }: Term): boolean => atom.kind === 'remainder' && (factor * atom.by) % by === 0;
  const kept: Index = { offset: index.offset, terms: index.terms.filter((term) => !isNeedless(term)) };
  return index.terms.reduce(
    (sum, term) =>
      term.atom.kind === 'remainder' && isNeedless(term) ? addIndex(sum, scaleIndex(term.atom.of, term.factor)) : sum,
    kept,
  );
}

/** `index = by * whole + rest` with every term that divides evenly in `whole`, and a rest that is never negative and as small as it gets. */
function divided(index: Index, by: number): { readonly whole: Index; readonly rest: Index } {
  const rests = index.terms.filter(({ factor }) => factor % by !== 0);
  const { min } = indexRange({ offset: index.offset, terms: rests });
  // A computed index that counts downwards: nothing is known, so nothing may be taken out.
  if (min === Number.NEGATIVE_INFINITY) return { whole: ZERO, rest: index };
  const offset = Math.floor(min / by);
  const wholes = index.terms
    .filter(({ factor }) => factor % by === 0)
    .map(({ atom, factor }) => ({ atom, factor: factor / by }));
  return { whole: { offset, terms: wholes }, rest: { offset: index.offset - offset * by, terms: rests } };
}

/** `index = unit * high + low` for the largest unit that divides `by` and has 0 <= low < unit. */
function splitByUnit(
  index: Index,
  by: number,
): { readonly unit: number; readonly high: Index; readonly low: Index } | undefined {
  const units = new Set<number>([by]);
  for (const { factor } of index.terms)
    for (const unit of units) units.add(greatestCommonDivisor(unit, Math.abs(factor)));
  for (const unit of [...units].filter((one) => one !== by && one !== 1).toSorted((a, b) => b - a)) {
    const lows = index.terms.filter(({ factor }) => factor % unit !== 0);
    const range = indexRange({ offset: index.offset, terms: lows });
    const offset = Math.floor(range.min / unit);
    if (range.max - offset * unit >= unit) continue;
    const highs = index.terms
      .filter(({ factor }) => factor % unit === 0)
      .map(({ atom, factor }) => ({ atom, factor: factor / unit }));
    return { unit, high: { offset, terms: highs }, low: { offset: index.offset - offset * unit, terms: lows } };
  }
  return undefined;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The atom, where an index is nothing else. */
function loneAtom({ offset, terms }: Index): Atom | undefined {
  return offset === 0 && terms.length === 1 && terms[0]?.factor === 1 ? terms[0].atom : undefined;
}

/** Text that two indices share only when they are equal. */
export function indexKey({ offset, terms }: Index): string {
  const parts = terms.map(({ atom, factor }) => (factor === 1 ? atomKey(atom) : `${factor}*${atomKey(atom)}`));
  return offset !== 0 || parts.length === 0 ? [...parts, String(offset)].join('+') : parts.join('+');
}

/** Text that two atoms share only when they are equal. */
export function atomKey(atom: Atom): string {
  if (atom.kind === 'counter') return `i${atom.counter}`;
  if (atom.kind === 'computed') return `%${atom.operation}`;
  return `(${indexKey(atom.of)})${atom.kind === 'quotient' ? '/' : 'mod '}${atom.by}`;
}

/** The counters that an index depends on, and the computed values. */
export function dependencies(index: Index): {
  readonly counters: ReadonlySet<number>;
  readonly operations: ReadonlySet<number>;
} {
  const counters = new Set<number>();
  const operations = new Set<number>();
  const visit = ({ terms }: Index): void => {
    for (const { atom } of terms) {
      if (atom.kind === 'counter') counters.add(atom.counter);
      else if (atom.kind === 'computed') operations.add(atom.operation);
      else visit(atom.of);
    }
  };
  visit(index);
  return { counters, operations };
}

/** The factor of a counter, where the index is linear in it: undefined where it also stands inside a quotient or remainder. */
export function strideOf(index: Index, counter: number): number | undefined {
  let stride = 0;
  for (const { atom, factor } of index.terms) {
    if (atom.kind === 'counter') {
      if (atom.counter === counter) stride += factor;
    } else if (atom.kind !== 'computed' && dependencies(atom.of).counters.has(counter)) return undefined;
  }
  return stride;
}

/** The index with other atoms in place of some. */
export function substitute(index: Index, replace: (atom: Atom) => Index | undefined): Index {
  let sum = constantIndex(index.offset);
  for (const { atom, factor } of index.terms) {
    const known = replace(atom);
    let value: Index;
    if (known !== undefined) value = known;
    else if (atom.kind === 'quotient') value = quotient(substitute(atom.of, replace), atom.by);
    else if (atom.kind === 'remainder') value = remainder(substitute(atom.of, replace), atom.by);
    else value = atomIndex(atom);
    sum = addIndex(sum, scaleIndex(value, factor));
  }
  return sum;
}

/** The value of an index for given counters and computed operations. */
export function evaluateIndex(
  index: Index,
  read: (atom: Extract<Atom, { kind: 'counter' | 'computed' }>) => number,
): number {
  let sum = index.offset;
  for (const { atom, factor } of index.terms) {
    if (atom.kind === 'counter' || atom.kind === 'computed') sum += factor * read(atom);
    else {
      const inner = evaluateIndex(atom.of, read);
      sum +=
        factor *
        (atom.kind === 'quotient' ? Math.floor(inner / atom.by) : inner - atom.by * Math.floor(inner / atom.by));
    }
  }
  return sum;
}

/** Row-major strides of a shape. */
export function rowMajorStrides(shape: readonly number[]): readonly number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis -= 1)
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  return strides;
}

/** The index along each axis of a shape of the element at a flat row-major position. Zeros where the shape has no elements. */
export function unflatten(flat: Index, shape: readonly number[]): readonly Index[] {
  if (shape.includes(0)) return shape.map(() => ZERO);
  const strides = rowMajorStrides(shape);
  return shape.map((extent, axis) => {
    if (extent === 1) return ZERO;
    const above = quotient(flat, strides[axis] ?? 1);
    return axis === 0 || indexRange(above).max < extent ? above : remainder(above, extent);
  });
}
