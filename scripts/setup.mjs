// Makes a fresh machine ready. Everything imported here, directly or not, is built into Node: this
// runs before `npm ci` has.
import path from 'node:path';
import { ensureChromium } from './lib/chromium.mjs';
import { installDependencies } from './lib/dependencies.mjs';
import { ensureCodeServer } from './lib/installCodeServer.mjs';
import { runMain, say } from './lib/terminal.mjs';

export { ensureChromium, ensureCodeServer, installDependencies };

if (process.argv[1] && path.resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    await installDependencies();
    say(`Chromium: ${await ensureChromium()}`);
    say(`VS Code for the browser: ${(await ensureCodeServer()).entry}`);
  });
}
