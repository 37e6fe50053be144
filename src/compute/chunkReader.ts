import { closeSync, openSync, readSync } from 'node:fs';
import type { SourceRef } from '../protocol/worker.js';

/** Larger reads gain nothing, and a cancelled job would wait for them. */
const READ_BYTES = 4 << 20;

/** Reads byte ranges of files straight into (shared) memory; keeps files open between chunks. */
export class ChunkReader {
  private readonly open = new Map<string, number>();

  /**
   * Fills `target` from `offset` on.
   * @throws when the file cannot be opened or ends early, naming it and the place
   */
  read(source: SourceRef, offset: number, target: Uint8Array): void {
    if (source.kind === 'memory') {
      const available = source.bytes.byteLength - offset;
      if (available < target.length) throw endedEarly(source.name, offset + available);
      target.set(new Uint8Array(source.bytes, offset, target.length));
      return;
    }
    const file = this.file(source.path);
    for (let done = 0; done < target.length;) {
      const length = Math.min(READ_BYTES, target.length - done);
      const read = readSync(file, target, done, length, offset + done);
      if (read === 0) throw endedEarly(source.name, offset + done);
      done += read;
    }
  }

  private file(path: string): number {
    let file = this.open.get(path);
    if (file === undefined) {
      file = openSync(path, 'r');
      this.open.set(path, file);
    }
    return file;
  }

  close(): void {
    for (const file of this.open.values()) closeSync(file);
    this.open.clear();
  }
}

function endedEarly(name: string, at: number): Error {
  return new Error(
    `${name}: the file ends at byte ${at} while its header promises more; it changed since it was opened`,
  );
}
