import type { Engine, Executable, Handle } from '../jit/engines/engine.ts';
import { GraphBuilder } from '../jit/graph/builder.ts';
import {
  type Graph,
  type HostArray,
  type ValueType,
  allocate,
  sameType,
  sizeOf,
  typeText,
} from '../jit/graph/graph.ts';
import { type Key, fold } from '../jit/random/key.ts';
import { flatten } from '../jit/trace/structure.ts';
import type { Arrays, Optimizer } from '../lopt/optimizer.ts';
import { drawNoise } from '../tasks/noise.ts';
import type { Task } from '../tasks/task.ts';
import type { Plan } from './plan.ts';
import { type MetaLossSplit, type StepInputs, stepInputs } from './program.ts';
import { evaluationNoise, stateTypes, traceEvaluation, traceWindow } from './window-program.ts';

/** Inputs of the window program that carry the particle axis besides state and mapped values. */
const MAPPED_PLAN = new Set(['rows', 'validRows', 'metaRows', 'reset']);

export interface UnrollOptions {
  readonly engine: Engine;
  readonly task: Task;
  /** Its `values` give the names and shapes of all values; what they hold is given to each window. */
  readonly optimizer: Optimizer;
  /** Inner steps in a window. */
  readonly windowLength: number;
  /** Inner problems that run as one batch. */
  readonly particles: number;
  /** Capacity for trajectories that begin in one window, over all particles. */
  readonly freshRows: number;
  /** Names of the values that differ between particles: given as `[particle, ...]`. All others are shared. */
  readonly mappedValues: ReadonlySet<string>;
  /** Where the losses come from that windows give as `losses`. Default: train. */
  readonly metaLoss?: MetaLossSplit;
}

/** Particles between windows, on the engine: `params/*`, `optimizer/*`, `dynamic/*`, `step`, `horizon`, all `[particle, ...]`. */
export interface ParticleState {
  readonly handles: ReadonlyMap<string, Handle>;
  /** Copies everything to the host, by the same names. */
  download(): Promise<Map<string, HostArray>>;
  dispose(): void;
}

export interface WindowResult {
  readonly state: ParticleState;
  /** What the task's normaliser makes of the loss before each step's update, on training batches or those of `metaLoss`, `[step, particle]`. */
  readonly losses: Float32Array;
  /** The training loss before each step's update, `[step, particle]`. */
  readonly rawLosses: Float32Array;
  /** 1 where the losses were finite, else 0, `[step, particle]`. */
  readonly mask: Float32Array;
}

/** A fixed batch on which every particle is evaluated. */
export interface EvaluationBatch {
  /** Rows of the task's resident tensors; left out where the task has no data. All batches have as many. */
  readonly rows?: Int32Array;
  /** Key of the noise that the task's loss takes. */
  readonly key: Key;
}

/**
 * Trains a batch of inner problems, a window of steps at a time. Which particle is trained with which values, data and starts is all
 * told from outside: a meta-training step gives each particle its own perturbed theta, a grid of learning rates its own rate.
 */
export interface Unroll {
  readonly task: Task;
  readonly inputs: StepInputs;
  readonly windowLength: number;
  readonly particles: number;
  readonly freshRows: number;
  readonly mappedValues: ReadonlySet<string>;
  /** The window program of one particle, before batching. */
  readonly graph: Graph;
  /** A state of zeros, for windows whose plan begins every trajectory before the first step. */
  emptyState(): ParticleState;
  /** A state from a download. @throws RangeError when an array is missing or of another type. */
  uploadState(arrays: ReadonlyMap<string, HostArray>): ParticleState;
  /**
   * One window for all particles: one run of one compiled program. The state given is consumed.
   * @param input.values every value of the optimizer, mapped ones `[particle, ...]`.
   * @throws RangeError when a value is missing or of another type.
   */
  window(input: { readonly values: Arrays; readonly state: ParticleState; readonly plan: Plan }): Promise<WindowResult>;
  /**
   * Loss and auxiliary scalars of every particle on each batch, by name, `[batch, particle]`; at the optimizer's `weights` where it has
   * them. The state is left as it is. Nothing that it returns comes from training batches.
   */
  evaluate(input: {
    readonly values: Arrays;
    readonly state: ParticleState;
    readonly batches: readonly EvaluationBatch[];
  }): Promise<Map<string, Float32Array>>;
  /** A state whose particle i is particle `sources[i]` of the one given, which is consumed. */
  rearrange(state: ParticleState, sources: readonly number[]): Promise<ParticleState>;
  dispose(): void;
}

/**
 * Traces and compiles the window program.
 * @throws RangeError when a mapped value isn't one of the optimizer's, or the optimizer needs what unrolls don't give.
 */
export async function createUnroll(options: UnrollOptions): Promise<Unroll> {
  const { engine, task, optimizer, particles, mappedValues } = options;
  for (const name of mappedValues)
    if (!optimizer.values.has(name))
      throw new RangeError(
        `Cannot map value ${name} of ${optimizer.name} over particles: expected one of ${[...optimizer.values.keys()].join(', ')}`,
      );
  const inputs = stepInputs(task, optimizer, options.metaLoss);
  const types = stateTypes(task, optimizer, inputs);
  const flatTypes = flatten({ ...types });
  const graph = traceWindow({ ...options, inputs, state: types });
  const mappedNames = [...mappedValues].map((name) => `values/${name}`);
  const executable = await engine.compile(graph, {
    particles,
    mapped: new Set([
      ...mappedNames,
      ...flatTypes.keys(),
      ...graph.inputs.map(({ name }) => name).filter((name) => MAPPED_PLAN.has(name) || name.startsWith('noise/')),
    ]),
    donate: new Map([...flatTypes.keys()].map((name) => [name, `next/${name}`])),
  });
  const resident = new Map(
    [...(task.data?.resident ?? [])].map(([name, array]) => [`resident/${name}`, engine.upload(array)]),
  );
  const evaluators = new Map<number | undefined, Promise<Evaluator>>();
  const rearrangers = new Map<string, Promise<Executable>>();

  const makeState = (handles: ReadonlyMap<string, Handle>): ParticleState => ({
    handles,
    download: async () => {
      const arrays = new Map<string, HostArray>();
      for (const [name, handle] of handles) arrays.set(name, await engine.download(handle));
      return arrays;
    },
    dispose: () => disposeAll(handles.values()),
  });

  const uploadValues = (values: Arrays): Map<string, Handle> => {
    const arrays = [...optimizer.values].map(([name, { shape, dtype }]): [string, HostArray] => {
      const type = { shape: mappedValues.has(name) ? [particles, ...shape] : shape, dtype };
      return [`values/${name}`, expectArray(values, { name, type, what: `value of ${optimizer.name}` })];
    });
    return new Map(arrays.map(([name, array]) => [name, engine.upload(array)]));
  };

  const read = async (handle: Handle | undefined): Promise<Float32Array> => {
    if (handle === undefined)
      throw new RangeError('Cannot read a window: expected its losses but the program gave none');
    // Losses and masks are float32 by construction of the program.
    return (await engine.download(handle)).data as Float32Array;
  };

  const uploadState = (arrays: ReadonlyMap<string, HostArray>): ParticleState => {
    const checked = [...flatTypes].map(([name, type]): [string, HostArray] => [
      name,
      expectArray(arrays, { name, type: batched(type, particles), what: 'state' }),
    ]);
    return makeState(new Map(checked.map(([name, array]) => [name, engine.upload(array)])));
  };

  const compileEvaluator = async (batchSize: number | undefined): Promise<Evaluator> => {
    const graph = traceEvaluation({ task, optimizer, inputs, state: types, batchSize });
    const names = new Set(graph.inputs.map(({ name }) => name));
    const mapped = new Set([...mappedNames, ...flatTypes.keys()].filter((name) => names.has(name)));
    return { inputs: names, executable: await engine.compile(graph, { particles, mapped }) };
  };

  const evaluatorFor = (batchSize: number | undefined): Promise<Evaluator> => {
    const evaluator = evaluators.get(batchSize) ?? compileEvaluator(batchSize);
    evaluators.set(batchSize, evaluator);
    return evaluator;
  };

  return {
    ...options,
    inputs,
    graph,
    emptyState: () =>
      uploadState(new Map([...flatTypes].map(([name, type]) => [name, zeros(batched(type, particles))]))),
    uploadState,
    window: async ({ values, state, plan }) => {
      const given = new Map([...plan].map(([name, array]) => [name, engine.upload(array)]));
      for (const [name, handle] of uploadValues(values)) given.set(name, handle);
      const running = executable.run(new Map([...given, ...resident, ...state.handles]));
      // What a run was given may be given back while it runs: an engine with workers then needn't keep it.
      disposeAll(given.values());
      const outputs = await running;
      const [losses, rawLosses, mask] = await Promise.all(
        ['losses', 'rawLosses', 'mask'].map(async (name) =>
          transpose(await read(outputs.get(name)), { rows: particles, columns: options.windowLength }),
        ),
      );
      for (const name of ['losses', 'rawLosses', 'mask']) outputs.get(name)?.dispose();
      const next = new Map([...flatTypes.keys()].map((name) => [name, outputs.get(`next/${name}`)]));
      return {
        state: makeState(new Map([...next].filter((entry): entry is [string, Handle] => entry[1] !== undefined))),
        losses: losses ?? new Float32Array(),
        rawLosses: rawLosses ?? new Float32Array(),
        mask: mask ?? new Float32Array(),
      };
    },
    evaluate: async ({ values, state, batches }) => {
      const results = new Map<string, Float32Array>();
      const shared = new Map([...uploadValues(values), ...resident, ...state.handles]);
      for (const [index, { rows, key }] of batches.entries()) {
        const evaluator = await evaluatorFor(rows?.length);
        const given = new Map<string, Handle>();
        if (rows !== undefined) given.set('rows', engine.upload({ shape: [rows.length], dtype: 'int32', data: rows }));
        for (const [name, spec] of evaluationNoise(inputs))
          given.set(`noise/${name}`, engine.upload(drawNoise(spec, fold(key, name))));
        const taken = [...shared, ...given].filter(([name]) => evaluator.inputs.has(name));
        const outputs = await evaluator.executable.run(new Map(taken));
        for (const [name, handle] of outputs) {
          const all = results.get(name) ?? new Float32Array(batches.length * particles);
          all.set(await read(handle), index * particles);
          results.set(name, all);
        }
        disposeAll([...given.values(), ...outputs.values()]);
      }
      for (const name of optimizer.values.keys()) shared.get(`values/${name}`)?.dispose();
      return results;
    },
    rearrange: async (state, sources) => {
      const key = sources.join();
      const compiled = rearrangers.get(key) ?? engine.compile(rearrangeGraph(flatTypes, { particles, sources }));
      rearrangers.set(key, compiled);
      const outputs = await (await compiled).run(state.handles);
      state.dispose();
      return makeState(new Map([...outputs].map(([name, handle]) => [name.replace(/^next\//, ''), handle])));
    },
    dispose: () => {
      executable.dispose();
      disposeAll(resident.values());
      for (const evaluator of evaluators.values()) void evaluator.then(({ executable }) => executable.dispose());
      for (const rearranger of rearrangers.values()) void rearranger.then((executable) => executable.dispose());
    },
  };
}

interface Evaluator {
  readonly inputs: ReadonlySet<string>;
  readonly executable: Executable;
}

function disposeAll(handles: Iterable<Handle>): void {
  for (const handle of handles) handle.dispose();
}

function batched({ shape, dtype }: ValueType, particles: number): ValueType {
  return { shape: [particles, ...shape], dtype };
}

function zeros({ shape, dtype }: ValueType): HostArray {
  return { shape, dtype, data: allocate(dtype, sizeOf(shape)) };
}

function expectArray(
  arrays: ReadonlyMap<string, HostArray>,
  { name, type, what }: { name: string; type: ValueType; what: string },
): HostArray {
  const array = arrays.get(name);
  if (array === undefined || !sameType(array, type))
    throw new RangeError(
      `Cannot unroll: expected ${what} ${name} to be ${typeText(type)} but got ${array === undefined ? 'none' : typeText(array)}`,
    );
  return array;
}

/** `[row, column]` to `[column, row]`. */
function transpose(data: Float32Array, { rows, columns }: { rows: number; columns: number }): Float32Array {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1) out[column * rows + row] = data[row * columns + column]!;
  return out;
}

function rearrangeGraph(
  types: ReadonlyMap<string, ValueType>,
  { particles, sources }: { particles: number; sources: readonly number[] },
): Graph {
  const builder = new GraphBuilder('rearrange particles');
  const entries = [...types].map(([name, type]) => ({ name, value: builder.input(name, batched(type, particles)) }));
  const indices = builder.constant({ shape: [sources.length], dtype: 'int32', data: Int32Array.from(sources) });
  const outputs = entries.map(({ name, value }) => ({
    name: `next/${name}`,
    value: builder.one('gather', { axis: 0, batchDims: 0 }, [value, indices]),
  }));
  return builder.finish(outputs);
}
