import { CheckpointError, quoted } from '../storage/errors.js';
import { sortNaturally } from '../storage/naturalOrder.js';
import { isUtf8 } from '../storage/text.js';
import type { ShardIndex } from '../storage/container.js';
import { StrictJsonError, StrictJsonReader } from './strictJson.js';

/** Longest index that is read; the same bound as a header's. */
export const MAX_INDEX_BYTES = 100_000_000;

/**
 * Reads a shard index. Everything about it must be in order: an index that names a tensor twice, or
 * a file outside its own folder, is refused as a whole.
 * @throws CheckpointError InvalidIndex, DuplicateName or PathLeavesFolder
 */
export function parseShardIndex(bytes: Uint8Array, fileName: string): ShardIndex {
  const refuse = (place: string, detail: string) =>
    new CheckpointError(fileName, place, 'InvalidIndex', detail);
  if (!isUtf8(bytes)) throw refuse('', 'the text is not UTF-8');
  let weightMap: Map<string, string> | undefined;
  try {
    const reader = new StrictJsonReader(bytes);
    reader.enterObject();
    for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
      if (key !== 'weight_map') {
        reader.skipValue();
        continue;
      }
      if (weightMap) throw new StrictJsonError(reader.position, '"weight_map" stands here twice');
      weightMap = readWeightMap(reader, fileName);
    }
    reader.end();
  } catch (error) {
    if (error instanceof StrictJsonError) throw refuse(`byte ${error.position}`, error.reason);
    throw error;
  }
  if (!weightMap) throw refuse('', '"weight_map" is missing');
  if (weightMap.size === 0) throw refuse('weight_map', 'it names no tensor');
  return { weightMap, shards: groupByShard(weightMap) };
}

function readWeightMap(reader: StrictJsonReader, fileName: string): Map<string, string> {
  const weightMap = new Map<string, string>();
  reader.enterObject();
  for (let tensor = reader.nextKey(); tensor !== undefined; tensor = reader.nextKey()) {
    const place = `weight_map, tensor ${quoted(tensor)}`;
    const shard = reader.readString();
    const fault = nameFault(shard);
    if (fault !== undefined) {
      const detail = `${quoted(shard)} ${fault}; a shard must lie in the folder of its index`;
      throw new CheckpointError(fileName, place, 'PathLeavesFolder', detail);
    }
    if (weightMap.has(tensor)) {
      const detail = `listed twice, in ${quoted(weightMap.get(tensor)!)} and in ${quoted(shard)}`;
      throw new CheckpointError(fileName, place, 'DuplicateName', detail);
    }
    weightMap.set(tensor, shard);
  }
  return weightMap;
}

/** Why a shard's name is not that of a file in the same folder, on any system; undefined when it is. */
function nameFault(name: string): string | undefined {
  if (name === '') return 'is no file name';
  if (/^[\\/]/.test(name) || /^[A-Za-z]:/.test(name)) return 'is an absolute path';
  if (/[\\/]/.test(name)) return 'is a path into another folder';
  if (name === '.' || name === '..') return 'is a folder';
  if (name.includes('\0')) return 'contains a NUL character';
  return undefined;
}

function groupByShard(weightMap: ReadonlyMap<string, string>): Map<string, Set<string>> {
  const groups = new Map<string, Set<string>>();
  for (const [tensor, shard] of weightMap) {
    const group = groups.get(shard);
    if (group) group.add(tensor);
    else groups.set(shard, new Set([tensor]));
  }
  return new Map(sortNaturally(groups, ([shard]) => shard));
}
