import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runLopt, temporaryDirectory } from '../scripts/run-lopt.ts';
import { hasTfjsNode } from '../tfjs-node.ts';

/** Relative difference of meta-losses after a few outer steps: two runtimes round differently, and nothing more. */
const SAME_RUN = 1e-3;

describe.runIf(hasTfjsNode())('the eager engine on tfjs-node', () => {
  test('meta-trains smoke, and its meta-losses begin as those of the onnx engine', async () => {
    const directory = temporaryDirectory();
    const losses = async (name: string, flags: readonly string[]): Promise<number[]> => {
      const out = join(directory, name);
      const { code, stderr } = await runLopt(['meta-train', '--recipe', 'smoke', ...flags, '--out', out]);
      expect(code, stderr).toBe(0);
      const lines = readFileSync(join(out, 'metrics.ndjson'), 'utf8').trimEnd().split('\n');
      return lines.map((line) => (JSON.parse(line) as { readonly metaLoss: number }).metaLoss);
    };
    const native = await losses('native', ['--engine', 'eager', '--device', 'tfjs-node']);
    const reference = await losses('onnx', ['--engine', 'onnx', '--stop-after', '5']);
    expect(native).toHaveLength(40);
    expect(native.every(Number.isFinite)).toBe(true);
    for (const [step, loss] of reference.entries())
      expect(Math.abs((native[step] ?? NaN) - loss) / loss, `outer step ${step}`).toBeLessThan(SAME_RUN);
  });
});
