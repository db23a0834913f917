import { shippedSource } from './c-sources.ts';
import { type CompileCOptions, compileC } from './compile-c.ts';
import { type NativeFunction, loadLibrary } from './library.ts';
import { NativeMemory } from './native-memory.ts';
import { ThreadPool } from './thread-pool.ts';

/** The functions of c/runtime.c, the part of the native engine that is the same for all programs. */
export interface RuntimeFunctions {
  readonly createPool: NativeFunction<'pointer'>;
  readonly destroyPool: NativeFunction<'void'>;
  readonly sleeping: NativeFunction<'int64'>;
  readonly allocate: NativeFunction<'pointer'>;
  readonly free: NativeFunction<'void'>;
}

export interface Runtime {
  /** Starts threads. @throws RangeError for a count that is no positive integer; Error when the system refuses them. */
  createPool(threads: number): ThreadPool;
  /** Memory of the library's own, zeros at first. @throws RangeError for a size that is no positive integer; Error when there is none. */
  allocate(sizeBytes: number): NativeMemory;
}

let loaded: Promise<Runtime> | undefined;

/**
 * The runtime, compiled and loaded once a process.
 * @throws NoCompilerError, CompileError, or Error when it can't be compiled or loaded here.
 */
export function loadRuntime(options: Pick<CompileCOptions, 'log'> = {}): Promise<Runtime> {
  loaded ??= load(options).catch((cause: unknown) => {
    loaded = undefined;
    throw cause;
  });
  return loaded;
}

async function load(options: CompileCOptions): Promise<Runtime> {
  const library = loadLibrary(await compileC(shippedSource('runtime.c'), options));
  const functions: RuntimeFunctions = {
    createPool: library.declare('lopt_pool_create', { result: 'pointer', parameters: ['int64'] }),
    destroyPool: library.declare('lopt_pool_destroy', { result: 'void', parameters: ['pointer'] }),
    sleeping: library.declare('lopt_pool_sleeping', { result: 'int64', parameters: ['pointer'] }),
    allocate: library.declare('lopt_alloc', { result: 'pointer', parameters: ['int64'] }),
    free: library.declare('lopt_free', { result: 'void', parameters: ['pointer'] }),
  };
  return {
    createPool: (threads) => new ThreadPool(functions, threads),
    allocate: (sizeBytes) => new NativeMemory(functions, sizeBytes),
  };
}
