import * as tf from '@tensorflow/tfjs-core';

/** What is used of TensorFlow.js's engine beyond its public methods. */
export interface EngineInternals {
  backendName: string | undefined;
  backendInstance: tf.KernelBackend | null | undefined;
  /** Not null while a backend loads, during which TensorFlow.js refuses to give any. */
  pendingBackendInit: unknown;
  readonly state: {
    /** How many of tf.grads and its kin are running, one inside the other. */
    readonly gradientDepth: number;
    /** How many kernels and functions of tf.customGrad are. */
    readonly kernelDepth: number;
    /** Scopes that are open, outermost first; those of TensorFlow.js's functions are named `matMul__op`. */
    readonly scopeStack: readonly { readonly name: string }[];
  };
  readonly registeredVariables: Readonly<Record<string, tf.Variable>>;
}

/** One boundary: TensorFlow.js declares these fields private or not at all. */
export function engineInternals(): EngineInternals {
  return tf.engine() as unknown as EngineInternals;
}

/** Whether one of these functions of TensorFlow.js is running. */
export function isWithin(functions: ReadonlySet<string>): boolean {
  return engineInternals().state.scopeStack.some(({ name }) => functions.has(name.replace(/__op$/, '')));
}
