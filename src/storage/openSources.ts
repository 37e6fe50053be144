import type { ByteSource } from './byteSource.js';
import type { SourceRef } from './sourceRef.js';

/** Decoded weights that are kept ready: the one that is read, and those that take turns with it. */
const KEPT_DECODED = 4;

/** Reads sources, each as often as it is asked. */
export interface ByteReader {
  /** Fills `target` from `offset` on. */
  read(ref: SourceRef, offset: number, target: Uint8Array): Promise<void>;
}

/** Opens a source; what it is decoded from is read through the same open sources. */
export type OpenSource = (ref: SourceRef, sources: OpenSources) => Promise<ByteSource>;

/** The sources that a job reads, kept open from one read to the next. */
export class OpenSources implements ByteReader {
  private readonly files = new Map<string, Promise<ByteSource>>();
  /** Each has tables of its own in memory, so that only the last few are kept. */
  private readonly decoded = new Map<string, Promise<ByteSource>>();

  constructor(private readonly openSource: OpenSource) {}

  /** Fills `target`, which may lie in shared memory, from `offset` on. @throws CheckpointError */
  async read(ref: SourceRef, offset: number, target: Uint8Array): Promise<void> {
    await (await this.sourceOf(ref)).read(offset, target);
  }

  private sourceOf(ref: SourceRef): Promise<ByteSource> {
    if (ref.kind !== 'uri' && ref.kind !== 'decoded') return this.openSource(ref, this);
    const open = ref.kind === 'uri' ? this.files : this.decoded;
    const key = keyOf(ref);
    const known = open.get(key);
    if (known) return known;
    const source = this.openSource(ref, this);
    open.set(key, source);
    source.catch(() => open.delete(key));
    const [oldest] = this.decoded.keys();
    if (this.decoded.size > KEPT_DECODED) this.decoded.delete(oldest);
    return source;
  }

  async close(): Promise<void> {
    const sources = [...this.files.values()];
    this.files.clear();
    this.decoded.clear();
    await Promise.allSettled(sources.map(async (source) => (await source).close()));
  }
}

/** Tells sources apart. */
function keyOf(ref: Extract<SourceRef, { readonly kind: 'uri' | 'decoded' }>): string {
  // The version belongs to the name: a file that was opened anew after a change is another one.
  if (ref.kind === 'uri') return `${ref.version} ${ref.uri}`;
  const { layout, parts, parameters } = ref.weight;
  const places = Object.entries(parts).map(([role, { source, offset }]) => [
    role,
    source.kind === 'uri' || source.kind === 'decoded' ? keyOf(source) : source.name,
    offset,
  ]);
  return JSON.stringify([layout, places, parameters]);
}
