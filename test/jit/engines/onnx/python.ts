import { execFileSync } from 'node:child_process';
import { env } from 'node:process';

/** The Python that the tests ask for a second opinion: LOPT_PYTHON, else python3. */
export const PYTHON = env['LOPT_PYTHON'] ?? 'python3';

/** Whether that Python has the packages `onnx` and `onnxruntime`. Where it hasn't, says so; with LOPT_REQUIRE_FIXTURES=1 that is an error. */
export function hasPythonOnnx(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import onnx, onnxruntime, numpy'], { stdio: 'ignore' });
    return true;
  } catch (cause) {
    const reason = `${PYTHON} has no onnx and onnxruntime (set LOPT_PYTHON to one that has)`;
    if (env['LOPT_REQUIRE_FIXTURES'] === '1') throw new Error(`Cannot check models with Python: ${reason}`, { cause });
    process.stderr.write(`skipped: ${reason}\n`);
    return false;
  }
}
