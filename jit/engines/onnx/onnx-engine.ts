import { type HostArray, type TypedArray, type ValueType, allocate } from '../../graph/graph.ts';
import type { CompileOptions, Engine, EngineDescription, Executable, Handle } from '../engine.ts';
import { checkHostArray, copied } from '../host-array.ts';
import { batched } from '../batched.ts';
import type { Graph } from '../../graph/graph.ts';
import { BufferPool } from './buffers.ts';
import { type OnnxRuntime, defaultThreads, instructionSet, loadOnnxRuntime } from './loader.ts';
import { type Program, onnxProgram } from './program.ts';
import { checkedInputs } from '../run-inputs.ts';
import { type OnnxDevice, OnnxSession } from './session.ts';
import { checkThreads } from '../threads.ts';

export interface OnnxEngineOptions {
  /** Default: cpu. */
  readonly device?: OnnxDevice;
  /** Threads inside an operator. Results may differ in the last bits between thread counts. Default: as many as the process may use. */
  readonly threads?: number;
}

/** Memory that onnxruntime reads, counted while runs use it. */
class OnnxHandle implements Handle {
  readonly shape: readonly number[];
  readonly dtype: HostArray['dtype'];
  readonly data: TypedArray;
  readonly #buffers: BufferPool;
  #isDisposed = false;
  #runs = 0;

  constructor({ shape, dtype, data }: HostArray, buffers: BufferPool) {
    this.shape = shape;
    this.dtype = dtype;
    this.data = data;
    this.#buffers = buffers;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  isOf(buffers: BufferPool): boolean {
    return this.#buffers === buffers;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (this.#runs === 0) this.#buffers.give(this.data);
  }

  /** Keeps the memory until `release`, also when the handle is disposed in between. */
  retain(): void {
    this.#runs += 1;
  }

  release(): void {
    this.#runs -= 1;
    if (this.#runs === 0 && this.#isDisposed) this.#buffers.give(this.data);
  }
}

/** An onnxruntime session for each program, all in this process; runs happen one after another and block the event loop while they do. */
class OnnxEngine implements Engine {
  readonly description: EngineDescription;
  readonly concurrency = 1;
  readonly #runtime: OnnxRuntime;
  readonly #device: OnnxDevice;
  readonly #buffers = new BufferPool();
  readonly #sessions = new Set<OnnxSession>();
  #isDisposed = false;
  /** The last run asked for: the next one starts after it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(runtime: OnnxRuntime, { device, threads }: Required<OnnxEngineOptions>) {
    this.#runtime = runtime;
    this.#device = device;
    const version = runtime.env.versions.node ?? runtime.env.versions.common;
    this.description = { name: 'onnx', device, threads, version, instructionSet: instructionSet() };
  }

  upload(array: HostArray): Handle {
    checkHostArray(array);
    const { shape, dtype, data } = array;
    return new OnnxHandle({ shape: [...shape], dtype, data: this.#buffers.copy(dtype, shape, data) }, this.#buffers);
  }

  async download(handle: Handle): Promise<HostArray> {
    if (!this.#isOwn(handle))
      throw new TypeError("Cannot download: expected a handle of this engine but got another engine's");
    if (handle.isDisposed) throw new RangeError('Cannot download: expected a live handle but got a disposed one');
    return copied(handle);
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    if (this.#isDisposed) throw new RangeError('Cannot compile: expected a live engine but got a disposed one');
    const program = onnxProgram(batched(graph, options), options, { controlFlow: this.#device !== 'webgpu' });
    if (program.model === undefined) return this.#executable(program, undefined);
    const session = await OnnxSession.create(program.model, {
      runtime: this.#runtime,
      buffers: this.#buffers,
      device: this.#device,
      threads: this.description.threads,
    });
    this.#sessions.add(session);
    return this.#executable(program, session);
  }

  #executable(program: Program, session: OnnxSession | undefined): Executable {
    let isDisposed = false;
    return {
      run: async (inputs) => {
        if (isDisposed || this.#isDisposed)
          throw new RangeError(`Cannot run ${program.name}: expected a live executable but got a disposed one`);
        const handles = checkedInputs(program, inputs, (handle): handle is OnnxHandle => this.#isOwn(handle));
        for (const handle of handles.values()) handle.retain();
        for (const name of program.donated) handles.get(name)?.dispose();
        const run = this.#last.then(() => this.#run(program, session, handles));
        this.#last = run.catch(() => undefined);
        return run;
      },
      dispose: () => {
        isDisposed = true;
        if (session === undefined || !this.#sessions.delete(session)) return;
        this.#last = this.#last.then(() => session.release());
      },
    };
  }

  async #run(
    program: Program,
    session: OnnxSession | undefined,
    handles: ReadonlyMap<string, OnnxHandle>,
  ): Promise<Map<string, Handle>> {
    try {
      const results =
        session === undefined
          ? new Map<string, TypedArray>()
          : await session.run(
              modelPorts(program.inputs, (name) => handles.get(name) as OnnxHandle),
              modelPorts(program.outputs, (_, type) => type),
            );
      return new Map(
        program.outputs.map(({ name, type, model }) => {
          const data = (model === undefined ? undefined : results.get(model)) ?? allocate(type.dtype, 0);
          return [name, new OnnxHandle({ ...type, data }, this.#buffers)];
        }),
      );
    } finally {
      for (const handle of handles.values()) handle.release();
    }
  }

  #isOwn(handle: Handle): handle is OnnxHandle {
    return handle instanceof OnnxHandle && handle.isOf(this.#buffers);
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#last;
    for (const session of this.#sessions) await session.release();
    this.#sessions.clear();
    this.#buffers.clear();
  }
}

/** Something for each port that the model has, by the model's name. */
function modelPorts<T>(ports: Program['inputs'], of: (name: string, type: ValueType) => T): Map<string, T> {
  return new Map(
    ports.flatMap(({ name, type, model }) => (model === undefined ? [] : [[model, of(name, type)] as const])),
  );
}

/**
 * An engine on onnxruntime in this process.
 * @throws RangeError for a thread count that is no positive integer; Error that says what to install when onnxruntime can't be loaded.
 */
export async function createOnnxEngine({ device = 'cpu', threads }: OnnxEngineOptions = {}): Promise<Engine> {
  const count = checkThreads(threads ?? defaultThreads());
  return new OnnxEngine(await loadOnnxRuntime(), { device, threads: count });
}
