import * as tf from '@tensorflow/tfjs-core';
import { type Graph, type HostArray, sameType, typeText, type ValueType } from '../../graph/graph.ts';
import { inlineCalls } from '../../transform/inline-calls.ts';
import { simplify } from '../../transform/simplify.ts';
import { batched } from '../batched.ts';
import type { CompileOptions, Engine, EngineDescription, Executable, Handle } from '../engine.ts';
import { checkHostArray, copied } from '../host-array.ts';
import { checkThreads } from '../threads.ts';
import { EAGER_DEVICES, type EagerDevice, startBackend } from './backends.ts';
import { replay } from './replay.ts';

export interface EagerEngineOptions {
  /** Default: cpu. */
  readonly device?: EagerDevice;
  /** Threads of the wasm backend (fixed once it has started); the others choose for themselves. Default: 1. */
  readonly threads?: number;
}

class EagerHandle implements Handle {
  readonly tensor: tf.Tensor;
  readonly shape: readonly number[];
  readonly dtype: HostArray['dtype'];

  constructor(tensor: tf.Tensor, { shape, dtype }: ValueType) {
    this.tensor = tensor;
    this.shape = shape;
    this.dtype = dtype;
  }

  dispose(): void {
    this.tensor.dispose();
  }
}

/** Replays graphs on a TensorFlow.js backend, particles batched; every call computes before it returns, on this thread. */
class EagerEngine implements Engine {
  readonly description: EngineDescription;
  readonly concurrency = 1;
  readonly #backend: string;

  constructor(backend: string, description: EngineDescription) {
    this.#backend = backend;
    this.description = description;
  }

  /** Runs with this engine's backend active, and leaves the caller's active. */
  #withBackend<T>(run: () => T): T {
    const before = tf.getBackend();
    if (before === this.#backend) return run();
    setBackendNow(this.#backend);
    try {
      return run();
    } finally {
      setBackendNow(before);
    }
  }

  upload(array: HostArray): Handle {
    checkHostArray(array);
    const { shape, dtype, data } = copied(array);
    return this.#withBackend(
      () => new EagerHandle(tf.keep(tf.tensor(data, [...shape], dtype)), { shape: [...shape], dtype }),
    );
  }

  async download(handle: Handle): Promise<HostArray> {
    if (!(handle instanceof EagerHandle))
      throw new TypeError("Cannot download: expected a handle of this engine but got another engine's");
    const { shape, dtype, tensor } = handle;
    if (tensor.isDisposed) throw new RangeError('Cannot download: expected a live handle but got a disposed one');
    const read = await tensor.data();
    const data =
      dtype === 'float32' ? Float32Array.from(read) : dtype === 'int32' ? Int32Array.from(read) : Uint8Array.from(read);
    return { shape, dtype, data };
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    // A call of many members is a few operators on stacked tensors: here every operator costs a call of its own.
    const program = simplify(inlineCalls(batched(graph, options)));
    const refuse = (expected: string, got: string): never => {
      throw new RangeError(`Cannot run ${program.name}: expected ${expected} but got ${got}`);
    };
    return {
      run: async (inputs) => {
        const tensors = new Map<string, tf.Tensor>();
        for (const { name, value } of program.inputs) {
          const handle = inputs.get(name) ?? refuse(`an input named ${name}`, 'none');
          const type = program.values[value] as ValueType;
          if (!(handle instanceof EagerHandle))
            throw new TypeError(
              `Cannot run ${program.name}: expected a handle of this engine for ${name} but got another engine's`,
            );
          if (!sameType(handle, type)) refuse(`${typeText(type)} for ${name}`, typeText(handle));
          if (handle.tensor.isDisposed)
            refuse(`a live handle for ${name}`, 'one that was disposed or donated to an earlier run');
          tensors.set(name, handle.tensor);
        }
        for (const name of inputs.keys())
          if (!tensors.has(name)) refuse(`inputs ${[...tensors.keys()].join(', ')}`, `also ${name}`);
        const outputs = this.#withBackend(() => replay(program, tensors));
        for (const name of options.donate?.keys() ?? []) inputs.get(name)?.dispose();
        return new Map(
          program.outputs.map(({ name, value }) => [
            name,
            new EagerHandle(tf.keep(outputs.get(name) as tf.Tensor), program.values[value] as ValueType),
          ]),
        );
      },
      dispose: () => undefined,
    };
  }

  async dispose(): Promise<void> {
    // The backend is the process's, not this engine's: others may use it.
  }
}

/** Makes a backend that has started active, at once. */
function setBackendNow(name: string): void {
  // setBackend is synchronous for backends that have started, but for the promise that it returns.
  void tf.setBackend(name);
}

/**
 * An engine on TensorFlow.js.
 * @throws Error that says what to install when the device's backend can't be loaded.
 */
export async function createEagerEngine({ device = 'cpu', threads = 1 }: EagerEngineOptions = {}): Promise<Engine> {
  if (!EAGER_DEVICES.includes(device))
    throw new RangeError(`Cannot start the eager engine: expected ${EAGER_DEVICES.join(', ')} but got ${device}`);
  const backend = await startBackend(device, checkThreads(threads));
  // JavaScript and WebAssembly compute alike on all processors; TensorFlow's library has kernels for each.
  const isNative = device === 'tfjs-node' || device === 'tfjs-node-gpu';
  const instructionSet = isNative ? (await import('../onnx/loader.ts')).instructionSet() : '';
  return new EagerEngine(backend.name, { name: 'eager', device, threads, version: backend.version, instructionSet });
}
