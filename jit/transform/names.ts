/** A name that isn't taken: the one wished for, or that with primes behind it. It is taken afterwards. */
export function freshName(wished: string, taken: Set<string>): string {
  let name = wished;
  while (taken.has(name)) name += "'";
  taken.add(name);
  return name;
}
