import { packageExtension, packageOpener } from './build.mjs';
import { exitCodeOnInterrupt } from './cleanup.mjs';
import { startCodeServer } from './codeServer.mjs';
import { ensureCodeServer } from './installCodeServer.mjs';
import { say, step, UserError } from './terminal.mjs';

/**
 * Serves VS Code with the packaged extension and a model open, until the user ends it.
 * @param {import('./model.mjs').ModelPlace} model
 * @param {number} port 0 for any
 * @param {import('./codeServer.mjs').FolderTrust} trust
 * @returns {Promise<never>}
 */
export async function serve(model, port, trust) {
  const codeServer = await ensureCodeServer();
  const extensions = [await packageExtension(), await packageOpener()];
  const server = await step('Starting VS Code', () =>
    startCodeServer(codeServer, { extensions, port, trust, env: { QUANTSCOPE_OPEN: model.file } }),
  );
  exitCodeOnInterrupt(0);
  say(`\nQuantscope is at ${server.folderAddress(model.folder)}`);
  say('This address is the way in, and only yours: whoever has it can do here what you can.');
  say('Press Ctrl-C to stop.');
  await server.ended;
  throw new UserError('VS Code ended by itself.');
}
