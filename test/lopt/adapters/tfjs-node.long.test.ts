import { env } from 'node:process';
import { describe, expect, test } from 'vitest';
import * as tf from '@tensorflow/tfjs';
import { adapterSuite } from './tfjs-suite.ts';

/** Loads TensorFlow.js's native backend. Where there is none, says so; with LOPT_REQUIRE_FIXTURES=1 that is an error. */
async function hasNativeBackend(): Promise<boolean> {
  // Not a literal: the package is optional, so its types may not be there.
  const name = '@tensorflow/tfjs-node';
  env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  try {
    await import(name);
    return true;
  } catch (cause) {
    const reason = `${name} does not load (scripts/build-tfjs-node.sh builds it)`;
    if (env['LOPT_REQUIRE_FIXTURES'] === '1') throw new Error(`Cannot test the adapter: ${reason}`, { cause });
    process.stderr.write(`skipped: ${reason}\n`);
    return false;
  }
}

describe.runIf(await hasNativeBackend())('on tfjs-node', () => {
  test('the backend is the native one', async () => {
    expect(await tf.setBackend('tensorflow')).toBe(true);
  });
  adapterSuite('tensorflow', { denseOnly: false });
});
