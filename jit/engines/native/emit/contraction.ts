import type { Index } from '../ir/index-expression.ts';
import type { BufferId, Contraction, ContractionAxis } from '../ir/program.ts';
import { type ProductLayout, contractScratch } from '../contract-scratch.ts';
import { indexText } from './c-text.ts';

/** One call of the product of two matrices, in a nest of loops. */
export interface ContractionCall {
  readonly lines: readonly string[];
  /** Floats of scratch memory that it needs. */
  readonly scratch: number;
}

/** The C code of a contraction: axes that can be walked as one are, those that are left over become loops round a matrix product. */
export function emitContraction(
  { axes, left, right, out }: Contraction,
  { address, scratch }: { readonly address: (buffer: BufferId) => string; readonly scratch: string },
): ContractionCall {
  const of = (role: ContractionAxis['role']) => merged(axes.filter((axis) => axis.role === role));
  const none: ContractionAxis = { role: 'row', extent: 1, left: 0, right: 0, out: 0 };
  const [rows, columns, inner] = [of('row'), of('column'), of('inner')];
  const [row, column, sum] = [rows, columns, inner].map((list) => longest(list) ?? none) as [
    ContractionAxis,
    ContractionAxis,
    ContractionAxis,
  ];
  const outer = [...of('batch'), ...rows, ...columns].filter((axis) => axis !== row && axis !== column);
  const innerOuter = inner.filter((axis) => axis !== sum);
  const lines: string[] = [];
  let indent = 1;
  const push = (text: string): void => {
    lines.push(`${'  '.repeat(indent)}${text}`);
  };
  const loops = [...outer, ...innerOuter];
  const names = loops.map((_, index) => `c${index}`);
  loops.forEach(({ extent }, index) => {
    push(`for (long ${names[index]} = 0; ${names[index]} < ${extent}; ${names[index]}++) {`);
    indent += 1;
  });
  const place = (buffer: BufferId, index: Index, side: 'left' | 'right' | 'out'): string => {
    const parts = loops.flatMap((axis, at) => (axis[side] === 0 ? [] : [`${axis[side]} * ${names[at]}`]));
    return [address(buffer), indexText(index, String), ...parts].join(' + ');
  };
  const adds =
    innerOuter.length === 0 ? '0' : `(${innerOuter.map((axis) => names[loops.indexOf(axis)]).join(' | ')}) != 0`;
  const product: ProductLayout = {
    rows: row.extent,
    columns: column.extent,
    inner: sum.extent,
    aRow: row.left,
    aInner: sum.left,
    bInner: sum.right,
    bColumn: column.right,
    oRow: row.out,
    oColumn: column.out,
  };
  const { rows: m, columns: n, inner: k } = product;
  push(
    `lopt_contract(${place(left.buffer, left.index, 'left')}, ${product.aRow}, ${product.aInner}, ` +
      `${place(right.buffer, right.index, 'right')}, ${product.bInner}, ${product.bColumn}, ` +
      `${place(out.buffer, out.index, 'out')}, ${product.oRow}, ${product.oColumn}, ${m}, ${n}, ${k}, ${adds}, ${scratch});`,
  );
  for (const _ of loops) {
    indent -= 1;
    push('}');
  }
  return { lines, scratch: contractScratch(product) };
}

function longest(axes: readonly ContractionAxis[]): ContractionAxis | undefined {
  return axes.reduce<ContractionAxis | undefined>(
    (best, axis) => (best !== undefined && best.extent >= axis.extent ? best : axis),
    undefined,
  );
}

/** Neighbouring axes of a role become one where all operands go on without a gap. */
function merged(axes: readonly ContractionAxis[]): readonly ContractionAxis[] {
  const list: ContractionAxis[] = [];
  for (const axis of axes) {
    const last = list.at(-1);
    const joins =
      last !== undefined &&
      (['left', 'right', 'out'] as const).every((side) => last[side] === axis[side] * axis.extent);
    if (joins) list[list.length - 1] = { ...axis, extent: last.extent * axis.extent };
    else list.push(axis);
  }
  return list;
}
