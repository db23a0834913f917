import { GraphBuilder } from '../../graph/builder.ts';
import {
  type Graph,
  type Node,
  type Port,
  type ValueId,
  type ValueType,
  allocate,
  sameType,
  typeText,
} from '../../graph/graph.ts';
import { freshName } from '../names.ts';
import { range } from '../expressions.ts';
import type { Applied, Derivative, Reverse } from './derivative.ts';
import { callGroups } from '../bodies.ts';
import { reachedOutputs } from './reach.ts';

/** Positions at which a test holds. */
function positions<T>(items: readonly T[], test: (item: T, index: number) => boolean): number[] {
  return range(items.length).filter((index) => test(items[index] as T, index));
}

/** Those of the cotangents at some positions that are there, zeros for the others. */
function cotangentsAt({ b }: Reverse, { outputs, cotangents }: Applied<'call' | 'cond' | 'scan' | 'customGradient'>) {
  return (index: number): ValueId => cotangents[index] ?? b.zeros(b.type(outputs[index] as ValueId));
}

/** The body's reverse pass is made once and called as often as the body; what all calls share gets the sum of theirs. */
const call: Derivative<'call'> = (reverse, applied) => {
  const { builder, backward } = reverse;
  const { attrs, inputs, cotangents, wanted } = applied;
  const { body, count, mapped } = attrs;
  const groups = callGroups(attrs);
  const calls = range(count);
  const given = positions(body.outputs, (_, output) => calls.some((i) => cotangents[output * count + i] !== undefined));
  const wrt = positions(groups, ({ start, size }) => wanted.slice(start, start + size).includes(true));
  const graph = backward(body, { cotangents: given, wrt });
  const seeds = given.flatMap((output) => calls.map((i) => cotangentsAt(reverse, applied)(output * count + i)));
  const outputs = builder.add('call', { body: graph, count, mapped: [...mapped, ...given.map(() => true)] }, [
    ...inputs,
    ...seeds,
  ]);
  const gradients: (ValueId | undefined)[] = inputs.map(() => undefined);
  wrt.forEach((group, index) => {
    const own = outputs.slice(index * count, (index + 1) * count);
    const { start } = groups[group] as { start: number };
    if (mapped[group] === true) gradients.splice(start, count, ...own);
    else gradients[start] = sumOf(reverse, own);
  });
  return gradients;
};

function sumOf({ b }: Reverse, parts: readonly ValueId[]): ValueId {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  return b.one('reduce', { fn: 'sum', axes: [0], keepDims: false }, [b.stack(parts)]);
}

const customGradient: Derivative<'customGradient'> = (reverse, applied) => {
  const { b, builder } = reverse;
  const { attrs, inputs, outputs, wanted } = applied;
  const gradients = builder.inline(attrs.backward, [
    ...inputs,
    ...outputs.map((_, index) => cotangentsAt(reverse, applied)(index)),
  ]);
  return inputs.map((input, index) => {
    const gradient = gradients[index];
    if (wanted[index] !== true) return undefined;
    if (gradient === undefined || !sameType(b.type(gradient), b.type(input)))
      throw new RangeError(
        `Cannot differentiate ${attrs.forward.name}: expected its backward to give ${typeText(b.type(input))} for input ${attrs.forward.inputs[index]?.name} but got ${gradient === undefined ? 'nothing' : typeText(b.type(gradient))}`,
      );
    return gradient;
  });
};

/** The reverse pass of the branch that was taken. */
const cond: Derivative<'cond'> = (reverse, applied) => {
  const { builder, backward } = reverse;
  const { attrs, inputs, cotangents, wanted } = applied;
  const given = positions(cotangents, (cotangent) => cotangent !== undefined);
  const wrt = positions(wanted.slice(1), (flag) => flag);
  const request = { cotangents: given, wrt };
  const outputs = builder.add(
    'cond',
    { then: backward(attrs.then, request), otherwise: backward(attrs.otherwise, request) },
    [...inputs, ...given.map(cotangentsAt(reverse, applied))],
  );
  const gradients: (ValueId | undefined)[] = inputs.map(() => undefined);
  wrt.forEach((operand, index) => {
    gradients[operand + 1] = outputs[index];
  });
  return gradients;
};

/**
 * The steps backwards: a scan over the carries that each step began with, the slices and the cotangents of what it gave, all reversed. It
 * carries the cotangents of the carries, and the sums of those of captured values.
 */
const scan: Derivative<'scan'> = (reverse, applied) => {
  const { b, builder, backward } = reverse;
  const { attrs, inputs, cotangents, wanted } = applied;
  const { body, length, carries, sequences } = attrs;
  const reached = reachedOutputs({ op: 'scan', attrs, inputs, outputs: applied.outputs }, wanted);
  const active = positions(reached, (flag, index) => flag && index < carries);
  const stacked = positions(cotangents, (cotangent, index) => index >= carries && cotangent !== undefined);
  const isSlice = (index: number): boolean => index >= carries && index < carries + sequences;
  const slices = positions(wanted, (flag, index) => flag && isSlice(index));
  const captured = positions(wanted, (flag, index) => flag && index >= carries + sequences);
  const graph = backward(body, { cotangents: [...active, ...stacked], wrt: [...active, ...slices, ...captured] });
  const used = usedPositions(graph);
  const residuals = range(body.inputs.length).filter((index) => used.has(index));
  const own = {
    carries: residuals.filter((index) => index < carries),
    slices: residuals.filter(isSlice),
    captured: residuals.filter((index) => index >= carries + sequences),
  };
  const backwardBody = stepBackwards({
    graph,
    bodyInputs: body.inputs.length,
    counts: { active: active.length, stacked: stacked.length, slices: slices.length, captured: captured.length },
    own,
  });
  const backwards = (id: ValueId): ValueId => b.reverse(id, [0]);
  const cotangent = cotangentsAt(reverse, applied);
  const starts = stackCarries(reverse, { applied, wanted: own.carries });
  const outputs = builder.add(
    'scan',
    {
      body: backwardBody,
      length,
      carries: active.length + captured.length,
      sequences: own.carries.length + own.slices.length + stacked.length,
    },
    [
      ...active.map(cotangent),
      ...captured.map((index) => b.zeros(b.type(inputs[index] as ValueId))),
      ...starts.map(backwards),
      ...own.slices.map((index) => backwards(inputs[index] as ValueId)),
      ...stacked.map((index) => backwards(cotangent(index))),
      ...own.captured.map((index) => inputs[index] as ValueId),
    ],
  );
  const gradients: (ValueId | undefined)[] = inputs.map(() => undefined);
  [...active, ...captured].forEach((position, index) => {
    gradients[position] = outputs[index];
  });
  slices.forEach((position, index) => {
    gradients[position] = backwards(outputs[active.length + captured.length + index] as ValueId);
  });
  return gradients;
};

/** Positions of the inputs on which an output depends. */
function usedPositions(graph: Graph): Set<number> {
  const wanted = new Set(graph.outputs.map(({ value }) => value));
  for (const node of graph.nodes.toReversed())
    if (node.outputs.some((id) => wanted.has(id))) for (const id of node.inputs) wanted.add(id);
  return new Set(positions(graph.inputs, ({ value }) => wanted.has(value)));
}

/** Positions among a body's inputs of what its reverse pass needs, by kind. */
interface Residuals {
  readonly carries: readonly number[];
  readonly slices: readonly number[];
  readonly captured: readonly number[];
}

/**
 * The body of a reversed scan. Takes the cotangents of the carries, the sums so far, then what `residuals` names of the carries and slices,
 * the cotangents of the step's other outputs, and the captured values that it needs.
 */
function stepBackwards({
  graph,
  bodyInputs,
  counts,
  own,
}: {
  readonly graph: Graph;
  readonly bodyInputs: number;
  readonly counts: Record<'active' | 'stacked' | 'slices' | 'captured', number>;
  readonly own: Residuals;
}): Graph {
  const builder = new GraphBuilder(graph.name);
  const names = new Set<string>();
  const values = new Map<number, ValueId>();
  const declare = (name: string, type: ValueType): ValueId => builder.input(freshName(name, names), type);
  const take = (position: number): void => {
    const { name, value } = graph.inputs[position] as Port;
    values.set(position, declare(name, graph.values[value] as ValueType));
  };
  const outputType = (index: number): ValueType => graph.values[(graph.outputs[index] as Port).value] as ValueType;
  const cotangents = range(counts.active + counts.stacked).map((index) => bodyInputs + index);
  const sumsFrom = counts.active + counts.slices;
  cotangents.slice(0, counts.active).forEach(take);
  const sums = range(counts.captured).map((index) =>
    declare(`sum/${graph.outputs[sumsFrom + index]?.name}`, outputType(sumsFrom + index)),
  );
  own.carries.forEach(take);
  own.slices.forEach(take);
  cotangents.slice(counts.active).forEach(take);
  own.captured.forEach(take);
  // An input that the reverse pass doesn't need may be anything of its type.
  const given = graph.inputs.map(
    ({ value }, position) => values.get(position) ?? placeholder(builder, graph.values[value] as ValueType),
  );
  const gradients = builder.inline(graph, given);
  const outputs = graph.outputs.map(({ name }, index) => ({ name, value: gradients[index] as ValueId }));
  const next = sums.map((sum, index) => ({
    name: graph.outputs[sumsFrom + index]?.name ?? '',
    value: builder.one('binary', { fn: 'add' }, [sum, gradients[sumsFrom + index] as ValueId]),
  }));
  return builder.finish([...outputs.slice(0, counts.active), ...next, ...outputs.slice(counts.active, sumsFrom)]);
}

function placeholder(builder: GraphBuilder, { shape, dtype }: ValueType): ValueId {
  return builder.one('constant', { shape, dtype, data: allocate(dtype, 1) }, []);
}

/**
 * The carries that each step of a scan begins with, along a new leading axis. The scan in the builder is replaced by one that gives them
 * too (what it gave before, it gives under the same ids), so that the forward pass runs once.
 */
function stackCarries(
  { builder }: Reverse,
  { applied, wanted }: { readonly applied: Applied<'scan'>; readonly wanted: readonly number[] },
): readonly ValueId[] {
  const { body, length, carries } = applied.attrs;
  const ports = [...body.outputs];
  const outputs = [...applied.outputs];
  const names = new Set(ports.map(({ name }) => name));
  const stacks = wanted.map((carry) => {
    const { name, value } = body.inputs[carry] as Port;
    const known = ports.findIndex((port, index) => index >= carries && port.value === value);
    if (known >= 0) return outputs[known] as ValueId;
    const { shape, dtype } = body.values[value] as ValueType;
    ports.push({ name: freshName(`before/${name}`, names), value });
    const stack = builder.values.push({ shape: [length, ...shape], dtype }) - 1;
    outputs.push(stack);
    return stack;
  });
  const node: Node<'scan'> = {
    ...(builder.nodes[applied.position] as Node<'scan'>),
    attrs: { ...applied.attrs, body: { ...body, outputs: ports } },
    outputs,
  };
  builder.nodes[applied.position] = node;
  return stacks;
}

export const CONTROL_FLOW_DERIVATIVES: {
  readonly [O in 'call' | 'customGradient' | 'cond' | 'scan']: Derivative<O>;
} = { call, customGradient, cond, scan };
