import { ensureChromium } from './chromium.mjs';
import { startCodeServer } from './codeServer.mjs';
import { ensureCodeServer } from './installCodeServer.mjs';

/**
 * A VS Code with the packaged extension, and a browser to look at it.
 * @typedef {object} Session
 * @property {import('./codeServer.mjs').CodeServer} server
 * @property {import('playwright-core').Browser} browser
 * @property {() => Promise<void>} close ends both
 */

/**
 * Starts VS Code for the browser with extensions installed, and a headless browser.
 * @param {string[]} extensions VSIX files
 * @param {object} options
 * @param {import('./codeServer.mjs').FolderTrust} options.trust
 * @param {NodeJS.ProcessEnv} [options.env] reaches the extension host
 * @param {readonly string[]} [options.flags] of the browser
 * @returns {Promise<Session>}
 */
export async function startSession(extensions, { trust, env, flags }) {
  const chromium = await ensureChromium();
  const server = await startCodeServer(await ensureCodeServer(), { extensions, trust, env });
  const { launchBrowser } = await import('./browser.mjs');
  const browser = await launchBrowser(chromium, flags);
  return {
    server,
    browser,
    async close() {
      await browser.close();
      server.stop();
    },
  };
}
