import type { Index } from '../ir/index-expression.ts';
import type { BufferId, Contraction, ContractionAxis } from '../ir/program.ts';
import { indexText } from './c-text.ts';

/** Columns and rows of the largest panel that c/contract.h copies: LOPT_WIDEST_PANEL and LOPT_CHUNK there. */
const WIDEST_PANEL = 32;
const LONGEST_PANEL = 512;

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
  const sizes = { rows: row.extent, columns: column.extent, inner: sum.extent };
  const strides = {
    leftRow: row.left,
    leftInner: sum.left,
    rightInner: sum.right,
    rightColumn: column.right,
    outRow: row.out,
    outColumn: column.out,
  };
  push(
    `lopt_contract(${place(left.buffer, left.index, 'left')}, ${strides.leftRow}, ${strides.leftInner}, ` +
      `${place(right.buffer, right.index, 'right')}, ${strides.rightInner}, ${strides.rightColumn}, ` +
      `${place(out.buffer, out.index, 'out')}, ${strides.outRow}, ${strides.outColumn}, ` +
      `${sizes.rows}, ${sizes.columns}, ${sizes.inner}, ${adds}, ${scratch});`,
  );
  for (const _ of loops) {
    indent -= 1;
    push('}');
  }
  return { lines, scratch: WIDEST_PANEL * Math.min(LONGEST_PANEL, sum.extent) };
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
