import { forEachInSteps, type Steps } from '../storage/slices.js';
import type { OpenedShard } from './mergeShards.js';

type Metadata = Record<string, string>;

/** Metadata of all shards, in steps; a key whose value differs between shards appears once for each of them. */
export function* mergeMetadata(
  shards: readonly Pick<OpenedShard, 'file' | 'metadata'>[],
): Steps<Readonly<Metadata>> {
  if (shards.length === 1) return shards[0].metadata;
  const first = Object.create(null) as Metadata;
  const differing = new Set<string>();
  for (const { metadata } of shards) {
    yield* forEachInSteps(Object.keys(metadata), (key) => {
      if (!(key in first)) first[key] = metadata[key];
      else if (first[key] !== metadata[key]) differing.add(key);
    });
  }
  if (differing.size === 0) return first;
  const merged = Object.create(null) as Metadata;
  yield* forEachInSteps(Object.keys(first), (key) => {
    if (!differing.has(key)) {
      merged[key] = first[key];
      return;
    }
    for (const { file, metadata } of shards) {
      if (key in metadata) merged[`${key} (${file.name})`] = metadata[key];
    }
  });
  return merged;
}
