import { CheckpointError } from './errors.js';
import type { SourceRef } from './sourceRef.js';

/** Bytes that can be read by range: a file on disk, in memory, or wherever a host keeps it. */
export interface ByteSource {
  /** Name for messages. */
  readonly name: string;
  /** Size in bytes when it was opened. */
  readonly size: number;
  /** How another thread opens the same bytes. */
  readonly ref: SourceRef;
  /**
   * Fills `target`, which may lie in shared memory, with the bytes from `offset` on. Several reads
   * may run at once.
   * @throws CheckpointError when the bytes are not there or cannot be read; `target` is then undefined
   */
  read(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A source over bytes in memory; other threads share them where they lie in shared memory. */
export function makeMemorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    get ref(): SourceRef {
      return { kind: 'memory', name, bytes: sharedCopy(bytes) };
    },
    async read(offset, target) {
      checkRange(name, bytes.length, offset, target.length);
      target.set(bytes.subarray(offset, offset + target.length));
    },
    async close() {},
  };
}

/** The bytes as shared memory: themselves where they are all of one, else a copy. */
function sharedCopy(bytes: Uint8Array): SharedArrayBuffer {
  const { buffer, byteLength } = bytes;
  if (buffer instanceof SharedArrayBuffer && buffer.byteLength === byteLength) return buffer;
  const shared = new SharedArrayBuffer(byteLength);
  new Uint8Array(shared).set(bytes);
  return shared;
}

/** @throws CheckpointError where a range of bytes is not within a file of `size` bytes */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= size) return;
  const detail = `bytes ${offset} to ${offset + length} were asked for, the file has ${size}`;
  throw new CheckpointError(name, '', 'ReadBeyondEnd', detail);
}
