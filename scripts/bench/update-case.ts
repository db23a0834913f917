import type { Engine, Handle } from '../../jit/engines/engine.ts';
import { sizeOf, type HostArray } from '../../jit/graph/graph.ts';
import { normal } from '../../jit/random/draws.ts';
import { fold, rootKey } from '../../jit/random/key.ts';
import { noiseOf, noiseTypes, outputTypes, traceInit, traceUpdate } from '../../lopt/adapters/programs.ts';
import type { Optimizer, ParamSpecs } from '../../lopt/optimizer.ts';
import type { Spread } from '../../meta/statistics.ts';
import { engineFacts, peakMemoryBytes, repeat, scaled, type BenchCase, type RepeatOptions } from './case.ts';

/** A result of `lopt bench update`. */
export interface UpdateResult extends BenchCase {
  readonly nsPerParam: Spread;
  readonly firstStepMs: number;
  readonly peakMemoryBytes: number;
}

/** Times one update after another, everything resident on the engine: no gradient is copied in, no parameter out. */
export async function benchUpdateCase(
  optimizer: Optimizer,
  {
    engine,
    specs,
    size,
    repeats,
  }: { readonly engine: Engine; readonly specs: ParamSpecs; readonly size: string; readonly repeats: RepeatOptions },
): Promise<UpdateResult> {
  const key = rootKey('bench update');
  const scalar = (value: number): HostArray => ({ shape: [], dtype: 'float32', data: Float32Array.of(value) });
  const drawn = (name: string, shape: readonly number[]): HostArray => ({
    shape,
    dtype: 'float32',
    data: normal(fold(key, name), sizeOf(shape)),
  });
  const noise = (purpose: 'init' | 'update'): [string, HostArray][] =>
    [...noiseTypes(noiseOf(optimizer, purpose), specs)].map(([name, { shape }]) => [
      `noise/${name}`,
      drawn(name, shape),
    ]);
  const upload = (arrays: Iterable<readonly [string, HostArray]>): Map<string, Handle> =>
    new Map([...arrays].map(([name, array]) => [name, engine.upload(array)]));

  const shared = upload([
    ...[...optimizer.values].map(([name, array]) => [`values/${name}`, array] as const),
    ['horizon', scalar(1000)],
  ]);
  const params = [...specs].map(([path, { shape }]) => [`params/${path}`, drawn(`params/${path}`, shape)] as const);
  const initGraph = traceInit(optimizer, specs);
  const updateGraph = traceUpdate(optimizer, specs, outputTypes(initGraph, 'state'));
  const init = await engine.compile(initGraph);
  const carried = new Map(
    updateGraph.outputs.flatMap(({ name }) => {
      const input = /^next\/((?:params|state)\/.*)$/.exec(name)?.[1];
      return input === undefined ? [] : [[input, name] as const];
    }),
  );
  const update = await engine.compile(updateGraph, { donate: carried });
  const started = await init.run(new Map([...shared, ...upload([...params, ...noise('init')])]));
  let state = new Map([...upload(params), ...started]);
  const steady = upload([
    ...[...specs].map(([path, { shape }]) => [`grads/${path}`, drawn(`grads/${path}`, shape)] as const),
    ...noise('update'),
    ['step', { shape: [], dtype: 'int32', data: Int32Array.of(10) }],
    ['loss', scalar(1)],
    ['validLoss', scalar(1)],
  ]);
  const names = new Set(updateGraph.inputs.map(({ name }) => name));
  const { firstStepMs, timesMs } = await repeat(async () => {
    const inputs = [...shared, ...steady, ...state].filter(([name]) => names.has(name));
    const outputs = await update.run(new Map(inputs));
    state = new Map(
      [...carried].flatMap(([input, output]) => {
        const handle = outputs.get(output);
        return handle ? [[input, handle] as const] : [];
      }),
    );
    for (const [name, handle] of outputs) if (name.startsWith('next/weights/')) handle.dispose();
  }, repeats);
  init.dispose();
  update.dispose();
  for (const handle of [...shared.values(), ...steady.values(), ...state.values()]) handle.dispose();
  const count = [...specs.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return {
    case: `update ${optimizer.name} ${size}`,
    ...engineFacts(engine.description),
    params: count,
    nsPerParam: scaled(timesMs, 1e6 / count),
    firstStepMs,
    peakMemoryBytes: peakMemoryBytes(),
  };
}
