import { type Graph, type Node, type ValueId, type ValueType, typeText } from './graph.ts';
import { bodiesOf, nodeText } from './node.ts';

/** Numbers of a constant that are shown. */
const SHOWN_NUMBERS = 6;

/**
 * A graph as text: its inputs, one node a line with the type of each value it makes, the bodies of a node indented under it, its outputs.
 * What the types already say (a reshape's shape, a cast's dtype) and attributes that are false or empty are left out.
 */
export function printGraph(graph: Graph): string {
  return [`graph ${graph.name}`, ...indented(linesOf(graph))].join('\n');
}

function linesOf(graph: Graph): string[] {
  const typed = (value: ValueId): string => `%${value} ${typeText(graph.values[value] as ValueType)}`;
  return [
    ...graph.inputs.map(({ name, value }) => `input ${typed(value)} ${name}`),
    ...graph.nodes.flatMap((node) => [
      `${node.outputs.map(typed).join(', ')} = ${expressionOf(node)}`,
      ...bodiesOf(node).flatMap(([attribute, body]) =>
        indented([attribute === body.name ? attribute : `${attribute} ${body.name}`, ...indented(linesOf(body))]),
      ),
    ]),
    ...graph.outputs.map(({ name, value }) => `output %${value} ${name}`),
  ];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function expressionOf(node: Node): string {
  const place = node.place === undefined ? '' : ` # ${node.place}`;
  if (node.op === 'constant') return `constant ${numbersText(node.attrs.data)}${place}`;
  const attributes = attributesText(node);
  const inputs = node.inputs.map((value) => `%${value}`).join(', ');
  return `${nodeText(node)}(${inputs})${attributes === '' ? '' : ` {${attributes}}`}${place}`;
}

/** Numbers of a constant, the first few: `[1, 0.5, ... 9 numbers]`; one alone without brackets. */
export function numbersText(data: ArrayLike<number>): string {
  const shown = Array.from(data).slice(0, SHOWN_NUMBERS).map(numberText);
  if (data.length === 1) return shown.join('');
  return `[${shown.join(', ')}${data.length > SHOWN_NUMBERS ? `, ... ${data.length} numbers` : ''}]`;
}

/** As few digits as give the same float32. */
export function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0';
  for (let digits = 1; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return String(short);
  }
  return String(value);
}

/** Attributes that the type of the result says already, by primitive. */
const SAID_BY_TYPE: Readonly<Record<string, readonly string[]>> = {
  reshape: ['shape'],
  broadcast: ['shape'],
  iota: ['shape', 'dtype'],
  cast: ['dtype'],
  slice: ['size'],
};

function attributesText(node: Node): string {
  const left = new Set(['fn', ...bodiesOf(node).map(([attribute]) => attribute), ...(SAID_BY_TYPE[node.op] ?? [])]);
  return Object.entries(node.attrs)
    .filter(([name, value]) => !left.has(name) && !isUsual(name, value))
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(' ');
}

function isUsual(name: string, value: unknown): boolean {
  if (value === false || (Array.isArray(value) && value.length === 0)) return true;
  return name === 'strides' && Array.isArray(value) && value.every((stride) => stride === 1);
}

function valueText(value: unknown): string {
  if (Array.isArray(value))
    return `[${value.map((each) => (typeof each === 'boolean' ? Number(each) : each)).join(',')}]`;
  return typeof value === 'number' ? numberText(value) : String(value);
}
