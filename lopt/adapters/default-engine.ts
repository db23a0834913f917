import { createEngine } from '../../jit/engines/create-engine.ts';
import type { Engine } from '../../jit/engines/engine.ts';

/** Which engine runs updates: one that there is (its owner disposes of it), or a name with options. */
export type EngineChoice =
  | Engine
  | 'eager'
  | 'onnx'
  | { readonly name: 'eager' | 'onnx'; readonly device?: string; readonly threads?: number };

/**
 * The engine of a choice. Without one: onnx on the cpu where the program runs in Node, else eager on the cpu. It never depends on
 * timing. `isOwn` says whether the caller has to dispose of it.
 * @throws Error saying what to install when it can't load.
 */
export async function openEngine(choice?: EngineChoice): Promise<{ readonly engine: Engine; readonly isOwn: boolean }> {
  if (typeof choice === 'object' && 'compile' in choice) return { engine: choice, isOwn: false };
  const { name, ...options } =
    typeof choice === 'object' ? choice : { name: choice ?? (isNode() ? 'onnx' : 'eager'), device: 'cpu' };
  return { engine: await createEngine(name, options), isOwn: true };
}

function isNode(): boolean {
  return typeof process === 'object' && typeof process.versions === 'object' && process.versions.node !== undefined;
}
