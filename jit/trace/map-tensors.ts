import type { Tensor } from '@tensorflow/tfjs-core';
import { type ValueType, typeText } from '../graph/graph.ts';
import { isTracing, record, tensorOf, typeOf, valueOf } from './recording.ts';
import type { Group } from './structure.ts';
import { traceBody } from './trace.ts';

/** What the rule gets of the records: a tensor for each record that has the path. */
export type TensorsOf<R> = { readonly [K in keyof R]: Tensor };

/** What comes of all tensors: a group for each tensor that the rule gives. */
export type GroupsOf<O> = { readonly [K in keyof O]: Group<Tensor> };

/** The tensors to map over, and what all of them share. */
export interface MapOptions<S, C, H> {
  /** Specs by path. Their order is that of the results. */
  readonly specs: Group<S>;
  /** The facts on which the rule may branch. */
  readonly classOf: (spec: S) => C;
  /** Values that all tensors share, such as theta and scalars; absent ones are left out. */
  readonly shared?: H;
}

/** One tensor's part in the call. */
interface Member<C> {
  readonly path: string;
  readonly cls: C;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

type Rule<C> = (
  cls: C,
  tensors: Record<string, Tensor>,
  shared: Record<string, Tensor>,
) => Readonly<Record<string, Tensor>>;

/**
 * Applies one rule to every parameter tensor. `records` are groups by path; a record may lack some paths, and the rule then gets
 * undefined for it. The rule may branch on the class alone and closes over no tensor. Traced, it runs once for each kind of tensor (shape,
 * class key, records that are there and their types) and becomes one `call` a kind; eagerly it is a plain loop.
 * @returns a group for each name that the rule gives, paths in the order of the specs.
 * @throws TraceError naming the tensor that a rule closes over.
 */
export function mapTensors<
  S extends { readonly shape: readonly number[] },
  C extends { readonly key: string },
  R extends Readonly<Record<string, Group<Tensor>>>,
  O extends Readonly<Record<string, Tensor>>,
  H extends Readonly<Record<string, Tensor | undefined>> = Readonly<Record<string, never>>,
>(
  { specs, classOf, shared }: MapOptions<S, C, H>,
  records: R,
  rule: (cls: C, tensors: TensorsOf<R>, shared: H) => O,
): GroupsOf<O> {
  const common = new Map(
    Object.entries(shared ?? {}).filter((entry): entry is [string, Tensor] => entry[1] !== undefined),
  );
  const members = [...specs].map(([path, spec]) => ({
    path,
    cls: classOf(spec),
    kind: spec.shape,
    tensors: tensorsAt(records, path),
  }));
  // One boundary: the rule's own types say what the records and the shared tensors are named.
  const own = rule as unknown as Rule<C>;
  const results = new Map<string, ReadonlyMap<string, Tensor>>();
  if (isTracing())
    for (const group of kindsOf(members))
      for (const [path, result] of callRule(group, common, own)) results.set(path, result);
  else
    for (const { path, cls, tensors } of members)
      results.set(path, new Map(Object.entries(own(cls, Object.fromEntries(tensors), Object.fromEntries(common)))));
  return regroup(members.map(({ path }) => [path, results.get(path) ?? new Map<string, Tensor>()])) as GroupsOf<O>;
}

function tensorsAt(records: Readonly<Record<string, Group<Tensor>>>, path: string): Map<string, Tensor> {
  return new Map(
    Object.entries(records).flatMap(([name, group]) => {
      const tensor = group.get(path);
      return tensor === undefined ? [] : [[name, tensor] as const];
    }),
  );
}

/** Members in groups that one body can serve, in the order of each group's first. */
function kindsOf<M extends Member<{ readonly key: string }> & { readonly kind: readonly number[] }>(
  members: readonly M[],
): M[][] {
  const groups = new Map<string, M[]>();
  for (const member of members) {
    const types = [...member.tensors].map(([name, tensor]) => [name, typeText(typeOf(tensor))]);
    const key = JSON.stringify([member.cls.key, member.kind, types]);
    const group = groups.get(key) ?? [];
    group.push(member);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** One call of the rule for tensors of one kind: the results by path. */
function callRule<C extends { readonly key: string }>(
  members: readonly Member<C>[],
  shared: ReadonlyMap<string, Tensor>,
  rule: Rule<C>,
): [string, Map<string, Tensor>][] {
  const [first] = members;
  if (first === undefined) return [];
  const names = [...first.tensors.keys()];
  const types = new Map<string, ValueType>([
    ...[...first.tensors].map(([name, tensor]): [string, ValueType] => [name, typeOf(tensor)]),
    ...[...shared].map(([name, tensor]): [string, ValueType] => [`shared/${name}`, typeOf(tensor)]),
  ]);
  const { graph } = traceBody(`rule ${first.cls.key}`, types, {
    handOver: 'hand it over among the records or the shared tensors',
    body: (inputs) => {
      const pick = (all: Iterable<string>, prefix: string): Record<string, Tensor> =>
        Object.fromEntries([...all].map((name) => [name, inputs.get(`${prefix}${name}`) as Tensor]));
      return new Map(Object.entries(rule(first.cls, pick(names, ''), pick(shared.keys(), 'shared/'))));
    },
  });
  const count = members.length;
  const mapped = [...names.map(() => true), ...[...shared.keys()].map(() => false)];
  const inputs = [
    ...names.flatMap((name) => members.map(({ tensors }) => valueOf(tensors.get(name) as Tensor, 'mapTensors'))),
    ...[...shared.values()].map((tensor) => valueOf(tensor, 'mapTensors')),
  ];
  const values = record('call', { body: graph, count, mapped }, inputs);
  return members.map(({ path }, member) => [
    path,
    new Map(graph.outputs.map(({ name }, output) => [name, tensorOf(values[output * count + member] ?? 0)])),
  ]);
}

function regroup(
  results: readonly (readonly [string, ReadonlyMap<string, Tensor>])[],
): Record<string, Map<string, Tensor>> {
  const groups: Record<string, Map<string, Tensor>> = {};
  for (const [path, result] of results)
    for (const [name, tensor] of result) (groups[name] ??= new Map<string, Tensor>()).set(path, tensor);
  return groups;
}
