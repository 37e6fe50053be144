import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { localFileSystem } from '../../storage/node/localFileSystem.js';
import { runInSlices } from '../../storage/slices.js';
import { WHOLE_FILES } from '../../storage/wholeFiles.js';
import { containerOf, CONTAINERS } from '../containers.js';
import { nameShard, parseShardName } from '../shardNames.js';

/** Files beside the weights that are as true of other weights of the same model. */
export const COMPANION_FILES: readonly string[] = [
  'generation_config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'tokenizer.model',
  'tekken.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.json',
  'chat_template.jinja',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'spiece.model',
  'sentencepiece.bpe.model',
  'tiktoken.model',
];

/** Names of files beside the weights that programs take for parts of a model. */
const SIDE_FILES: readonly string[] = [
  'config.json',
  'quantize_config.json',
  'quantization_config.json',
  'hf_quant_config.json',
  'adapter_config.json',
  ...COMPANION_FILES,
  'eval.txt',
  'calibration.txt',
  ...CONTAINERS.flatMap(({ indexSuffix }) => (indexSuffix ? [`model${indexSuffix}`] : [])),
];

/** Shards that are not there and yet looked after; models have some hundreds at most. */
const MAX_ABSENT_SHARDS = 1000;

/** True for names of weights, of indexes, and of what belongs to them. */
export function isModelFileName(name: string): boolean {
  const lower = name.toLowerCase();
  return SIDE_FILES.includes(lower) || containerOf(lower) !== undefined;
}

/**
 * The files that belong to a model on the local disk, whether a job opens them or not: those beside
 * the weights, there or not; the indexes of their folder with all shards that they name; shards that
 * are numbered in one row with the file that is opened. A file that is a link has its siblings in the
 * folder that it leads to, too. Never throws: what cannot be read has nothing to add.
 * @param path a file of tensors, an index, or a model folder
 * @returns full paths
 */
export async function findModelFiles(path: string): Promise<string[]> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return [...new Set(await filesOfFolder(resolve(path), undefined))];
  const real = await realpath(path).catch(() => resolve(path));
  const places = new Set([resolve(path), real]);
  const found = await Promise.all(
    [...places].map((each) => filesOfFolder(dirname(each), basename(each))),
  );
  return [...new Set([...places, ...found.flat()])];
}

/** @param opened name of the file that is opened; undefined where all files of tensors are meant */
async function filesOfFolder(folder: string, opened: string | undefined): Promise<string[]> {
  const names = await localFileSystem.list(folder).catch(() => []);
  const present = new Set(names);
  const ours = new Set(SIDE_FILES);
  const addShards = (shards: Iterable<string>) => {
    let absent = 0;
    for (const shard of shards)
      if (present.has(shard) || absent++ < MAX_ABSENT_SHARDS) ours.add(shard);
  };
  if (opened !== undefined) addShards(numberedSiblings(opened));
  for (const name of names) {
    const recognized = containerOf(name);
    if (!recognized) continue;
    if (!recognized.isIndex) {
      if (opened === undefined) ours.add(name);
      continue;
    }
    ours.add(name);
    // Programs would take it for the whole model, in place of the index.
    const { fileSuffix, indexSuffix = '' } = recognized.container;
    ours.add(name.slice(0, -indexSuffix.length) + fileSuffix);
    try {
      const bytes = await localFileSystem.read(join(folder, name), WHOLE_FILES.shardIndex);
      const index = await runInSlices(recognized.container.readIndex!(bytes, name));
      addShards(index.shards);
    } catch {
      // An index that cannot be read places no shards.
    }
  }
  return [...ours].map((name) => join(folder, name));
}

/** Names of the shards in whose row a shard stands, some of which begin with 0 and some with 1. */
function* numberedSiblings(name: string): Generator<string> {
  const shard = parseShardName(name);
  if (!shard) return;
  for (let each = 0; each <= shard.count; each++) yield nameShard(shard, each);
}
