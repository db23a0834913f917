import * as tf from '@tensorflow/tfjs-core';

export const EAGER_DEVICES = ['cpu', 'wasm', 'tfjs-node', 'tfjs-node-gpu'] as const;
export type EagerDevice = (typeof EAGER_DEVICES)[number];

interface Backend {
  /** The package that registers it. */
  readonly package: string;
  /** Its name in TensorFlow.js. */
  readonly name: string;
  /** How to get the package. */
  readonly install: string;
}

/** tfjs-node's install script downloads libtensorflow from the web; the project's script builds it from npm and PyPI. */
const NODE_INSTALL = 'run scripts/build-tfjs-node.sh';

const BACKENDS = {
  cpu: { package: '@tensorflow/tfjs-backend-cpu', name: 'cpu', install: 'run npm install @tensorflow/tfjs' },
  wasm: {
    package: '@tensorflow/tfjs-backend-wasm',
    name: 'wasm',
    install: 'run npm install @tensorflow/tfjs-backend-wasm',
  },
  'tfjs-node': { package: '@tensorflow/tfjs-node', name: 'tensorflow', install: NODE_INSTALL },
  'tfjs-node-gpu': {
    package: '@tensorflow/tfjs-node-gpu',
    name: 'tensorflow',
    install: `${NODE_INSTALL} with FLAVOR=gpu (docs/gpu.md)`,
  },
} satisfies Record<EagerDevice, Backend>;

function refuse(device: EagerDevice, cause: unknown): never {
  const { package: name, install } = BACKENDS[device];
  const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  throw new Error(
    `Cannot start the eager engine on ${device}: expected ${name} to load (${install}) but got: ${reason}`,
    {
      cause,
    },
  );
}

/** Node 23 took away a function that tfjs-node 4.22 calls while it runs. */
function restoreIsNullOrUndefined(): void {
  const util = globalThis.process?.getBuiltinModule?.('node:util') as { isNullOrUndefined?: unknown } | undefined;
  if (util !== undefined && util.isNullOrUndefined === undefined)
    util.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
}

/** The one place that silences what TensorFlow.js, and the TensorFlow library under tfjs-node, print when backends load: a banner and advice. */
function silence(): void {
  tf.env().set('PROD', true);
  const environment = globalThis.process?.env;
  if (environment !== undefined) environment['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
}

/**
 * Loads the package of a device, which registers a TensorFlow.js backend, and starts that. Leaves active what was active.
 * @throws Error that says what to install.
 */
export async function startBackend(device: EagerDevice, threads: number): Promise<{ name: string; version: string }> {
  const backend = BACKENDS[device];
  silence();
  const before = activeBackend();
  try {
    if (device.startsWith('tfjs-node')) restoreIsNullOrUndefined();
    const module: unknown = await import(backend.package);
    if (device === 'wasm') setWasmThreads(module, threads);
    if (!(await tf.setBackend(backend.name))) throw new Error(`TensorFlow.js can't start its ${backend.name} backend`);
    await tf.ready();
    return { name: backend.name, version: versionOf(tf.backend()) };
  } catch (cause) {
    return refuse(device, cause);
  } finally {
    if (before !== undefined && tf.findBackend(before) !== null) await tf.setBackend(before);
  }
}

/** The backend that is active, if one is: asking for it must not start one. */
function activeBackend(): string | undefined {
  const { backendName } = tf.engine();
  return backendName === undefined || backendName === null ? undefined : backendName;
}

/** TensorFlow.js's version, and that of the library under it where there is one: `4.22.0, TensorFlow 2.15.1`. */
function versionOf(backend: object): string {
  const binding: unknown = 'binding' in backend ? backend.binding : undefined;
  if (typeof binding !== 'object' || binding === null || !('TF_Version' in binding)) return tf.version_core;
  return `${tf.version_core}, TensorFlow ${String(binding.TF_Version)}`;
}

function setWasmThreads(module: unknown, threads: number): void {
  if (
    typeof module === 'object' &&
    module !== null &&
    'setThreadsCount' in module &&
    typeof module.setThreadsCount === 'function'
  )
    module.setThreadsCount(threads);
}
