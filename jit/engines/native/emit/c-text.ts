import type { DType } from '../../../graph/graph.ts';
import type { Atom, Index } from '../ir/index-expression.ts';

/** Prefix of vector functions and loads by dtype. */
export const VECTOR_PREFIX = { float32: 'vf', int32: 'vi', bool: 'vm' } as const satisfies Record<DType, string>;
export const SCALAR_PREFIX = { float32: 'sf', int32: 'si', bool: 'sm' } as const satisfies Record<DType, string>;
/** Prefix of memory accesses: bools are bytes. */
export const MEMORY_PREFIX = { float32: 'vf', int32: 'vi', bool: 'vb' } as const satisfies Record<DType, string>;
export const VECTOR_TYPE = { float32: 'vf', int32: 'vi', bool: 'vi' } as const satisfies Record<DType, string>;
export const SCALAR_TYPE = { float32: 'float', int32: 'int32_t', bool: 'int32_t' } as const satisfies Record<
  DType,
  string
>;
/** What an element is in memory. */
export const ELEMENT_TYPE = { float32: 'float', int32: 'int32_t', bool: 'uint8_t' } as const satisfies Record<
  DType,
  string
>;

/** A number as a C literal of a dtype. A bool is a mask. */
export function literal(value: number, dtype: DType): string {
  if (dtype === 'bool') return value === 0 ? '0' : '-1';
  if (dtype === 'int32') return value === -(2 ** 31) ? '(-2147483647 - 1)' : String(Math.trunc(value));
  if (Number.isNaN(value)) return '__builtin_nanf("")';
  if (!Number.isFinite(value)) return value > 0 ? '__builtin_inff()' : '(-__builtin_inff())';
  if (Object.is(value, -0)) return '-0.0f';
  const text = String(value);
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
}

/** Name of a loop's counter. */
export function counterName(counter: number): string {
  return `i${counter}`;
}

/** An index as an expression of long. `computed` names a computed operation. */
export function indexText(index: Index, computed: (operation: number) => string): string {
  const parts = index.terms.map(({ atom, factor }) => {
    const text = atomText(atom, computed);
    return factor === 1 ? text : `${factor} * ${text}`;
  });
  if (index.offset !== 0 || parts.length === 0) parts.push(String(index.offset));
  return parts.join(' + ').replaceAll('+ -', '- ');
}

function atomText(atom: Atom, computed: (operation: number) => string): string {
  switch (atom.kind) {
    case 'counter':
      return counterName(atom.counter);
    case 'computed':
      return `(long)${computed(atom.operation)}`;
    case 'quotient':
      return `((${indexText(atom.of, computed)}) / ${atom.by})`;
    case 'remainder':
      break;
  }
  return `((${indexText(atom.of, computed)}) % ${atom.by})`;
}

/** A text that is safe inside a C comment. */
export function commentText(text: string): string {
  return text.replaceAll('*/', '* /').replaceAll(/[\r\n]+/g, ' ');
}
