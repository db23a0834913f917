import { type Graph, type HostArray, type TypedArray, type ValueType, sizeOf } from '../../graph/graph.ts';
import type { CompileOptions, Engine, EngineDescription, Executable, Handle } from '../engine.ts';
import { checkDonated, checkParticles } from '../batched.ts';
import { checkHostArray, copied } from '../host-array.ts';
import { checkedInputs } from '../run-inputs.ts';
import { checkThreads } from '../threads.ts';
import { compileC } from './compile-c.ts';
import { ENTRY, emitProgram } from './emit/program.ts';
import { lower } from './lower/lower.ts';
import { optimize } from './optimize/optimize.ts';
import { loadLibrary } from './library.ts';
import { PointerTable, addressOf, alignedArray } from './pointers.ts';
import { type Runtime, loadRuntime } from './runtime.ts';
import type { ThreadPool } from './thread-pool.ts';

/** A tensor in memory that native code reads and writes in place. */
class NativeHandle implements Handle {
  readonly shape: readonly number[];
  readonly dtype: HostArray['dtype'];
  readonly data: TypedArray;
  readonly engine: NativeEngine;
  isDisposed = false;

  constructor({ shape, dtype, data }: HostArray, engine: NativeEngine) {
    this.shape = shape;
    this.dtype = dtype;
    this.data = data;
    this.engine = engine;
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

function allocateAligned(dtype: HostArray['dtype'], count: number): TypedArray {
  if (dtype === 'float32') return alignedArray(ARRAYS.float32, count);
  return dtype === 'int32' ? alignedArray(ARRAYS.int32, count) : alignedArray(ARRAYS.bool, count);
}

/** An input or output of a program, of one particle. */
interface Port {
  readonly name: string;
  readonly type: ValueType;
  /** Elements between one particle's and the next one's: 0 where all share it. */
  readonly stride: number;
}

/** A table of where each particle's part of each array begins: `[particle, port]`. The arrays must outlive its use. */
function pointers(ports: readonly Port[], arrays: readonly TypedArray[], particles: number): PointerTable {
  const table = new PointerTable(particles * ports.length);
  ports.forEach(({ stride }, at) => {
    const data = arrays[at] as TypedArray;
    const [address, step] = [addressOf(data), BigInt(stride * data.BYTES_PER_ELEMENT)];
    for (let particle = 0; particle < particles; particle += 1)
      table.set(particle * ports.length + at, address + BigInt(particle) * step);
  });
  return table;
}

class NativeEngine implements Engine {
  readonly description: EngineDescription;
  /** One run has all the threads: its particles are shared among them. */
  readonly concurrency = 1;
  readonly #runtime: Runtime;
  readonly #pool: ThreadPool;
  #last: Promise<unknown> = Promise.resolve();
  #isDisposed = false;

  constructor(
    runtime: Runtime,
    { threads, version, instructionSet }: { threads: number; version: string; instructionSet: string },
  ) {
    this.#runtime = runtime;
    this.#pool = runtime.createPool(threads);
    this.description = { name: 'native', device: 'cpu', threads, version, instructionSet };
  }

  upload(array: HostArray): Handle {
    checkHostArray(array);
    const { shape, dtype, data } = array;
    const own = allocateAligned(dtype, data.length);
    own.set(data);
    return new NativeHandle({ shape: [...shape], dtype, data: own }, this);
  }

  async download(handle: Handle): Promise<HostArray> {
    if (!this.#isOwn(handle))
      throw new TypeError("Cannot download: expected a handle of this engine but got another engine's");
    if (handle.isDisposed) throw new RangeError('Cannot download: expected a live handle but got a disposed one');
    return copied(handle);
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    if (this.#isDisposed) throw new RangeError('Cannot compile: expected a live engine but got a disposed one');
    checkParticles(graph, options);
    checkDonated(graph, options.donate);
    const { particles = 1, mapped = new Set<string>(), donate } = options;
    const hasAxis = options.particles !== undefined;
    const { source, arenaBytes } = emitProgram(optimize(lower(graph)));
    const library = loadLibrary(await compileC(source));
    const entry = library.declare(ENTRY, {
      result: 'void',
      parameters: ['pointer', 'pointer', 'pointer', 'int64', 'int64'],
    });
    const strideBytes = Math.ceil((arenaBytes + 64) / 64) * 64;
    const arena = this.#runtime.allocate(strideBytes * this.description.threads);
    const typeOf = (value: number): ValueType => graph.values[value] as ValueType;
    const inputs = graph.inputs.map(({ name, value }): Port => {
      const type = typeOf(value);
      return { name, type, stride: mapped.has(name) ? sizeOf(type.shape) : 0 };
    });
    const outputs = graph.outputs.map(({ name, value }): Port => {
      const type = typeOf(value);
      return { name, type, stride: sizeOf(type.shape) };
    });
    const donated = new Set(donate?.keys());
    let isDisposed = false;
    const withAxis = ({ shape, dtype }: ValueType): ValueType => ({
      shape: hasAxis ? [particles, ...shape] : shape,
      dtype,
    });
    const program = {
      name: graph.name,
      inputs: inputs.map(({ name, type }) => ({ name, type: mapped.has(name) ? withAxis(type) : type })),
      donated,
    };
    return {
      run: async (given) => {
        if (isDisposed || this.#isDisposed)
          throw new RangeError(`Cannot run ${graph.name}: expected a live executable but got a disposed one`);
        const handles = checkedInputs(program, given, (handle): handle is NativeHandle => this.#isOwn(handle));
        for (const name of donated) handles.get(name)?.dispose();
        const results = outputs.map(({ type }): HostArray => {
          const { shape, dtype } = withAxis(type);
          return { shape, dtype, data: allocateAligned(dtype, sizeOf(shape)) };
        });
        const arrays = [...inputs.map(({ name }) => handles.get(name)?.data), ...results.map(({ data }) => data)];
        const table = pointers([...inputs, ...outputs], arrays as readonly TypedArray[], particles);
        const running = this.#last.then(() =>
          entry.async(this.#pool.pointer, table, arena.pointer, BigInt(strideBytes), BigInt(particles)),
        );
        // One program at a time: each has all the threads. Until it ends, `arrays` holds what the table leads to.
        this.#last = running.then(
          () => arrays,
          () => arrays,
        );
        await running;
        return new Map(outputs.map(({ name }, index) => [name, new NativeHandle(results[index] as HostArray, this)]));
      },
      dispose: () => {
        if (isDisposed) return;
        isDisposed = true;
        void this.#last.then(() => arena.dispose());
      },
    };
  }

  #isOwn(handle: Handle): handle is NativeHandle {
    return handle instanceof NativeHandle && handle.engine === this;
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#last;
    await this.#pool.dispose();
  }
}

/**
 * An engine that compiles graphs to machine code with the system's C compiler. Each particle runs from start to end on one thread; results
 * don't depend on the number of threads.
 * @throws RangeError for a thread count that is no positive integer; NoCompilerError without a C compiler.
 */
export async function createNativeEngine({ threads }: { readonly threads?: number } = {}): Promise<Engine> {
  const { defaultThreads, instructionSet } = await import('../onnx/loader.ts');
  const runtime = await loadRuntime();
  return new NativeEngine(runtime, {
    threads: checkThreads(threads ?? defaultThreads()),
    version: '1',
    instructionSet: instructionSet(),
  });
}
