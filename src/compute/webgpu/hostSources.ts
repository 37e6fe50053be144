import type { ByteReader } from '../../storage/openSources.js';
import type { SourceRef } from '../../storage/sourceRef.js';

/** What the side that serves a device asks of the side whose jobs it does. */
export interface HostSourcesApi {
  read(range: { key: number; offset: number; bytes: number }): Promise<Uint8Array>;
}

/** Sources that the other side cannot read itself, by keys. */
export class HostSources {
  private readonly keys = new Map<unknown, number>();
  private readonly sources: SourceRef[] = [];

  /**
   * @param reader reads them here
   * @param isReadable which sources the other side reads itself
   */
  constructor(
    private readonly reader: ByteReader,
    private readonly isReadable: (source: SourceRef) => boolean,
  ) {}

  /** A source as the other side gets it. */
  share(source: SourceRef): SourceRef {
    if (source.kind === 'device' || source.kind === 'host' || this.isReadable(source))
      return source;
    // The same bytes are the same source, however often they are named.
    const identity = source.kind === 'memory' ? source.bytes : JSON.stringify(source);
    let key = this.keys.get(identity);
    if (key === undefined) {
      key = this.sources.push(source) - 1;
      this.keys.set(identity, key);
    }
    return { kind: 'host', name: source.name, key };
  }

  /** Answers the other side. */
  readonly api = {
    read: async ({ key, offset, bytes }: { key: number; offset: number; bytes: number }) => {
      const target = new Uint8Array(bytes);
      await this.reader.read(this.sources[key], offset, target);
      return target;
    },
  };
}

/** A reader that asks the other side for what is its own. */
export function makeHostReader(
  read: (range: { key: number; offset: number; bytes: number }) => Promise<Uint8Array>,
  own?: ByteReader,
): ByteReader {
  return {
    async read(source, offset, target) {
      if (source.kind === 'host') {
        target.set(await read({ key: source.key, offset, bytes: target.byteLength }));
      } else if (own) await own.read(source, offset, target);
      else throw new Error(`${source.name} cannot be read beside the GPU`);
    },
  };
}

/** Sources that lie in memory, themselves or as parts of a weight. */
export function liesInMemory(source: SourceRef): boolean {
  if (source.kind !== 'decoded') return source.kind === 'memory';
  return Object.values(source.weight.parts).some((part) => liesInMemory(part.source));
}

/** A task with each of its sources replaced: of a chunk, of a matrix, or its own. */
export function mapSources(task: unknown, map: (source: SourceRef) => SourceRef): unknown {
  const { chunk, matrix, source } = task as Partial<
    Record<'chunk' | 'matrix', { readonly source: SourceRef }> & { readonly source: SourceRef }
  >;
  if (chunk) return { ...(task as object), chunk: { ...chunk, source: map(chunk.source) } };
  if (matrix) return { ...(task as object), matrix: { ...matrix, source: map(matrix.source) } };
  // Matrices in memory are sources of products too, but of another kind.
  if (source && 'kind' in source) return { ...(task as object), source: map(source) };
  return task;
}
