import { createRequire } from 'node:module';
import { env } from 'node:process';

/** Whether tfjs-node is there. Where it isn't, says so; with LOPT_REQUIRE_FIXTURES=1 that is an error. */
export function hasTfjsNode(): boolean {
  try {
    createRequire(import.meta.url).resolve('@tensorflow/tfjs-node');
    return true;
  } catch (cause) {
    const reason = '@tensorflow/tfjs-node is not installed (run scripts/build-tfjs-node.sh)';
    if (env['LOPT_REQUIRE_FIXTURES'] === '1') throw new Error(`Cannot test tfjs-node: ${reason}`, { cause });
    process.stderr.write(`skipped: ${reason}\n`);
    return false;
  }
}
