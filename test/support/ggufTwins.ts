import { readFileSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './checkpoints.js';
import { makeGguf, type MatrixType } from './ggufFiles.js';
import { GOLDEN_MODELS } from './languageModels.js';
import { readRawSafetensors } from './rawSafetensors.js';

/**
 * A golden model, and the GGUF file that a converter makes of it, in one folder.
 * @param changes of the configuration
 * @param type of the matrices in the GGUF file
 */
export async function makeTwins(
  name: string,
  changes: Readonly<Record<string, unknown>> = {},
  type?: MatrixType,
  models: string | URL = GOLDEN_MODELS,
) {
  const folder = await temporaryFolder();
  const golden = join(typeof models === 'string' ? models : fileURLToPath(models), name);
  const text = readFileSync(join(golden, 'config.json'), 'utf8');
  const config = { ...(JSON.parse(text) as Record<string, unknown>), ...changes };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  await copyFile(join(golden, 'model.safetensors'), join(folder, 'model.safetensors'));
  const tensors = readRawSafetensors(join(golden, 'model.safetensors'));
  writeFileSync(join(folder, 'twin.gguf'), makeGguf(tensors, config, type));
  return { folder, tensors };
}
