import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { inRoot } from './paths.mjs';

/** The generated file. */
const target = inRoot('src', 'kernels', 'wasm', 'assembly', 'config.ts');

/**
 * Writes the kernels' side of the configuration from its schema. A file that is current is left
 * alone, time stamp included: the build compiles kernels again when their sources are newer.
 */
export async function writeKernelConfig() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-config-'));
  try {
    const outfile = path.join(folder, 'configSource.mjs');
    const entryPoints = [inRoot('src', 'kernels', 'wasm', 'configSource.ts')];
    await build({ entryPoints, outfile, bundle: true, format: 'esm', platform: 'node' });
    /** @type {{ configSource(): string }} */
    const { configSource } = await import(pathToFileURL(outfile).href);
    const source = configSource();
    const current = fs.existsSync(target) && fs.readFileSync(target, 'utf8') === source;
    if (!current) fs.writeFileSync(target, source);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
