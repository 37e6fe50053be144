import type { OpenedModel } from '../../../checkpoint/types.js';
import { withSource } from '../../../storage/fileSystem.js';
import { hashOf } from './hashOf.js';

/**
 * What tells one state of a model from another: names, sizes, times of change and headers of its
 * files, and its configuration. Undefined for a model whose files do not say when they changed.
 */
export async function fingerprintModel(model: OpenedModel): Promise<string | undefined> {
  const { fileSystem, files, tensors, config } = model;
  const parts: (string | Uint8Array)[] = [];
  for (const { name, path } of files) {
    const version = await fileSystem.version(path);
    if (version === undefined) return undefined;
    await withSource(fileSystem, path, async (source) => {
      // All that stands before the first tensor.
      const offsets = tensors.filter(({ file }) => file === name).map(({ offset }) => offset);
      const start = offsets.reduce((least, offset) => Math.min(least, offset), source.size);
      const header = new Uint8Array(start);
      await source.read(0, header);
      parts.push(name, version, header);
    });
  }
  parts.push(JSON.stringify(config ?? null));
  return hashOf(parts);
}
