import { chromium } from 'playwright-core';

/**
 * Starts a Chromium without a window.
 * @param {string} program
 * @param {readonly string[]} [flags] further command-line flags
 * @returns {Promise<import('playwright-core').Browser>}
 */
export async function launchBrowser(program, flags = []) {
  return chromium.launch({
    executablePath: program,
    // The full browser in its headless mode; `headless: true` would look for the old, separate one.
    headless: false,
    args: [
      '--headless=new',
      // Containers and root have no sandbox; every page here is our own.
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...flags,
    ],
    // Signals are handled in cleanup.mjs.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}
