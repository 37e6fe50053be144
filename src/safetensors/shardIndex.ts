import { CheckpointError, quoted } from '../storage/errors.js';
import type { Steps } from '../storage/slices.js';
import { isUtf8 } from '../storage/text.js';
import type { ShardIndex } from '../storage/container.js';
import { STEP_BYTES, StrictJsonError, StrictJsonReader } from './strictJson.js';

/**
 * Reads a shard index, in steps. Everything about it must be in order: an index that names a tensor twice, or
 * a file outside its own folder, is refused as a whole.
 * @throws CheckpointError InvalidIndex, DuplicateName or PathLeavesFolder
 */
export function* parseShardIndex(bytes: Uint8Array, fileName: string): Steps<ShardIndex> {
  const refuse = (place: string, detail: string) =>
    new CheckpointError(fileName, place, 'InvalidIndex', detail);
  if (!(yield* isUtf8(bytes))) throw refuse('', 'the text is not UTF-8');
  let index: ShardIndex | undefined;
  try {
    const reader = new StrictJsonReader(bytes);
    reader.enterObject();
    for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
      if (key !== 'weight_map') {
        yield* reader.skipValue();
        continue;
      }
      if (index) throw new StrictJsonError(reader.position, '"weight_map" stands here twice');
      index = yield* readWeightMap(reader, fileName);
    }
    reader.end();
  } catch (error) {
    if (error instanceof StrictJsonError) throw refuse(`byte ${error.position}`, error.reason);
    throw error;
  }
  if (!index) throw refuse('', '"weight_map" is missing');
  if (index.weightMap.size === 0) throw refuse('weight_map', 'it names no tensor');
  return index;
}

function* readWeightMap(reader: StrictJsonReader, fileName: string): Steps<ShardIndex> {
  const weightMap = new Map<string, string>();
  /** Each shard's name by itself: one text for all of its tensors. */
  const shards = new Map<string, string>();
  let yielded = reader.position;
  reader.enterObject();
  for (let tensor = reader.nextKey(); tensor !== undefined; tensor = reader.nextKey()) {
    const named = reader.readString();
    let shard = shards.get(named);
    if (shard === undefined) {
      const fault = nameFault(named);
      if (fault !== undefined) {
        const detail = `${quoted(named)} ${fault}; a shard must lie in the folder of its index`;
        throw new CheckpointError(fileName, placeOf(tensor), 'PathLeavesFolder', detail);
      }
      shards.set(named, (shard = named));
    }
    if (weightMap.has(tensor)) {
      const detail = `listed twice, in ${quoted(weightMap.get(tensor)!)} and in ${quoted(shard)}`;
      throw new CheckpointError(fileName, placeOf(tensor), 'DuplicateName', detail);
    }
    weightMap.set(tensor, shard);
    if (reader.position - yielded > STEP_BYTES) {
      yielded = reader.position;
      yield;
    }
  }
  return { weightMap, shards: [...shards.keys()] };
}

function placeOf(tensor: string): string {
  return `weight_map, tensor ${quoted(tensor)}`;
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
