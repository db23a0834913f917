/** The engines on which optimizers are tested. */
import '@tensorflow/tfjs';
import { setBackend } from '@tensorflow/tfjs-core';
import { createEngine } from '../../jit/engines/create-engine.ts';
import type { Engine } from '../../jit/engines/engine.ts';
import { hasCompiler } from '../jit/engines/native/c-compiler.ts';
import { startEagerly, startOnEngine, type Run, type Start } from '../../lopt/conform/runs.ts';

/** `tfjs` runs an optimizer's functions as they are, untraced, on the cpu backend: what user loops do. */
export type Way = 'tfjs' | 'eager' | 'onnx' | 'native';
export const WAYS: readonly Way[] = ['tfjs', 'eager', 'onnx', ...((await hasCompiler()) ? (['native'] as const) : [])];

const engines = new Map<Way, Promise<Engine>>();

/** The engine of a way to run; undefined for `tfjs`. */
export async function engineOf(way: Way): Promise<Engine | undefined> {
  await setBackend('cpu');
  if (way === 'tfjs') return undefined;
  const running = engines.get(way) ?? createEngine(way, { threads: 1 });
  engines.set(way, running);
  return running;
}

/** Starts an optimizer one way or another. */
export async function startOn(way: Way, start: Start): Promise<Run> {
  const engine = await engineOf(way);
  return engine === undefined ? startEagerly(start) : startOnEngine(engine, start);
}

/** An engine, for tests that compile programs themselves. */
export async function needEngine(way: Exclude<Way, 'tfjs'>): Promise<Engine> {
  const engine = await engineOf(way);
  if (engine === undefined) throw new RangeError(`Cannot test on ${way}: expected an engine but got none`);
  return engine;
}
