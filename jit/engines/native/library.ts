import type { KoffiFunc } from 'koffi';
import { loadKoffi } from './koffi.ts';
import { type NativeArray, PointerTable } from './pointers.ts';

/** What a pointer parameter takes (arrays without a copy; null for NULL; an address as bigint), and a number for the others. */
export type NativeArgument = NativeArray | PointerTable | bigint | number | null;

/** What C functions take and give, and koffi's names for it. */
const C_TYPES = {
  void: 'void',
  pointer: 'void *',
  int32: 'int32_t',
  int64: 'int64_t',
  float32: 'float',
  float64: 'double',
} as const;

interface Results {
  readonly void: undefined;
  readonly pointer: bigint | null;
  readonly int32: number;
  /** A bigint beyond 2^53. */
  readonly int64: number | bigint;
  readonly float32: number;
  readonly float64: number;
}
export type CType = keyof Results;

export interface Signature<R extends CType> {
  readonly result: R;
  readonly parameters: readonly Exclude<CType, 'void'>[];
}

/** A C function. */
export interface NativeFunction<R extends CType = CType> {
  /** Calls it on this thread. */
  (...parameters: readonly NativeArgument[]): Results[R];
  /**
   * Calls it on a thread of Node's pool, so that the event loop stays free. The arrays stay alive meanwhile; who changes one, races.
   * What a `PointerTable` leads to is kept alive too.
   */
  readonly async: (...parameters: readonly NativeArgument[]) => Promise<Results[R]>;
}

export interface NativeLibrary {
  readonly path: string;
  /** A function that the library exports. @throws Error for a name that it doesn't. */
  declare<R extends CType>(name: string, signature: Signature<R>): NativeFunction<R>;
}

/**
 * Loads a shared library as `compileC` makes them. It stays loaded as long as one of its functions is alive.
 * @throws Error when koffi is not installed, or the system can't load the file.
 * @example loadLibrary(path).declare('scale', { result: 'void', parameters: ['pointer', 'int64', 'float32'] })(array, 3n, 0.5)
 */
export function loadLibrary(path: string): NativeLibrary {
  const koffi = loadKoffi();
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(path);
  } catch (cause) {
    throw new Error(
      `Cannot load ${path}: expected a shared library for this machine, in a folder from which programs may run, but the system says: ${reason(cause)}; set LOPT_CACHE to another folder, or use --engine onnx`,
      { cause },
    );
  }
  return {
    path,
    declare: (name, { result, parameters }) => {
      try {
        return wrapped(
          library.func(
            name,
            C_TYPES[result],
            parameters.map((type) => C_TYPES[type]),
          ),
        );
      } catch (cause) {
        throw new Error(`Cannot find ${name} in ${path}: ${reason(cause)}`, { cause });
      }
    },
  };
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** What asynchronous calls use. koffi itself keeps no hold of it. */
const inUse = new Set<readonly NativeArgument[]>();

function wrapped<R extends CType>(native: KoffiFunc<(...parameters: unknown[]) => Results[R]>): NativeFunction<R> {
  const call = (...parameters: readonly NativeArgument[]): Results[R] => native(...parameters.map(passed));
  const async = (...parameters: readonly NativeArgument[]): Promise<Results[R]> =>
    new Promise((resolve, reject) => {
      inUse.add(parameters);
      const settle = (error: unknown, result: Results[R]): void => {
        inUse.delete(parameters);
        if (error instanceof Error) reject(error);
        else resolve(result);
      };
      try {
        native.async(...parameters.map(passed), settle);
      } catch (cause) {
        settle(cause, undefined as Results[R]);
      }
    });
  return Object.assign(call, { async });
}

function passed(parameter: NativeArgument): unknown {
  return parameter instanceof PointerTable ? parameter.addresses : parameter;
}
