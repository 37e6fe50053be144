// Runs a project of tests, some of which open the packaged extension in a real VS Code window:
// node scripts/testPackaged.mjs window|slow [FILE…]
import { ensureChromium, ensureCodeServer, installDependencies } from './setup.mjs';
import { build, packageExtension } from './lib/build.mjs';
import { runTool } from './lib/process.mjs';
import { runMain } from './lib/terminal.mjs';
import { ensureVulkan } from './lib/vulkan.mjs';

await runMain(async () => {
  await installDependencies();
  await ensureChromium();
  await ensureVulkan();
  await ensureCodeServer();
  await build();
  await packageExtension();
  await runTool('vitest/vitest.mjs', ['run', '--project', ...process.argv.slice(2)]);
});
