// npm test: everything that must hold, cheapest first; stops at the first stage that fails.
import fs from 'node:fs';
import path from 'node:path';
import { build, packageExtension } from './lib/build.mjs';
import { ensureChromium, ensureCodeServer, installDependencies } from './setup.mjs';
import { hostReportFile } from './lib/hostTests.mjs';
import { outFolder } from './lib/paths.mjs';
import { runNode, runTool } from './lib/process.mjs';
import { runMain, say, seconds, UserError } from './lib/terminal.mjs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @type {Counts} */
const total = { passed: 0, failed: 0, skipped: 0 };

/** @param {Counts} counts */
function add(counts) {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}

/** @param {string} file */
function readReport(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    throw new UserError('The tests ended without a report');
  }
}

/** @param {string} project folder of a tsconfig.json */
const typeCheck = (project) => runTool('typescript/bin/tsc', ['-p', project]);

/** Imports go down the layers only. */
function layers() {
  const rules = ['--config', '.dependency-cruiser.cjs'];
  return runTool('dependency-cruiser/bin/dependency-cruise.mjs', [...rules, 'src', 'webview']);
}

/** @param {string} project of vitest.config.mts */
async function vitest(project) {
  const file = path.join(outFolder, 'reports', `${project}.json`);
  fs.rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  try {
    await runTool('vitest/vitest.mjs', ['run', '--project', project, ...reporters]);
  } finally {
    const report = readReport(file);
    add({
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests + report.numTodoTests,
    });
  }
}

async function hostTests() {
  try {
    await runNode(['scripts/testHost.mjs', '--no-build']);
  } finally {
    add(readReport(hostReportFile));
  }
}

/** @type {readonly (readonly [string, () => Promise<unknown>])[]} */
const stages = [
  ['Type check', () => typeCheck('.')],
  ['Type check of the pages', () => typeCheck('webview')],
  ['Type check of the pages’ tests', () => typeCheck('test/page')],
  ['Lint', () => runTool('eslint/bin/eslint.js', ['.', '--max-warnings=0'])],
  ['Format', () => runTool('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.'])],
  ['Layers', layers],
  ['Build', build],
  ['Unit, golden, property and hostile tests', () => vitest('unit')],
  ['Tests of the pages in a browser', () => vitest('page')],
  ['Tests in the extension host', hostTests],
  ['Package', packageExtension],
  ['Tests in the window', () => vitest('window')],
];

/** @returns {Promise<number>} exit code */
async function runStages() {
  for (const [name, work] of stages) {
    say(`\n=== ${name}`);
    const started = performance.now();
    try {
      await work();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // A check that is no test counts as one when it fails.
      total.failed ||= 1;
      say(error.message);
      say(`=== ${name}: FAILED after ${seconds(performance.now() - started)}`);
      return 1;
    }
    say(`=== ${name}: ${seconds(performance.now() - started)}`);
  }
  return 0;
}

await runMain(async () => {
  await installDependencies();
  await ensureChromium();
  await ensureCodeServer();
  const code = await runStages();
  const skipped = total.skipped ? `, ${total.skipped} skipped` : '';
  say(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
  return code;
});
