import * as tf from '@tensorflow/tfjs-core';
import { lower } from './lowering.ts';
import { BACKEND, TraceError, isTracing, place, record, register, session, toTensorInfo } from './session.ts';

/** A TensorFlow.js backend whose tensors have shapes and no values: kernels become nodes of the running trace. */
class TraceBackend extends tf.KernelBackend {
  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    if (!isTracing()) return dataId;
    const numbers = values as Float32Array | Int32Array | Uint8Array | number[];
    const first = Number(numbers[0]);
    for (let index = 1; index < numbers.length; index += 1)
      if (!Object.is(Number(numbers[index]), first))
        throw new TraceError(
          `Cannot trace ${opName()}: expected inputs, scalars and constant([...]) but it made a ${dtype}[${shape}] of values, at ${place()}; ` +
            'pass it in as an input (noise, batches and tables too), or write constant([...])',
        );
    const data =
      dtype === 'float32' ? Float32Array.of(first) : dtype === 'int32' ? Int32Array.of(first) : Uint8Array.of(first);
    const isEmpty = numbers.length === 0;
    register(
      dataId,
      record(
        'constant',
        { shape, dtype: dtype as 'float32', data: isEmpty ? new Float32Array(0) : data },
        [],
      )[0] as number,
    );
    return dataId;
  }
  override read(): never {
    return valueRead();
  }
  override readSync(): never {
    return valueRead();
  }
  override numDataIds(): number {
    return 0;
  }
  override disposeData(): boolean {
    return true;
  }
  override incRef(): void {}
  override refCount(): number {
    return 1;
  }
  override floatPrecision(): 16 | 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override timerAvailable(): boolean {
    return false;
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }
  override dispose(): void {}
  override move(): never {
    return valueRead();
  }
}

function opName(): string {
  return tf.engine().state.activeScope?.name || 'a tensor';
}

function valueRead(): never {
  throw new TraceError(
    `Cannot trace ${opName()}: expected no value to be read but data() or array() was called, at ${place()}; branch with cond, loop with scan or repeat`,
  );
}

function recordKernel(
  kernel: string,
  inputs: Record<string, tf.TensorInfo>,
  attrs: Record<string, unknown>,
): tf.TensorInfo | tf.TensorInfo[] {
  if (!isTracing())
    throw new TraceError(
      `Cannot run ${kernel}: expected a running trace but it has ended, at ${place()}; traced tensors live only inside trace`,
    );
  if ((tf.engine().state as { gradientDepth: number }).gradientDepth > 0)
    throw new TraceError(
      `Cannot trace ${kernel} inside tf.grad or tf.grads: expected valueAndGradient, at ${place()}; it differentiates the graph`,
    );
  const lowered = lower(kernel, inputs, attrs);
  if (lowered === undefined)
    throw new TraceError(
      `Cannot trace ${opName()}: expected a kernel that the lowering table knows but got ${kernel}, at ${place()}; write it with other ops`,
    );
  return typeof lowered === 'number' ? toTensorInfo(lowered) : lowered.map(toTensorInfo);
}

let isReady = false;

/** Registers the tracing backend and its kernels, once. */
export function registerTraceBackend(kernels: readonly string[]): void {
  if (isReady) return;
  isReady = true;
  tf.registerBackend(BACKEND, () => new TraceBackend(), 0);
  for (const kernelName of kernels)
    tf.registerKernel({
      kernelName,
      backendName: BACKEND,
      kernelFunc: ({ inputs, attrs }) =>
        recordKernel(kernelName, inputs as Record<string, tf.TensorInfo>, (attrs ?? {}) as Record<string, unknown>),
    });
  void session;
}
