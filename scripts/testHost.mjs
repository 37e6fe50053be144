// Runs test/host inside the extension host of VS Code for the browser.
import path from 'node:path';
import { ensureChromium, ensureCodeServer, installDependencies } from './setup.mjs';
import { build } from './lib/build.mjs';
import { temporaryFolder } from './lib/cleanup.mjs';
import { startCodeServer } from './lib/codeServer.mjs';
import { bundleHostTests, hostReportFile } from './lib/hostTests.mjs';
import { inRoot } from './lib/paths.mjs';
import { copySample } from './lib/sample.mjs';
import { runMain, say, UserError } from './lib/terminal.mjs';

const LIMIT = 10 * 60_000;

/** Every line of the reporter in test/host/index.ts begins with this. */
const REPORT_INDENT = '  ';

/**
 * Opens a window that runs the tests, and prints their report; what VS Code itself had to say, only
 * when they fail.
 * @param {import('playwright-core').Browser} browser
 * @param {string} address
 * @returns {Promise<number>} exit code
 */
async function runTests(browser, address) {
  const page = await browser.newPage();
  /** @type {Promise<number>} */
  const exit = new Promise((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new UserError(`The tests did not end within ${LIMIT / 60_000} minutes`)),
      LIMIT,
    );
    page.exposeFunction('codeAutomationExit', (/** @type {number} */ code) => {
      clearTimeout(limit);
      resolve(code);
    });
    page.on('crash', () => reject(new UserError('The window crashed')));
  });
  /** @type {string[]} */
  const other = [];
  await page.exposeFunction(
    'codeAutomationLog',
    (/** @type {string} */ _level, /** @type {unknown[]} */ values) => {
      const text = values.join(' ');
      if (text.startsWith(REPORT_INDENT)) say(text);
      else other.push(text);
    },
  );
  await page.goto(address);
  const code = await exit;
  if (code !== 0) say(other.slice(-100).join('\n'));
  return code;
}

await runMain(async () => {
  await installDependencies();
  const chromium = await ensureChromium();
  const codeServer = await ensureCodeServer();
  if (!process.argv.includes('--no-build')) await build();
  const tests = await bundleHostTests();
  const folder = copySample(path.join(temporaryFolder('host'), 'sample'));
  const { launchBrowser } = await import('./lib/browser.mjs');

  say('› Running the tests in the extension host …');
  const server = await startCodeServer(codeServer, {
    testDriver: true,
    trust: 'all',
    env: { QUANTSCOPE_TEST_REPORT: hostReportFile },
  });
  const browser = await launchBrowser(chromium);
  const code = await runTests(
    browser,
    server.folderAddress(folder, [
      ['extensionDevelopmentPath', server.remoteUri(inRoot())],
      ['extensionTestsPath', server.remoteUri(tests)],
      ['skipWelcome', 'true'],
    ]),
  );
  await browser.close();
  server.stop();
  return code;
});
