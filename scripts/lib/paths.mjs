import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Top folder of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/[\\/]$/, '');

/** Absolute path of something in the repository. @param {...string} parts */
export const inRoot = (...parts) => path.join(root, ...parts);

/** Downloads and working copies that survive between runs; ignored by git. */
export const cacheFolder = inRoot('.vscode-test');

/** What the scripts write: test bundles, reports, screenshots; ignored by git. */
export const outFolder = inRoot('out');

export const screenshotFolder = path.join(outFolder, 'screenshots');

export const sampleFolder = inRoot('media', 'sample');
