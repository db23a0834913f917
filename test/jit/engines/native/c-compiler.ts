import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { findCompiler } from '../../../../jit/engines/native/compiler.ts';

// Tests keep compiled programs in the checkout, not in the user's home.
env['LOPT_CACHE'] ??= fileURLToPath(new URL('../../../../.cache/lopt', import.meta.url));

/** Whether there is a C compiler. Where there is none, says so; with LOPT_REQUIRE_FIXTURES=1 that is an error. */
export async function hasCompiler(): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'lopt-compiler-'));
  try {
    await findCompiler({ directory });
    return true;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (env['LOPT_REQUIRE_FIXTURES'] === '1') throw new Error(`Cannot test native code: ${reason}`, { cause });
    process.stderr.write(`skipped: ${reason}\n`);
    return false;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lopt-native-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
