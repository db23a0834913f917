import { defineConfig } from 'vitest/config';

// The tests of every change. The longer suites have a configuration of their own: vitest.long.config.ts.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.long.test.ts'],
    testTimeout: 60_000,
    maxWorkers: 2,
    setupFiles: ['test/setup.ts'],
  },
});
