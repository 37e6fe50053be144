import { fileURLToPath } from 'node:url';
import { makeMemorySource, type ByteSource } from '../byteSource.js';
import { CheckpointError } from '../errors.js';
import type { SourceRef } from '../sourceRef.js';
import { fileChanged, openLocalFile, type LocalFileOptions } from './localFile.js';

/** How files of a scheme are opened, by the scheme of their URI. */
const SCHEMES: ReadonlyMap<
  string,
  (uri: URL, name: string, options: LocalFileOptions) => Promise<ByteSource>
> = new Map([['file:', (uri, name, options) => openLocalFile(fileURLToPath(uri), name, options)]]);

/**
 * Opens what a reference names: the way to the bytes of tensors, for jobs and for workers.
 * @throws CheckpointError when the file is gone, cannot be read, or was written to since its header
 *   was read
 */
export async function openSource(
  ref: SourceRef,
  options: LocalFileOptions = {},
): Promise<ByteSource> {
  if (ref.kind === 'memory') return makeMemorySource(ref.name, new Uint8Array(ref.bytes));
  if (ref.kind !== 'uri') throw new Error(`${ref.name}: this has no bytes of its own`);
  const uri = new URL(ref.uri);
  const open = SCHEMES.get(uri.protocol);
  if (!open) {
    const detail = `files of the scheme ${uri.protocol} cannot be read here`;
    throw new CheckpointError(ref.name, '', 'ReadFailed', detail);
  }
  const source = await open(uri, ref.name, options);
  const { ref: now, size } = source;
  if (now.kind === 'uri' && now.version === ref.version) return source;
  await source.close();
  throw fileChanged(ref.name, ref.sizeBytes, size, 'since its header was read');
}
