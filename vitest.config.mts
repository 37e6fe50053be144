import { defineConfig } from 'vitest/config';
import { engineArguments } from './scripts/lib/engine.mjs';

/** Shaders are text, as in the bundles. */
const shaders = {
  name: 'shaders',
  transform: (code: string, id: string) =>
    id.endsWith('.wgsl') ? `export default ${JSON.stringify(code)};` : undefined,
};

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [shaders],
        test: {
          name: 'unit',
          include: ['test/{unit,golden,property,hostile}/**/*.test.ts'],
          execArgv: engineArguments,
          // vitest would leave a processor free, which is half of what a small machine has.
          maxWorkers: '100%',
          // Generous: a busy machine is no failure, and what must be fast says so itself.
          testTimeout: 60_000,
        },
      },
      {
        plugins: [shaders],
        test: {
          name: 'slow',
          include: ['test/slow/**/*.test.ts', 'test/page/slow/**/*.test.ts'],
          execArgv: engineArguments,
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'page',
          include: ['test/page/**/*.test.ts'],
          exclude: ['test/page/slow/**'],
          // One browser, which all files share, as they do bundles.
          fileParallelism: false,
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'window',
          include: ['test/window/**/*.test.ts'],
          // One real VS Code at a time; its start alone takes seconds.
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
