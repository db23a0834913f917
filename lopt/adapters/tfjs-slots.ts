/** State of an optimizer that TensorFlow.js variables hold, and how it is laid out when saved. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { sameShape } from '../../jit/graph/graph.ts';
import type { ParamSpecs, Tensors } from '../optimizer.ts';
import { listed } from './param-specs.ts';

/** A tensor and its name, as TensorFlow.js's optimizers give and take their weights. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** What belongs to one variable: its own count of steps and its own states, by name. */
export interface Slot {
  readonly step: number;
  readonly states: ReadonlyMap<string, Tensor>;
}

/** A slot as it was saved, with the shape of the variable that it is for. */
export interface SavedSlot extends Slot {
  readonly shape: readonly number[];
}

/** Everything that an optimizer saves. Slots go by the order in which variables were first used: names carry a process-wide counter. */
export interface SavedSlots {
  readonly iterations: number;
  readonly slots: readonly SavedSlot[];
  /** State that belongs to no variable. */
  readonly shared: ReadonlyMap<string, Tensor>;
}

/** A flat state, split into that of each parameter, by path and name, and the rest. */
export function splitState(
  state: Tensors,
  specs: ParamSpecs,
): { readonly own: ReadonlyMap<string, ReadonlyMap<string, Tensor>>; readonly shared: ReadonlyMap<string, Tensor> } {
  const own = new Map<string, Map<string, Tensor>>([...specs.keys()].map((path) => [path, new Map()]));
  const shared = new Map<string, Tensor>();
  // A longer path first: `m/dense/kernel` belongs to dense/kernel, not to kernel.
  const paths = [...specs.keys()].sort((a, b) => b.length - a.length);
  for (const [name, tensor] of state) {
    const path = paths.find((candidate) => name.endsWith(`/${candidate}`));
    if (path === undefined) shared.set(name, tensor);
    else own.get(path)?.set(name.slice(0, -path.length - 1), tensor);
  }
  return { own, shared };
}

/**
 * The saved form: `iter`, then `variables` (int32: step, rank and extents of each variable in turn), then the states, `0/m` of the first
 * variable and so on, then `shared/<name>`. The states are the optimizer's own tensors, as in TensorFlow.js's optimizers.
 */
export function encodeSlots({ iterations, slots, shared }: SavedSlots): NamedTensor[] {
  const layout = slots.flatMap(({ step, shape }) => [step, shape.length, ...shape]);
  return [
    { name: 'iter', tensor: tf.scalar(iterations, 'int32') },
    { name: 'variables', tensor: tf.tensor1d(layout, 'int32') },
    ...slots.flatMap(({ states }, index) =>
      [...states].map(([name, tensor]) => ({ name: `${index}/${name}`, tensor })),
    ),
    ...[...shared].map(([name, tensor]) => ({ name: `shared/${name}`, tensor })),
  ];
}

/** Reads the saved form; its tensors are the ones given. @throws RangeError when it isn't one. */
export async function decodeSlots(weights: readonly NamedTensor[]): Promise<SavedSlots> {
  const named = new Map(weights.map(({ name, tensor }) => [name, tensor]));
  const iterations = await integers(named, 'iter');
  const layout = await integers(named, 'variables');
  const heads: { readonly step: number; readonly shape: readonly number[] }[] = [];
  for (let at = 0; at < layout.length;) {
    const [step = 0, rank = 0] = layout.slice(at, at + 2);
    heads.push({ step, shape: layout.slice(at + 2, at + 2 + rank) });
    at += 2 + rank;
  }
  const states = heads.map(() => new Map<string, Tensor>());
  const shared = new Map<string, Tensor>();
  for (const [name, tensor] of named) {
    if (name === 'iter' || name === 'variables') continue;
    const [head = '', ...rest] = name.split('/');
    const place = head === 'shared' ? shared : states[/^\d+$/.test(head) ? Number(head) : -1];
    if (place === undefined || rest.length === 0)
      refuse(`the state of one of ${heads.length} variables, such as 0/m, or shared state`, name);
    place.set(rest.join('/'), tensor);
  }
  const slots = heads.map(({ step, shape }, index) => ({
    step,
    shape,
    states: states[index] ?? new Map<string, Tensor>(),
  }));
  return { iterations: iterations[0] ?? 0, slots, shared };
}

/**
 * Checks that a saved slot is of this variable and of this optimizer.
 * @throws RangeError naming what differs.
 */
export function checkSaved(
  saved: SavedSlot,
  {
    variable,
    index,
    expected,
  }: {
    readonly variable: Tensor & { name: string };
    readonly index: number;
    readonly expected: ReadonlyMap<string, Tensor>;
  },
): void {
  const doing = `Cannot restore the optimizer's state: expected variable ${index}, in order of first use,`;
  if (!sameShape(saved.shape, variable.shape))
    throw new RangeError(
      `${doing} to have shape [${saved.shape.join(',')}] but got ${variable.name} of shape [${variable.shape.join(',')}]`,
    );
  const differs = [...new Set([...expected.keys(), ...saved.states.keys()])].some((name) => {
    const [mine, its] = [expected.get(name), saved.states.get(name)];
    return mine === undefined || its === undefined || !sameShape(mine.shape, its.shape);
  });
  if (differs)
    throw new RangeError(`${doing} to have ${described(expected)} but the saved state has ${described(saved.states)}`);
}

function described(states: ReadonlyMap<string, Tensor>): string {
  return listed([...states].map(([name, { shape }]) => `${name} [${shape.join(',')}]`));
}

async function integers(named: ReadonlyMap<string, Tensor>, name: string): Promise<number[]> {
  const tensor = named.get(name);
  if (tensor === undefined) return refuse(`a tensor named ${name}`, listed(named.keys()));
  return [...(await tensor.data())];
}

function refuse(expected: string, got: string): never {
  throw new RangeError(`Cannot read the optimizer's weights: expected ${expected} but got ${got}`);
}
