import type { Graph, HostArray } from '../graph/graph.ts';

/** What an engine is, as logs and run directories record it. */
export interface EngineDescription {
  readonly name: 'eager' | 'onnx' | 'native';
  readonly device: string;
  readonly threads: number;
  /** Version of the runtime underneath. */
  readonly version: string;
  /** Instruction set of the processor as far as results may depend on it. */
  readonly instructionSet: string;
}

/** A tensor that an engine holds. Only the engine that made it can use it. */
export interface Handle {
  readonly shape: readonly number[];
  readonly dtype: HostArray['dtype'];
  /** Gives the memory back. A handle is not used afterwards. Disposing twice does nothing. */
  dispose(): void;
}

export interface CompileOptions {
  /** Number of particles. Where given, the inputs named in `mapped` carry a leading axis of this extent, and so do all outputs. */
  readonly particles?: number;
  /** Names of the inputs that carry the particle axis. Default: none. Needs `particles`. */
  readonly mapped?: ReadonlySet<string>;
  /**
   * State that is replaced by the run: input name to the output that takes its place. The handle given for the input is consumed by
   * the run (never used again), so that its memory can hold a later output. An engine may ignore it.
   */
  readonly donate?: ReadonlyMap<string, string>;
}

/** A graph made ready to run. */
export interface Executable {
  /** Runs once: every input by name, every output by name. Calls may overlap where the engine has several workers. */
  run(inputs: ReadonlyMap<string, Handle>): Promise<Map<string, Handle>>;
  dispose(): void;
}

/** Runs graphs. A graph is of one particle; `compile` batches it where `particles` is given. */
export interface Engine {
  readonly description: EngineDescription;
  /** Number of `run` calls that make progress at the same time. */
  readonly concurrency: number;
  /** Copies an array in. The caller keeps its array and may change it afterwards. */
  upload(array: HostArray): Handle;
  /** Copies an array out, into memory that the engine never touches again. */
  download(handle: Handle): Promise<HostArray>;
  compile(graph: Graph, options?: CompileOptions): Promise<Executable>;
  dispose(): Promise<void>;
}
