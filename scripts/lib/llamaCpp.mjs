// llama.cpp as an npm package (Linux on x64), for comparisons with it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { npm } from './process.mjs';

const VERSION = '3.22.1';

/** Installs it into a new folder. @param {string} folder */
export async function installLlamaCpp(folder) {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  // Without the optional packages, which are builds for graphics cards.
  const names = ['node-llama-cpp', '@node-llama-cpp/linux-x64'].map((name) => `${name}@${VERSION}`);
  const options = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
  await npm(['install', ...options, ...names], { cwd: folder, quiet: true });
}

/**
 * A model in memory and a context over it, as the version's insides have them: the public interface has no way
 * to ask for all logits.
 * @param {string} packages folder that it was installed into
 * @param {string} modelPath a GGUF file
 * @param {{ context: number, threads: number }} options
 * @param {Record<string, unknown>} more options of its context
 */
export async function loadInLlamaCpp(packages, modelPath, { context, threads }, more = {}) {
  const resolved = createRequire(join(packages, 'package.json')).resolve('node-llama-cpp');
  const { getLlama } = await import(pathToFileURL(resolved).href);
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads });
  const model = await llama.loadModel({ modelPath });
  const { _ctx: inner } = await model.createContext({
    contextSize: context,
    batchSize: context,
    threads: { ideal: threads, min: threads },
    sequences: 1,
    ...more,
  });
  return { llama, model, inner };
}
