// Child of benchLlamaCpp.mjs: node runLlamaCpp.mjs PACKAGES GGUF IDS THREADS
// Decodes windows of equal length (IDS: a JSON file of lists) with all logits; prints tokens per second.
import { readFileSync } from 'node:fs';
import { loadInLlamaCpp } from './llamaCpp.mjs';

const [, , packages, modelPath, idsFile, threadsText] = process.argv;
const threads = Number(threadsText);
/** @type {number[][]} */
const windows = JSON.parse(readFileSync(idsFile, 'utf8'));
const context = windows[0].length;
const { llama, inner } = await loadInLlamaCpp(packages, modelPath, { context, threads });
const all = Uint32Array.from({ length: context }, (_, index) => index);

/** @param {readonly number[][]} lists */
async function decode(lists) {
  const begin = performance.now();
  for (const ids of lists) {
    inner.initBatch(context);
    inner.disposeSequence(0);
    inner.addToBatch(0, 0, Uint32Array.from(ids), all);
    await inner.decodeBatch();
  }
  return (lists.length * context * 1000) / (performance.now() - begin);
}

await decode(windows.slice(0, 1));
console.log(JSON.stringify({ system: llama.systemInfo, tokensPerSecond: await decode(windows) }));
process.exit(0);
