import { optional, withDefault } from './option.ts';
import { choice, defaultThreads, text, threads } from './read-text.ts';

/** Options of every command that runs programs. */
export const ENGINE_OPTIONS = {
  engine: withDefault('What runs the programs: onnx, eager or native', 'ENGINE', choice(['onnx', 'eager', 'native']), {
    value: 'onnx',
  }),
  device: withDefault(
    'Device of the engine: cpu, webgpu, cuda (onnx); cpu, wasm, tfjs-node, tfjs-node-gpu (eager)',
    'DEVICE',
    text,
    { value: 'cpu' },
  ),
  threads: withDefault('Threads', 'N', threads, {
    value: defaultThreads(),
    text: 'as many as this process may use',
  }),
} as const;

/** The same where what isn't said comes from elsewhere: a recipe, a run. */
export const OPTIONAL_ENGINE_OPTIONS = {
  engine: optional('What runs the programs: onnx, eager or native', 'ENGINE', choice(['onnx', 'eager', 'native'])),
  device: optional(ENGINE_OPTIONS.device.describe, 'DEVICE', text),
  threads: optional('Threads (otherwise as many as this process may use)', 'N', threads),
} as const;

/** Whether a pool of workers can serve: results then don't depend on the number of threads, and the event loop stays free. */
export function canPool(engine: string, device: string): boolean {
  return engine === 'onnx' && device === 'cpu';
}
