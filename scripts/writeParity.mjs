// Writes docs/webgpu-parity.md from a comparison of every kernel on this machine's adapters: npm run docs:parity.
import fs from 'node:fs';
import path from 'node:path';
import { inRoot, outFolder } from './lib/paths.mjs';
import { runTool } from './lib/process.mjs';
import { runMain, UserError } from './lib/terminal.mjs';
import { ensureVulkan } from './lib/vulkan.mjs';
import { ensureChromium, installDependencies } from './setup.mjs';

await runMain(async () => {
  await installDependencies();
  await ensureChromium();
  await ensureVulkan();
  const table = path.join(outFolder, 'reports', 'webgpu-parity.md');
  fs.rmSync(table, { force: true });
  const test = 'test/page/slow/gpuParity.test.ts';
  await runTool('vitest/vitest.mjs', ['run', '--project', 'slow', test]);
  if (!fs.existsSync(table)) throw new UserError('There is no adapter to make the table on.');
  fs.copyFileSync(table, inRoot('docs', 'webgpu-parity.md'));
});
