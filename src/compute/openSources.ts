import type { ByteSource } from '../storage/byteSource.js';
import type { SourceRef } from '../storage/sourceRef.js';

/** The files that a worker reads, kept open from one chunk to the next. */
export class OpenSources {
  private readonly open = new Map<string, Promise<ByteSource>>();

  constructor(private readonly openSource: (ref: SourceRef) => Promise<ByteSource>) {}

  /** Fills `target`, which may lie in shared memory, from `offset` on. @throws CheckpointError */
  async read(ref: SourceRef, offset: number, target: Uint8Array): Promise<void> {
    await (await this.sourceOf(ref)).read(offset, target);
  }

  private sourceOf(ref: SourceRef): Promise<ByteSource> {
    if (ref.kind === 'memory') return this.openSource(ref);
    // The version belongs to the name: a file that was opened anew after a change is another one.
    const key = `${ref.version} ${ref.uri}`;
    const known = this.open.get(key);
    if (known) return known;
    const source = this.openSource(ref);
    this.open.set(key, source);
    source.catch(() => this.open.delete(key));
    return source;
  }

  async close(): Promise<void> {
    const sources = [...this.open.values()];
    this.open.clear();
    await Promise.allSettled(sources.map(async (source) => (await source).close()));
  }
}
