// Runs test/window: the packaged extension in a real VS Code window.
import { ensureChromium, ensureCodeServer, installDependencies } from './setup.mjs';
import { build, packageExtension } from './lib/build.mjs';
import { runTool } from './lib/process.mjs';
import { runMain } from './lib/terminal.mjs';

await runMain(async () => {
  await installDependencies();
  await ensureChromium();
  await ensureCodeServer();
  await build();
  await packageExtension();
  await runTool('vitest/vitest.mjs', ['run', '--project', 'window', ...process.argv.slice(2)]);
});
