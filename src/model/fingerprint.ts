import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpointFile } from '../safetensors/index.js';
import type { Checkpoint } from '../safetensors/types.js';
import { hashOf } from './scoreStore.js';

/**
 * What tells one state of a model on disk from another: names, sizes, times of change and headers of
 * its files, and config.json. Undefined for a checkpoint that is not on a local disk.
 */
export async function modelFingerprint(checkpoint: Checkpoint): Promise<string | undefined> {
  if (checkpoint.inMemory) return undefined;
  const parts: (string | Uint8Array)[] = [];
  for (const file of checkpoint.files) {
    const { size, mtimeMs } = await stat(file.path);
    const source = await openCheckpointFile(file);
    try {
      const header = new Uint8Array(8 + file.headerBytes);
      await source.read(0, header);
      parts.push(file.name, String(size), String(mtimeMs), header);
    } finally {
      await source.close();
    }
  }
  parts.push(await readFile(join(checkpoint.folder, 'config.json')));
  return hashOf(parts);
}
