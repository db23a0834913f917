import type * as tf from '@tensorflow/tfjs-core';
import type { ValueId, ValueType } from '../graph/graph.ts';
import { isTracing, record, toTensor, toValue } from './session.ts';
import { traceBody } from './trace.ts';
import type { Group } from './structure.ts';

type Tensors = Readonly<Record<string, tf.Tensor>>;

/**
 * Applies one rule to every parameter tensor. See the parameters; the result is one group a name that the rule returns, paths in the order of `specs`.
 */
export function mapTensors<
  S extends { readonly shape: readonly number[] },
  C extends { readonly key: string },
  R extends Readonly<Record<string, Group<tf.Tensor>>>,
  O extends Readonly<Record<string, tf.Tensor>>,
  H extends Readonly<Record<string, tf.Tensor | undefined>> = Record<never, never>,
>(
  { specs, classOf, shared }: { readonly specs: Group<S>; readonly classOf: (spec: S) => C; readonly shared?: H },
  records: R,
  rule: (cls: C, tensors: any, shared: H) => O,
): { [K in keyof O]: Group<tf.Tensor> } {
  return mapAll({ specs, classOf, shared: (shared ?? {}) as Tensors }, records, rule as never) as {
    [K in keyof O]: Group<tf.Tensor>;
  };
}

function mapAll<S extends { readonly shape: readonly number[] }, C extends { readonly key: string }>(
  { specs, classOf, shared }: { readonly specs: Group<S>; readonly classOf: (spec: S) => C; readonly shared: Tensors },
  records: Readonly<Record<string, Group<tf.Tensor>>>,
  rule: (cls: C, tensors: Tensors, shared: Tensors) => Tensors,
): Record<string, Group<tf.Tensor>> {
  const results = new Map<string, Readonly<Record<string, tf.Tensor>>>();
  const present = (path: string): Record<string, tf.Tensor> => {
    const own: Record<string, tf.Tensor> = {};
    for (const [name, group] of Object.entries(records)) {
      const tensor = group.get(path);
      if (tensor !== undefined) own[name] = tensor;
    }
    return own;
  };
  if (!isTracing()) {
    for (const [path, spec] of specs) results.set(path, rule(classOf(spec), present(path), shared));
  } else {
    const groups = new Map<string, { readonly cls: C; readonly paths: string[] }>();
    for (const [path, spec] of specs) {
      const cls = classOf(spec);
      const shapes = Object.entries(present(path)).map(([name, x]) => `${name}:${x.dtype}[${x.shape}]`);
      const key = [cls.key, `[${spec.shape}]`, ...shapes].join(';');
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { cls, paths: [path] });
      else group.paths.push(path);
    }
    for (const { cls, paths } of groups.values())
      mapGroup(
        cls,
        paths.map((path) => ({ path, tensors: present(path) })),
        shared,
        rule,
        results,
      );
  }
  const joined: Record<string, Map<string, tf.Tensor>> = {};
  for (const path of specs.keys())
    for (const [name, tensor] of Object.entries(results.get(path) ?? {}))
      (joined[name] ??= new Map()).set(path, tensor);
  return joined;
}

function mapGroup<C extends { readonly key: string }>(
  cls: C,
  members: readonly { readonly path: string; readonly tensors: Tensors }[],
  shared: Tensors,
  rule: (cls: C, tensors: Tensors, shared: Tensors) => Tensors,
  results: Map<string, Tensors>,
): void {
  const first = members[0]?.tensors ?? {};
  const names = Object.keys(first);
  const sharedNames = Object.keys(shared).filter((name) => shared[name] !== undefined);
  const type = (x: tf.Tensor): ValueType => ({ shape: x.shape, dtype: x.dtype as 'float32' });
  const types = new Map<string, ValueType>([
    ...names.map((name): [string, ValueType] => [name, type(first[name] as tf.Tensor)]),
    ...sharedNames.map((name): [string, ValueType] => [`shared/${name}`, type(shared[name] as tf.Tensor)]),
  ]);
  let outputs: readonly string[] = [];
  const { graph } = traceBody(`class ${cls.key}`, types, false, (inputs) => {
    const own = Object.fromEntries(names.map((name) => [name, inputs.get(name) as tf.Tensor]));
    const all = Object.fromEntries(sharedNames.map((name) => [name, inputs.get(`shared/${name}`) as tf.Tensor]));
    const result = rule(cls, own, all);
    outputs = Object.keys(result);
    return result;
  });
  const inputs: ValueId[] = [
    ...names.flatMap((name) => members.map(({ tensors }) => toValue(tensors[name] as tf.Tensor, 'mapTensors'))),
    ...sharedNames.map((name) => toValue(shared[name] as tf.Tensor, 'mapTensors')),
  ];
  const count = members.length;
  const mapped = [...names.map(() => true), ...sharedNames.map(() => false)];
  const values = record('call', { body: graph, count, mapped }, inputs);
  members.forEach(({ path }, member) => {
    results.set(
      path,
      Object.fromEntries(outputs.map((name, index) => [name, toTensor(values[index * count + member] as ValueId)])),
    );
  });
}
