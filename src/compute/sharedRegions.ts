import type { MemoryRegion } from '../kernels/workspace.js';

const PAGE = 65536;
/** What 32-bit addresses reach; the compiled kernels declare the same maximum. */
const MAX_PAGES = 65536;

/** The shared WebAssembly memory: each worker's part of it, and what all workers share. */
export class SharedRegions {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
  private readonly regions: (MemoryRegion | undefined)[] = [];
  // The first page holds the modules' own constants.
  private top = PAGE;

  /** The region of a worker, of at least so many bytes; grows by doubling. */
  regionFor(worker: number, needed: number): MemoryRegion {
    const known = this.regions[worker];
    if (known && known.bytes >= needed) return known;
    const region = this.reserve(Math.max(needed, 2 * (known?.bytes ?? 0)));
    this.regions[worker] = region;
    return region;
  }

  /** Bytes that all workers may use; never given back. Untouched pages cost nothing. */
  reserve(wanted: number): MemoryRegion {
    const bytes = Math.ceil(wanted / PAGE) * PAGE;
    const end = this.top + bytes;
    if (end > MAX_PAGES * PAGE) {
      const gigabytes = (end / 2 ** 30).toFixed(1);
      throw new Error(
        `This needs ${gigabytes} GiB of working memory; one WebAssembly memory has 4 GiB`,
      );
    }
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / PAGE);
    if (missing > 0) this.memory.grow(missing);
    const region = { start: this.top, bytes };
    this.top = end;
    return region;
  }

  /** End of what is in use. */
  get end(): number {
    return this.top;
  }
}
