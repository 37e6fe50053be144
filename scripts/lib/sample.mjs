import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder, sampleFolder } from './paths.mjs';

/**
 * Copies the embedded sample to where a user may change it; what else is there stays.
 * @param {string} [folder]
 * @returns {string} the folder
 */
export function copySample(folder = path.join(cacheFolder, 'sample')) {
  fs.cpSync(sampleFolder, folder, { recursive: true });
  return folder;
}
