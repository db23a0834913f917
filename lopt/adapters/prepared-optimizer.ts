import type { Graph, HostArray, ValueType } from '../../jit/graph/graph.ts';
import type { Engine, Executable, Handle } from '../../jit/engines/engine.ts';
import { type Key, fold, rootKey } from '../../jit/random/key.ts';
import { type Group, flatten, groupOf } from '../../jit/trace/structure.ts';
import type { Arrays, NoiseSpec, Optimizer, ParamSpecs } from '../optimizer.ts';
import { type EngineChoice, openEngine } from './default-engine.ts';
import { noiseOf, outputTypes, traceInit, traceUpdate } from './programs.ts';

/** Draws what a group of noise specs asks for, by flat name: a pure function of the key. */
export type NoiseSource = (noise: Group<NoiseSpec>, key: Key, specs: ParamSpecs) => Arrays;

/** What one step takes besides the optimizer's values. */
export interface StepInput {
  readonly params: Arrays;
  readonly grads: Arrays;
  /** Null at the start of a run: the optimizer's init makes it. */
  readonly state: Arrays | null;
  readonly step: number;
  readonly horizon: number;
  readonly losses: Readonly<Partial<Record<'loss' | 'validLoss', number>>>;
  readonly seed: number | string;
}

/** What one step gives. */
export interface StepOutput {
  readonly params: Arrays;
  readonly state: Arrays;
  /** The params where the optimizer has no weights of their own. */
  readonly weights: Arrays;
}

interface Compiled {
  readonly engine: Engine;
  readonly isOwn: boolean;
  readonly update: Executable;
  /** The optimizer's values, uploaded once. */
  readonly values: ReadonlyMap<string, Handle>;
}

/** An optimizer made ready for given parameters: traced at once, compiled once, when first needed. */
export class PreparedOptimizer {
  readonly optimizer: Optimizer;
  readonly specs: ParamSpecs;
  readonly init: Graph;
  readonly update: Graph;
  readonly stateTypes: Group<ValueType>;
  readonly #choice: EngineChoice | undefined;
  readonly #noise: NoiseSource | undefined;
  #compiled: Promise<Compiled> | undefined;

  /** @throws TypeError for an optimizer that draws random numbers when there is no source of them. */
  constructor(
    optimizer: Optimizer,
    specs: ParamSpecs,
    { engine, noise }: { readonly engine?: EngineChoice | undefined; readonly noise?: NoiseSource | undefined },
  ) {
    if (noise === undefined && optimizer.needs.some((need) => typeof need === 'object'))
      throw new TypeError(
        `Cannot run ${optimizer.name}: it draws random numbers, so expected option noise but got none`,
      );
    this.optimizer = optimizer;
    this.specs = specs;
    this.init = traceInit(optimizer, specs);
    this.stateTypes = outputTypes(this.init, 'state');
    this.update = traceUpdate(optimizer, specs, this.stateTypes);
    this.#choice = engine;
    this.#noise = noise;
  }

  /** Loads the engine and compiles the update. */
  async ready(): Promise<void> {
    await this.#compile();
  }

  /** One step, the optimizer's init first where there is no state. Nothing given is changed. */
  async step({ params, grads, state, step, horizon, losses, seed }: StepInput): Promise<StepOutput> {
    const { engine, update, values } = await this.#compile();
    const fixed = { horizon: scalar(horizon) };
    const start = state ?? (await this.#start(engine, { ...fixed, params, noise: this.#draw('init', seed, 0) }));
    const inputs = flatten<HostArray>({
      ...fixed,
      params,
      grads,
      state: start,
      step: { shape: [], dtype: 'int32', data: Int32Array.of(step) },
      noise: this.#draw('update', seed, step),
      ...Object.fromEntries(Object.entries(losses).map(([name, loss]) => [name, scalar(loss)])),
    });
    const outputs = await run(engine, update, { graph: this.update, values, inputs });
    const next = groupOf(outputs, 'next/params');
    const weights = groupOf(outputs, 'next/weights');
    return { params: next, state: groupOf(outputs, 'next/state'), weights: weights.size > 0 ? weights : next };
  }

  /** Gives back the compiled program, and the engine unless it was passed in. It compiles again when used again. */
  async dispose(): Promise<void> {
    const compiled = await this.#compiled?.catch(() => undefined);
    this.#compiled = undefined;
    if (compiled === undefined) return;
    for (const handle of compiled.values.values()) handle.dispose();
    compiled.update.dispose();
    if (compiled.isOwn) await compiled.engine.dispose();
  }

  async #start(
    engine: Engine,
    input: { readonly params: Arrays; readonly horizon: HostArray; readonly noise: Arrays },
  ): Promise<Arrays> {
    if (this.init.outputs.length === 0) return new Map();
    const init = await engine.compile(this.init);
    try {
      const inputs = flatten<HostArray>({ values: this.optimizer.values, ...input });
      return groupOf(await run(engine, init, { graph: this.init, values: new Map(), inputs }), 'state');
    } finally {
      init.dispose();
    }
  }

  #draw(purpose: 'init' | 'update', seed: number | string, step: number): Arrays {
    const noise = noiseOf(this.optimizer, purpose);
    if (noise.size === 0) return new Map();
    return this.#noise?.(noise, fold(rootKey(seed), purpose, step), this.specs) ?? new Map();
  }

  #compile(): Promise<Compiled> {
    this.#compiled ??= this.#load();
    return this.#compiled;
  }

  async #load(): Promise<Compiled> {
    const { engine, isOwn } = await openEngine(this.#choice);
    const update = await engine.compile(this.update);
    const values = flatten<HostArray>({ values: this.optimizer.values });
    return { engine, isOwn, update, values: new Map([...values].map(([name, array]) => [name, engine.upload(array)])) };
  }
}

async function run(
  engine: Engine,
  executable: Executable,
  {
    graph,
    values,
    inputs,
  }: {
    readonly graph: Graph;
    readonly values: ReadonlyMap<string, Handle>;
    readonly inputs: ReadonlyMap<string, HostArray>;
  },
): Promise<Map<string, HostArray>> {
  const wanted = new Set(graph.inputs.map(({ name }) => name));
  const uploaded = [...inputs]
    .filter(([name]) => wanted.has(name))
    .map(([name, array]) => [name, engine.upload(array)] as const);
  let outputs: ReadonlyMap<string, Handle> = new Map();
  try {
    outputs = await executable.run(new Map([...values, ...uploaded]));
    const arrays: [string, HostArray][] = [];
    for (const [name, handle] of outputs) arrays.push([name, await engine.download(handle)]);
    return new Map(arrays);
  } finally {
    for (const [, handle] of uploaded) handle.dispose();
    for (const handle of outputs.values()) handle.dispose();
  }
}

function scalar(value: number): HostArray {
  return { shape: [], dtype: 'float32', data: Float32Array.of(value) };
}
