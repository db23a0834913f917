import { EAGER_DEVICES, type EagerDevice } from './eager/backends.ts';
import type { Engine } from './engine.ts';

export const ENGINE_NAMES = ['onnx', 'eager', 'native'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** The devices of each engine; the first is the default. */
export const ENGINE_DEVICES = {
  onnx: ['cpu', 'webgpu', 'cuda'],
  eager: EAGER_DEVICES,
  native: ['cpu'],
} as const satisfies Record<EngineName, readonly string[]>;

export interface CreateEngineOptions {
  /** Default: cpu. */
  readonly device?: string;
  /** Default: as many as the process may use (onnx, native), or 1 (eager). */
  readonly threads?: number;
  /**
   * onnx on the cpu only: `threads` worker threads, each running whole programs on one thread, instead of one program on `threads` threads.
   * Results don't depend on the number then, and the event loop stays free. Default: false.
   */
  readonly pool?: boolean;
}

function isOneOf<T extends string>(values: readonly T[], value: string): value is T {
  return (values as readonly string[]).includes(value);
}

/**
 * Starts an engine by name; loads only what that one needs.
 * @throws RangeError for an unknown engine or device; Error that says what to install when it can't be loaded.
 */
export async function createEngine(name: string, options: CreateEngineOptions = {}): Promise<Engine> {
  const { device = 'cpu', threads, pool = false } = options;
  const refuse = (expected: string, got: string): never => {
    throw new RangeError(`Cannot start an engine: expected ${expected} but got ${got}`);
  };
  const count = threads === undefined ? {} : { threads };
  if (!isOneOf(ENGINE_NAMES, name)) return refuse(`one of ${ENGINE_NAMES.join(', ')}`, name);
  if (pool && (name !== 'onnx' || device !== 'cpu'))
    return refuse('a pool of workers on onnx and cpu alone', `${name} on ${device}`);
  if (name === 'native') {
    if (device !== 'cpu') return refuse('a device of native: cpu', device);
    const { createNativeEngine } = await import('./native/native-engine.ts');
    return createNativeEngine(count);
  }
  if (name === 'eager') {
    if (!isOneOf<EagerDevice>(EAGER_DEVICES, device))
      return refuse(`a device of eager: ${EAGER_DEVICES.join(', ')}`, device);
    const { createEagerEngine } = await import('./eager/eager-engine.ts');
    return createEagerEngine({ device, ...count });
  }
  if (!isOneOf(ENGINE_DEVICES.onnx, device))
    return refuse(`a device of onnx: ${ENGINE_DEVICES.onnx.join(', ')}`, device);
  if (pool) {
    const { createOnnxPool } = await import('./onnx/onnx-pool.ts');
    return createOnnxPool(count);
  }
  const { createOnnxEngine } = await import('./onnx/onnx-engine.ts');
  return createOnnxEngine({ device, ...count });
}
