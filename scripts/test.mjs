// npm test: everything that must hold, cheapest first; stops at the first stage that fails.
import fs from 'node:fs';
import path from 'node:path';
import { packageExtension } from './lib/build.mjs';
import { ensureVulkan } from './lib/vulkan.mjs';
import { ensureChromium, ensureCodeServer, installDependencies } from './setup.mjs';
import { fuzzReportFile } from './lib/fuzzing.mjs';
import { hostReportFile } from './lib/hostTests.mjs';
import { outFolder } from './lib/paths.mjs';
import { runNode, runTool } from './lib/process.mjs';
import { runTogether } from './lib/stages.mjs';
import { runMain, say, UserError } from './lib/terminal.mjs';

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

/** @typedef {import('./lib/process.mjs').RunOptions} RunOptions */
/** @typedef {import('./lib/stages.mjs').Stage} Stage */

/**
 * A stage that is nothing but a tool.
 * @param {string} name
 * @param {string} script path within node_modules
 * @param {readonly string[]} toolArguments
 * @returns {Stage}
 */
function tool(name, script, toolArguments) {
  return { name, work: (options) => runTool(script, toolArguments, options) };
}

/**
 * A stage of tests, whose report counts however they end.
 * @param {string} name
 * @param {(options: RunOptions) => Promise<string>} run
 * @param {() => Counts} readCounts
 * @returns {Stage}
 */
function tests(name, run, readCounts) {
  return {
    name,
    async work(options) {
      try {
        return await run(options);
      } finally {
        if (!options.signal?.aborted) add(readCounts());
      }
    },
  };
}

/**
 * @param {string} name
 * @param {string} project of vitest.config.mts
 */
function vitest(name, project) {
  const file = path.join(outFolder, 'reports', `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  return tests(
    name,
    (options) => {
      fs.rmSync(file, { force: true });
      return runTool('vitest/vitest.mjs', ['run', '--project', project, ...reporters], options);
    },
    () => {
      const report = readReport(file);
      return {
        passed: report.numPassedTests,
        failed: report.numFailedTests,
        skipped: report.numPendingTests + report.numTodoTests,
      };
    },
  );
}

const TSC = 'typescript/bin/tsc';

/**
 * The longest first, so that none is left to run alone.
 * @type {readonly Stage[]}
 */
const staticChecks = [
  tool('Lint', 'eslint/bin/eslint.js', ['.', '--max-warnings=0']),
  tool('Type check', TSC, ['-p', '.']),
  tool('Format', 'prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.']),
  tool('Type check of the pages', TSC, ['-p', 'webview']),
  tool('Type check of the pages’ tests', TSC, ['-p', 'test/page']),
  tool('Layers', 'dependency-cruiser/bin/dependency-cruise.mjs', [
    ...['--config', '.dependency-cruiser.cjs'],
    ...['src', 'webview'],
  ]),
  { name: 'Build', work: (options) => runNode(['esbuild.js', '--production'], options) },
];

/**
 * Each group begins when the one before it has passed; its stages run side by side.
 * @type {readonly (readonly Stage[])[]}
 */
const groups = [
  staticChecks,
  [vitest('Unit, golden, property and hostile tests', 'unit')],
  [
    tests(
      'Fuzzing of every reader',
      // The same inputs each time: what passes today passes tomorrow.
      (options) => runNode(['scripts/fuzz.mjs', '--seconds', '10', '--seed', '1'], options),
      () => readReport(fuzzReportFile),
    ),
  ],
  [vitest('Tests of the pages in a browser', 'page')],
  [
    tests(
      'Tests in the extension host',
      (options) => runNode(['scripts/testHost.mjs', '--no-build'], options),
      () => readReport(hostReportFile),
    ),
  ],
  [{ name: 'Package', work: packageExtension }],
  [vitest('Tests in the window', 'window')],
];

/** @returns {Promise<number>} exit code */
async function runGroups() {
  for (const group of groups) {
    if (await runTogether(group)) continue;
    // A check that is no test counts as one when it fails.
    total.failed ||= 1;
    return 1;
  }
  return 0;
}

await runMain(async () => {
  await installDependencies();
  await ensureChromium();
  await ensureVulkan();
  await ensureCodeServer();
  const code = await runGroups();
  const skipped = total.skipped ? `, ${total.skipped} skipped` : '';
  say(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
  return code;
});
