import { numberText, numbersText } from '../../../graph/print.ts';
import type { Atom, Index } from './index-expression.ts';
import type {
  Buffer,
  BufferId,
  Contraction,
  Kernel,
  Operation,
  Place,
  Program,
  ProgramPort,
  Statement,
} from './program.ts';

/** The name of each buffer, with its number where others have the name too. */
type Names = readonly string[];

/**
 * A program as text: its buffers, then its statements, bodies indented, one operation a line. `%2` is the value of a kernel's operation
 * 2; `i3` is the counter of a loop. Local and constant buffers that share a name have their number after it: `sum.7`.
 */
export function printProgram(program: Program): string {
  const names = bufferNames(program.buffers);
  return [
    `program ${program.name}`,
    ...indented(program.buffers.map((buffer, id) => bufferLine(buffer, { id, names, program }))),
    ...indented(bodyLines(program.body, names)),
  ].join('\n');
}

/** A statement as printProgram writes it, line by line. */
export function printStatement({ buffers }: Pick<Program, 'buffers'>, statement: Statement): readonly string[] {
  return statementLines(statement, bufferNames(buffers));
}

function bufferNames(buffers: readonly Buffer[]): Names {
  const counts = new Map<string, number>();
  for (const { name } of buffers) counts.set(name, (counts.get(name) ?? 0) + 1);
  return buffers.map(({ name }, id) => (counts.get(name) === 1 ? name : `${name}.${id}`));
}

function bufferLine(
  { name, dtype, size, kind, data }: Buffer,
  { id, names, program }: { id: BufferId; names: Names; program: Program },
): string {
  const isOf = ({ buffer }: ProgramPort): boolean => buffer === id;
  const port =
    kind === 'input' ? program.inputs.find(isOf) : kind === 'output' ? program.outputs.find(isOf) : undefined;
  const given = port === undefined || port.name === name ? '' : ` = ${port.name}`;
  const numbers = data === undefined ? '' : ` = ${numbersText(data)}`;
  return `${kind} ${names[id]}: ${dtype}[${size}]${given}${numbers}`;
}

function statementLines(statement: Statement, names: Names): string[] {
  switch (statement.kind) {
    case 'kernel':
      return kernelLines(statement, names);
    case 'contraction':
      return contractionLines(statement, names);
    case 'repeat':
      return [
        `repeat ${statement.name}`,
        ...indented([loopText(statement.loop), ...indented(bodyLines(statement.body, names))]),
      ];
    case 'branch':
      break;
  }
  return [
    `branch ${statement.name}`,
    ...indented([
      `if ${placeText(statement.condition, names)}`,
      ...indented(bodyLines(statement.then, names)),
      'else',
      ...indented(bodyLines(statement.otherwise, names)),
    ]),
  ];
}

function bodyLines(body: readonly Statement[], names: Names): string[] {
  return body.flatMap((statement) => statementLines(statement, names));
}

function kernelLines({ name, loops, ordered, operations }: Kernel, names: Names): string[] {
  const code = operations.map((operation, id) => operationLine(operation, id, names));
  const nest = loops.toReversed().reduce<readonly string[]>((lines, loop) => {
    const line = ordered.has(loop.counter) ? `${loopText(loop)}, ordered` : loopText(loop);
    return [line, ...indented(lines)];
  }, code);
  return [`kernel ${name}`, ...indented(nest)];
}

function loopText({ counter, extent }: { readonly counter: number; readonly extent: number }): string {
  return `for i${counter} in ${extent}`;
}

function operationLine(operation: Operation, id: number, names: Names): string {
  const made = `%${id} = `;
  switch (operation.op) {
    case 'constant':
      return `${made}${operation.dtype} ${numberText(operation.value)}`;
    case 'index':
      return `${made}index ${indexText(operation.index)}`;
    case 'load':
      return `${made}${placeText(operation, names)}`;
    case 'unary':
      return `${made}${operation.fn}(%${operation.x})`;
    case 'binary':
    case 'compare':
      return `${made}${operation.fn}(%${operation.a}, %${operation.b})`;
    case 'select':
      return `${made}select(%${operation.condition}, %${operation.a}, %${operation.b})`;
    case 'cast':
      return `${made}${operation.dtype}(%${operation.x})`;
    case 'store':
      return `${placeText(operation, names)} ${operation.adds ? '+=' : '='} %${operation.value}`;
    case 'reduce':
      break;
  }
  const over = operation.over.map((counter) => `i${counter}`).join(', ') || 'nothing';
  const divided = operation.divisor === 1 ? '' : ` / ${numberText(operation.divisor)}`;
  return `${placeText(operation, names)} = ${operation.fn} over ${over} of %${operation.value}${divided}`;
}

/** `out[...] = sum of left[...] * right[...]`, then each axis with the strides of the operands that have it. */
function contractionLines({ name, axes, left, right, out }: Contraction, names: Names): string[] {
  const strideText = (operand: string, stride: number): string => (stride === 0 ? '' : `, ${operand} ${stride}`);
  return [
    `contraction ${name}`,
    ...indented([
      `${placeText(out, names)} = sum of ${placeText(left, names)} * ${placeText(right, names)}`,
      ...axes.map(
        (axis) =>
          `${axis.role} ${axis.extent}${strideText('left', axis.left)}${strideText('right', axis.right)}${strideText('out', axis.out)}`,
      ),
    ]),
  ];
}

function placeText({ buffer, index }: Place, names: Names): string {
  return `${names[buffer] ?? `buffer ${buffer}`}[${indexText(index)}]`;
}

/** An index as text: `4*i0 + i1 - 2`, `(i0 + i1) / 4`, `i0 mod 4`. */
export function indexText({ offset, terms }: Index): string {
  const parts = terms.map(({ atom, factor }) => {
    const size = Math.abs(factor);
    const text = size === 1 ? atomText(atom, terms.length > 1 || offset !== 0) : `${size}*${atomText(atom, true)}`;
    return { text, isNegative: factor < 0 };
  });
  if (offset !== 0 || parts.length === 0) parts.push({ text: String(Math.abs(offset)), isNegative: offset < 0 });
  return parts.reduce((line, { text, isNegative }, place) => {
    if (place === 0) return isNegative ? `-${text}` : text;
    return `${line} ${isNegative ? '-' : '+'} ${text}`;
  }, '');
}

function atomText(atom: Atom, isPart: boolean): string {
  if (atom.kind === 'counter') return `i${atom.counter}`;
  if (atom.kind === 'computed') return `%${atom.operation}`;
  const { offset, terms } = atom.of;
  const inner = indexText(atom.of);
  const isPlain = offset === 0 && terms.length === 1 && terms[0]?.factor === 1;
  const isNamed = isPlain && (terms[0]?.atom.kind === 'counter' || terms[0]?.atom.kind === 'computed');
  const text = `${isNamed ? inner : `(${inner})`} ${atom.kind === 'quotient' ? '/' : 'mod'} ${atom.by}`;
  return isPart ? `(${text})` : text;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
