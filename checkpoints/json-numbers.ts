/**
 * Numbers in JSON. A diverged loss is NaN or infinite, which JSON can't say (JSON.stringify writes null for both, as for a missing
 * value). Here they are the texts "NaN", "Infinity" and "-Infinity"; null means that there is no value.
 */

const NON_FINITE: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** JSON text in which numbers that aren't finite are texts. `indent` as JSON.stringify has it. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, member: unknown) => (typeof member === 'number' && !Number.isFinite(member) ? String(member) : member),
    indent,
  );
}

/** Reads what `toJson` wrote: the three texts become numbers again. @throws SyntaxError for text that is no JSON. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, member: unknown) =>
    typeof member === 'string' ? (NON_FINITE.get(member) ?? member) : member,
  );
}
