// Builds and packages the extension into out/quantscope.vsix.
import { installDependencies } from './setup.mjs';
import { build, packageExtension } from './lib/build.mjs';
import { runMain, say } from './lib/terminal.mjs';

await runMain(async () => {
  await installDependencies();
  await build();
  say(await packageExtension());
});
