// npm run bench [-- MODEL]: builds, then measures kernels and whole jobs (test/bench).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installDependencies } from './setup.mjs';
import { build } from './lib/build.mjs';
import { engineArguments } from './lib/engine.mjs';
import { root } from './lib/paths.mjs';
import { runMain } from './lib/terminal.mjs';

/**
 * The package with WebGPU loads a library that lies beside it, and so is not bundled.
 * @type {import("esbuild").Plugin}
 */
const webgpu = {
  name: 'webgpu',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^webgpu$/ }, () => ({
      path: pathToFileURL(join(root, 'node_modules/webgpu/index.js')).href,
      external: true,
    })),
};

await runMain(async () => {
  await installDependencies();
  await build();
  const { build: bundle } = await import('esbuild');
  const folder = mkdtempSync(join(tmpdir(), 'quantscope-bench-'));
  try {
    const outfile = join(folder, 'bench.mjs');
    await bundle({
      entryPoints: [join(root, 'test/bench/bench.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      loader: { '.wgsl': 'text' },
      plugins: [webgpu],
      define: { __dirname: JSON.stringify(join(root, 'dist')) },
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });
    const command = [...engineArguments, outfile, root, ...process.argv.slice(2)];
    const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' });
    process.exitCode = status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
