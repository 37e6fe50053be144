// Runs test/host in desktop VS Code, which @vscode/test-electron downloads.
// QUANTSCOPE_VSCODE names the version: "stable" (default), "insiders" or "1.100.0".
import path from 'node:path';
import { installDependencies } from './setup.mjs';
import { build } from './lib/build.mjs';
import { temporaryFolder } from './lib/cleanup.mjs';
import { bundleHostTests, hostReportFile } from './lib/hostTests.mjs';
import { inRoot } from './lib/paths.mjs';
import { copySample } from './lib/sample.mjs';
import { runMain } from './lib/terminal.mjs';

await runMain(async () => {
  await installDependencies();
  await build();
  const extensionTestsPath = await bundleHostTests();
  const folder = copySample(path.join(temporaryFolder('host'), 'sample'));
  const { runTests } = await import('@vscode/test-electron');
  return runTests({
    version: process.env.QUANTSCOPE_VSCODE ?? 'stable',
    extensionDevelopmentPath: inRoot(),
    extensionTestsPath,
    extensionTestsEnv: { QUANTSCOPE_TEST_REPORT: hostReportFile },
    launchArgs: [folder, '--disable-extensions', '--disable-workspace-trust'],
  });
});
