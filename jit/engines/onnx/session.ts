import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { DType, TypedArray, ValueType } from '../../graph/graph.ts';
import type { BufferPool } from './buffers.ts';
import type { OnnxRuntime } from './loader.ts';

export const ONNX_DEVICES = ['cpu', 'webgpu', 'cuda'] as const;
export type OnnxDevice = (typeof ONNX_DEVICES)[number];

/** An array of a type, in memory of its own. */
export interface TypedValue extends ValueType {
  readonly data: TypedArray;
}

/** What has to be there for a provider to start. (For the cpu, nothing: a session that fails is a fault of the program.) */
const REQUIREMENTS: Partial<Record<OnnxDevice, string>> = {
  webgpu: 'a GPU that Dawn finds (Vulkan, Metal or D3D12)',
  cuda: "an NVIDIA driver, CUDA 12 and cuDNN 9 on the library path and the provider's libraries beside onnxruntime-node's",
};

export interface SessionOptions {
  readonly runtime: OnnxRuntime;
  readonly buffers: BufferPool;
  readonly device: OnnxDevice;
  /** Threads inside an operator. */
  readonly threads: number;
}

/** One model loaded into onnxruntime. Runs must not overlap. */
export class OnnxSession {
  readonly #session: InferenceSession;
  readonly #runtime: OnnxRuntime;
  readonly #buffers: BufferPool;

  private constructor(session: InferenceSession, { runtime, buffers }: SessionOptions) {
    this.#session = session;
    this.#runtime = runtime;
    this.#buffers = buffers;
  }

  /** @throws Error that says what the device needs when the session can't be made. */
  static async create(model: Uint8Array, options: SessionOptions): Promise<OnnxSession> {
    const { runtime, device, threads } = options;
    try {
      const session = await runtime.InferenceSession.create(model, {
        executionProviders: [device],
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        // What goes wrong is thrown; it needs no lines on stderr too.
        logSeverityLevel: 4,
        // A thread that waits for work by spinning takes a core from whoever has work.
        extra: { session: { intra_op: { allow_spinning: threads > 1 ? '1' : '0' } } },
      });
      return new OnnxSession(session, options);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const required = REQUIREMENTS[device];
      const expected = required === undefined ? 'a program that it accepts' : `${required} (docs/gpu.md)`;
      throw new Error(`Cannot start onnxruntime on ${device}: expected ${expected} but got: ${reason}`, { cause });
    }
  }

  /** Runs once. The arrays given stay as they are; the arrays that come back are the caller's. */
  async run(
    inputs: ReadonlyMap<string, TypedValue>,
    outputs: ReadonlyMap<string, ValueType>,
  ): Promise<Map<string, TypedArray>> {
    const feeds: Record<string, Tensor> = {};
    for (const [name, value] of inputs) feeds[name] = this.#tensor(value, value.data);
    // Results are read from the arrays handed over: the tensors that run() returns are other memory.
    const results = new Map<string, TypedArray>();
    const fetches: Record<string, Tensor> = {};
    for (const [name, type] of outputs) {
      const array = this.#buffers.take(type.dtype, type.shape);
      results.set(name, array);
      fetches[name] = this.#tensor(type, array);
    }
    await this.#session.run(feeds, fetches);
    return results;
  }

  #tensor({ shape, dtype }: ValueType, data: TypedArray): Tensor {
    return tensorOf(this.#runtime, { shape, dtype, data });
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function tensorOf({ Tensor }: OnnxRuntime, { shape, dtype, data }: TypedValue): Tensor {
  // onnxruntime's constructor has an overload a type; the array's class has been checked against the dtype.
  const construct = Tensor as unknown as new (type: DType, data: TypedArray, dims: readonly number[]) => Tensor;
  return new construct(dtype, data, shape);
}
