// Child of benchLlamaCpp.mjs: node runLlamaCpp.mjs PACKAGES GGUF WINDOWS CONTEXT THREADS
// Decodes windows with all logits and prints tokens per second.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , packages, modelPath, ...numbers] = process.argv;
const [windows, context, threads] = numbers.map(Number);
const resolved = createRequire(join(packages, 'package.json')).resolve('node-llama-cpp');
const { getLlama } = await import(pathToFileURL(resolved).href);
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads });
const model = await llama.loadModel({ modelPath });
const options = {
  contextSize: context,
  batchSize: context,
  threads: { ideal: threads, min: threads },
};
// The public interface has no way to ask for all logits; the version is pinned.
const { _ctx: inner } = await model.createContext({ ...options, sequences: 1 });
const all = Uint32Array.from({ length: context }, (_, index) => index);
const tokens = all.map((index) => ((index * 7919) % 31000) + 300);

/** @param {number} count */
async function decode(count) {
  const begin = performance.now();
  for (let window = 0; window < count; window++) {
    inner.initBatch(context);
    inner.disposeSequence(0);
    inner.addToBatch(0, 0, tokens, all);
    await inner.decodeBatch();
  }
  return (count * context * 1000) / (performance.now() - begin);
}

await decode(1);
console.log(JSON.stringify({ system: llama.systemInfo, tokensPerSecond: await decode(windows) }));
process.exit(0);
