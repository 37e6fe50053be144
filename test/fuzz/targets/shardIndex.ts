import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ShardIndex } from '../../../src/storage/container.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import { bytesOf, textInput, textOf, withPart } from '../input.js';
import { mutateJson } from '../mutateJson.js';
import { readIndex } from '../safetensors.js';
import { promise, refusal, type FuzzTarget } from '../target.js';

const FILE = 'model.safetensors.index.json';

/** Words of indexes. */
export const INDEX_WORDS = [
  ...['"weight_map"', '"metadata"', '"total_size"', '"model.safetensors"', '"a.safetensors"'],
  ...['"..\\\\a.safetensors"', '"a\\u0000.safetensors"', '"\\u002e\\u002e"', '"A.SAFETENSORS"'],
];

/** An index of shards: what is taken says what the text says, and leaves the folder nowhere. */
export const shardIndex: FuzzTarget = {
  name: 'index',
  seeds: (root) => [
    textInput(
      FILE,
      readFileSync(join(root, 'test/fixtures/golden-models/llama-sharded-linear', FILE), 'utf8'),
    ),
    textInput(
      FILE,
      '{"weight_map":{"a":"model-2.safetensors","__proto__":"model-10.safetensors"}}',
    ),
    textInput(FILE, '{"metadata":{"total_size":1e3},"weight_map":{"\\u0061":"m.safetensors"}}'),
  ],
  mutate(input, random, pool) {
    const donors = [textOf(random.pick(pool), FILE)];
    return withPart(
      input,
      FILE,
      mutateJson(textOf(input, FILE), random, { donors, words: INDEX_WORDS }),
    );
  },
  async check(input) {
    let weightMap: ShardIndex['weightMap'];
    try {
      weightMap = await readIndex(bytesOf(input, FILE), FILE);
    } catch (error) {
      return refusal(error, CheckpointError);
    }
    const { weight_map: stated } = JSON.parse(textOf(input, FILE)) as { weight_map: object };
    const entries = new Map(Object.entries(stated));
    promise(entries.size === weightMap.size, 'tensors were lost');
    for (const [tensor, shard] of weightMap) {
      promise(entries.get(tensor) === shard, `"${tensor}" is said to lie in "${shard}"`);
      const isFile = !/[/\\\0]|^[a-z]:|^\.{0,2}$/i.test(shard);
      promise(isFile, `"${shard}" is no name of a file`);
    }
    return true;
  },
};
