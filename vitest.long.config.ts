import { defineConfig } from 'vitest/config';

// The longer suites, which .ci/run calls after the tests of every change.
export default defineConfig({
  test: {
    include: ['test/**/*.long.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
    setupFiles: ['test/setup.ts'],
  },
});
