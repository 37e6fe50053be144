import fs from 'node:fs';
import path from 'node:path';
import { inRoot, outFolder } from './paths.mjs';

/** Where the extension host leaves the test counts. */
export const hostReportFile = path.join(outFolder, 'reports', 'host.json');

/**
 * Bundles the tests that run inside the extension host.
 * @returns {Promise<string>} the file that exports `run()`
 */
export async function bundleHostTests() {
  const { build } = await import('esbuild');
  const outfile = path.join(outFolder, 'host', 'index.cjs');
  await build({
    absWorkingDir: inRoot(),
    entryPoints: ['test/host/index.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    sourcemap: 'inline',
    // `vscode` exists only in the extension host; mocha is found in node_modules from out/host.
    external: ['vscode', 'mocha'],
  });
  fs.mkdirSync(path.dirname(hostReportFile), { recursive: true });
  fs.rmSync(hostReportFile, { force: true });
  return outfile;
}
