// Child of test/slow/llamaCpp.test.ts: node scoreLlamaCpp.mjs PACKAGES GGUF REQUEST
// REQUEST is a JSON file of texts and of windows of ids. Prints the ids of each text, without those that are
// added around it, and of each window the sum of −log p (nats) of all its ids but the first.
import { readFileSync } from 'node:fs';
import { loadInLlamaCpp } from './llamaCpp.mjs';

const [, , packages, gguf, requestFile] = process.argv;
/** @type {{ texts: string[], windows: number[][] }} */
const { texts, windows } = JSON.parse(readFileSync(requestFile, 'utf8'));
const context = Math.max(...windows.map(({ length }) => length));
const { llama, model, inner } = await loadInLlamaCpp(
  packages,
  gguf,
  { context, threads: 2 },
  // Its default is F16.
  { experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' },
);
const sampler = new llama._bindings.AddonSampler(model._model);
sampler.applyConfig({ temperature: 0 });

/** @param {readonly number[]} pairs ids and logits in turn, in any order @param {number} id */
function surprise(pairs, id) {
  let max = -Infinity;
  for (let i = 1; i < pairs.length; i += 2) max = Math.max(max, pairs[i]);
  let sum = 0;
  let own = NaN;
  for (let i = 0; i < pairs.length; i += 2) {
    sum += Math.exp(pairs[i + 1] - max);
    if (pairs[i] === id) own = pairs[i + 1];
  }
  return Math.log(sum) + max - own;
}

/** @param {readonly number[]} ids */
async function score(ids) {
  inner.initBatch(ids.length);
  inner.disposeSequence(0);
  const places = inner.addToBatch(
    0,
    0,
    Uint32Array.from(ids),
    Uint32Array.from(ids.keys()).subarray(0, ids.length - 1),
  );
  await inner.decodeBatch();
  let sum = 0;
  for (const [index, place] of places.entries()) {
    const [, , , logits] = await inner.sampleToken(place, sampler, false, false, true);
    sum += surprise(logits, ids[index + 1]);
  }
  return sum;
}

const sums = [];
for (const ids of windows) sums.push(await score(ids));
const ids = texts.map((text) => [...model.tokenize(text, true)]);
console.log(JSON.stringify({ ids, sums }));
process.exit(0);
