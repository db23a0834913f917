import { type Graph, type HostArray, type TypedArray, allocate } from '../../graph/graph.ts';
import { batched } from '../batched.ts';
import type { CompileOptions, Engine, EngineDescription, Executable, Handle } from '../engine.ts';
import { checkHostArray, copied } from '../host-array.ts';
import { checkThreads } from '../threads.ts';
import { BufferPool } from './buffers.ts';
import { type OnnxRuntime, defaultThreads, instructionSet, loadOnnxRuntime } from './loader.ts';
import { PoolWorker } from './pool-worker.ts';
import { type Program, onnxProgram } from './program.ts';
import { checkedInputs } from '../run-inputs.ts';
import type { SentInput } from './worker-protocol.ts';

export interface OnnxPoolOptions {
  /** Worker threads. Results don't depend on their number. Default: as many as the process may use. */
  readonly threads?: number;
}

/** An array of the main thread. Workers keep copies under its number until it is disposed. */
class PoolHandle implements Handle {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: HostArray['dtype'];
  readonly data: TypedArray;
  readonly #pool: OnnxPool;
  isDisposed = false;

  constructor({ shape, dtype, data }: HostArray, { id, pool }: { id: number; pool: OnnxPool }) {
    this.shape = shape;
    this.dtype = dtype;
    this.data = data;
    this.id = id;
    this.#pool = pool;
  }

  isOf(pool: OnnxPool): boolean {
    return this.#pool === pool;
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.#pool.forget(this.id);
  }
}

/** Something that needs a worker to itself. */
interface Job {
  readonly start: (worker: PoolWorker) => Promise<void>;
  readonly cancel: () => void;
}

/** Worker threads, each with a one-thread session of every program. A run takes a free worker; the event loop stays free. */
class OnnxPool implements Engine {
  readonly description: EngineDescription;
  readonly concurrency: number;
  readonly #workers: readonly PoolWorker[];
  readonly #free: PoolWorker[];
  readonly #queue: Job[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #buffers = new BufferPool();
  #handles = 0;
  #programs = 0;
  #isDisposed = false;

  constructor(runtime: OnnxRuntime, threads: number) {
    this.concurrency = threads;
    this.#workers = Array.from({ length: threads }, () => new PoolWorker());
    this.#free = [...this.#workers];
    const version = runtime.env.versions.node ?? runtime.env.versions.common;
    this.description = { name: 'onnx', device: 'cpu', threads, version, instructionSet: instructionSet() };
  }

  #handle(array: HostArray): PoolHandle {
    this.#handles += 1;
    return new PoolHandle(array, { id: this.#handles, pool: this });
  }

  upload(array: HostArray): Handle {
    checkHostArray(array);
    const { shape, dtype, data } = array;
    return this.#handle({ shape: [...shape], dtype, data: this.#buffers.copy(dtype, shape, data) });
  }

  async download(handle: Handle): Promise<HostArray> {
    if (!this.#isOwn(handle))
      throw new TypeError("Cannot download: expected a handle of this engine but got another engine's");
    if (handle.isDisposed) throw new RangeError('Cannot download: expected a live handle but got a disposed one');
    return copied(handle);
  }

  /** Lets all workers drop their copies of a handle. */
  forget(id: number): void {
    for (const worker of this.#workers) worker.forget(id);
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    if (this.#isDisposed) throw new RangeError('Cannot compile: expected a live engine but got a disposed one');
    const program = onnxProgram(batched(graph, options), options);
    const number = this.#programs;
    this.#programs += 1;
    const { model } = program;
    if (model !== undefined)
      await Promise.all(
        this.#workers.map((worker) => worker.ask((request) => ({ kind: 'compile', request, program: number, model }))),
      );
    let isDisposed = false;
    return {
      run: async (inputs) => {
        if (isDisposed || this.#isDisposed)
          throw new RangeError(`Cannot run ${program.name}: expected a live executable but got a disposed one`);
        const handles = checkedInputs(program, inputs, (handle): handle is PoolHandle => this.#isOwn(handle));
        return this.#run(program, number, handles);
      },
      dispose: () => {
        if (isDisposed || model === undefined) return;
        isDisposed = true;
        for (const worker of this.#workers)
          worker.ask((request) => ({ kind: 'release', request, program: number })).catch(() => undefined);
      },
    };
  }

  async #run(program: Program, number: number, handles: ReadonlyMap<string, PoolHandle>): Promise<Map<string, Handle>> {
    // What is sent is settled now: the caller may dispose its handles while the run waits for a worker.
    const sent = program.inputs.flatMap(({ name, model }) => {
      const handle = handles.get(name) as PoolHandle;
      const isDonated = program.donated.has(name);
      return model === undefined ? [] : [{ model, handle, isDonated }];
    });
    for (const name of program.donated) handles.get(name)?.dispose();
    const outputs = program.outputs.flatMap(({ model, type }) =>
      model === undefined ? [] : [{ name: model, ...type }],
    );
    const results =
      outputs.length === 0
        ? new Map<string, TypedArray>()
        : await this.#withWorker((worker) => {
            const transfer: ArrayBuffer[] = [];
            const inputs = sent.map(({ model, handle, isDonated }): SentInput => {
              const { id, shape, dtype, data } = handle;
              if (worker.kept.has(id)) return { name: model, shape, dtype, id };
              // A donated array is handed over, one already disposed is sent for this run alone, any other is kept.
              if (isDonated) transfer.push(data.buffer as ArrayBuffer);
              if (isDonated || handle.isDisposed) return { name: model, shape, dtype, data };
              worker.kept.add(id);
              return { name: model, shape, dtype, id, data };
            });
            return worker.ask((request) => ({ kind: 'run', request, program: number, inputs, outputs }), transfer);
          });
    return new Map(
      program.outputs.map(({ name, type, model }) => {
        const data = (model === undefined ? undefined : results.get(model)) ?? allocate(type.dtype, 0);
        return [name, this.#handle({ ...type, data })];
      }),
    );
  }

  /** Does something with a worker that nothing else uses meanwhile, as soon as one is free; first come, first served. */
  #withWorker<T>(use: (worker: PoolWorker) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        start: async (worker) => {
          try {
            resolve(await use(worker));
          } catch (cause) {
            reject(cause instanceof Error ? cause : new Error(String(cause)));
          }
        },
        cancel: () => reject(new Error('Cannot run: expected a live engine but it was disposed before the run began')),
      });
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#free.length > 0 && this.#queue.length > 0) {
      const worker = this.#free.shift() as PoolWorker;
      const job = this.#queue.shift() as Job;
      const running = job.start(worker).finally(() => {
        this.#running.delete(running);
        this.#free.push(worker);
        this.#dispatch();
      });
      this.#running.add(running);
    }
  }

  #isOwn(handle: Handle): handle is PoolHandle {
    return handle instanceof PoolHandle && handle.isOf(this);
  }

  /** Runs that have begun are finished first; those that wait for a worker are rejected. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    for (const job of this.#queue.splice(0)) job.cancel();
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await Promise.all(this.#running);
    this.#buffers.clear();
  }
}

/**
 * An engine of onnxruntime worker threads: `concurrency` runs at a time, each on one thread, with the same results whatever their number.
 * @throws RangeError for a thread count that is no positive integer; Error that says what to install or build when a worker can't start.
 */
export async function createOnnxPool({ threads }: OnnxPoolOptions = {}): Promise<Engine> {
  const count = checkThreads(threads ?? defaultThreads());
  return new OnnxPool(await loadOnnxRuntime(), count);
}
