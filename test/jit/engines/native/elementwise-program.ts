import {
  BINARY_FUNCTIONS,
  COMPARISONS,
  type BinaryFunction,
  type Comparison,
  type DType,
  DTYPES,
  type UnaryFunction,
  UNARY_FUNCTIONS,
} from '../../../../jit/graph/graph.ts';
import { TYPE_RULES } from '../../../../jit/graph/type-rules.ts';

/** A function of graph.ts on a dtype that its type rule takes. */
export type Case =
  | { readonly kind: 'unary'; readonly fn: UnaryFunction; readonly dtype: DType; readonly result: DType }
  | { readonly kind: 'binary'; readonly fn: BinaryFunction; readonly dtype: DType; readonly result: DType }
  | { readonly kind: 'compare'; readonly fn: Comparison; readonly dtype: DType; readonly result: DType };

/** The dtype that comes of a function, or undefined where the type rule refuses. */
function resultOf(
  infer: (type: { shape: readonly number[]; dtype: DType }) => readonly { dtype: DType }[],
  dtype: DType,
) {
  try {
    return infer({ shape: [], dtype })[0]?.dtype;
  } catch {
    return undefined;
  }
}

/** Every elementwise function on every dtype that it takes. */
export const CASES: readonly Case[] = DTYPES.flatMap((dtype) => [
  ...UNARY_FUNCTIONS.flatMap((fn): readonly Case[] => {
    const result = resultOf((type) => TYPE_RULES.unary({ fn }, [type]), dtype);
    return result === undefined ? [] : [{ kind: 'unary', fn, dtype, result }];
  }),
  ...BINARY_FUNCTIONS.flatMap((fn): readonly Case[] => {
    const result = resultOf((type) => TYPE_RULES.binary({ fn }, [type, type]), dtype);
    return result === undefined ? [] : [{ kind: 'binary', fn, dtype, result }];
  }),
  ...COMPARISONS.map((fn): Case => ({ kind: 'compare', fn, dtype, result: 'bool' })),
]);

const VECTOR = { float32: 'vf', int32: 'vi', bool: 'vm' } as const;
const SCALAR = { float32: 'sf', int32: 'si', bool: 'sm' } as const;
const ELEMENT = { float32: 'float', int32: 'int32_t', bool: 'uint8_t' } as const;
const LOAD = { float32: 'vf_load', int32: 'vi_load', bool: 'vb_load' } as const;
const STORE = { float32: 'vf_store', int32: 'vi_store', bool: 'vb_store' } as const;

function applied({ kind, fn, dtype, result }: Case): string {
  const names = kind === 'unary' ? ['a'] : ['a', 'b'];
  const vectors = names.map((name) => `${LOAD[dtype]}(${name}_${dtype} + i)`);
  const elements = names.map((name) => (dtype === 'bool' ? `sb_load(${name}_bool + i)` : `${name}_${dtype}[i]`));
  const scalar = `${SCALAR[dtype]}_${fn}(${elements.join(', ')})`;
  const out = `(${ELEMENT[result]} *)out`;
  return `
  for (int i = 0; i < N; i += LANES) ${STORE[result]}(${out} + i, ${VECTOR[dtype]}_${fn}(${vectors.join(', ')}));
  fwrite(out, sizeof(${ELEMENT[result]}), N, file);
  for (int i = 0; i < N; i += 1) ${result === 'bool' ? `sb_store(out + i, ${scalar})` : `(${out})[i] = ${scalar}`};
  fwrite(out, sizeof(${ELEMENT[result]}), N, file);`;
}

/**
 * A C program `<input> <output>`: reads two arrays of `count` elements of each dtype, writes for every case what its vector form
 * gives, then what its form for one element gives.
 */
export function elementwiseProgram(count: number): string {
  return `#include <stdio.h>
#include "math.h"
enum { N = ${count} };
${DTYPES.map((dtype) => `static ${ELEMENT[dtype]} a_${dtype}[N], b_${dtype}[N];`).join('\n')}
static uint8_t out[4 * N] __attribute__((aligned(64)));
${CASES.map((one, index) => `static __attribute__((noinline)) void case_${index}(FILE *file) {${applied(one)}\n}`).join('\n')}
int main(int count, char **arguments) {
  if (count != 3) return 2;
  FILE *file = fopen(arguments[1], "rb");
  if (!file) return 3;
${DTYPES.flatMap((dtype) => ['a', 'b'].map((name) => `  if (fread(${name}_${dtype}, sizeof *${name}_${dtype}, N, file) != N) return 4;`)).join('\n')}
  fclose(file);
  file = fopen(arguments[2], "wb");
  if (!file) return 5;
${CASES.map((_, index) => `  case_${index}(file);`).join('\n')}
  return fclose(file) != 0;
}
`;
}
