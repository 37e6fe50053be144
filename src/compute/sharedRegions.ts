import { regionBytesFor, type MemoryRegion } from '../kernels/workspace.js';
import { CHUNK_ELEMENTS } from './chunks.js';

const PAGE = 65536;
/** What 32-bit addresses reach; the compiled kernels declare the same maximum. */
const MAX_PAGES = 65536;

/** The shared WebAssembly memory and each worker's part of it. */
export class SharedRegions {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
  private readonly regions: (MemoryRegion | undefined)[] = [];
  // The first page holds the module's own constants.
  private top = PAGE;

  /** The region of a worker, at least large enough for `elements`; grows by doubling. */
  regionFor(worker: number, elements: number): MemoryRegion {
    const known = this.regions[worker];
    const needed = regionBytesFor(Math.max(elements, CHUNK_ELEMENTS));
    if (known && known.bytes >= needed) return known;
    const bytes = Math.ceil(Math.max(needed, 2 * (known?.bytes ?? 0)) / PAGE) * PAGE;
    const end = this.top + bytes;
    if (end > MAX_PAGES * PAGE) {
      throw new Error('The weights in one row need more memory than one WebAssembly memory has');
    }
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / PAGE);
    if (missing > 0) this.memory.grow(missing);
    const region = { start: this.top, bytes };
    this.top = end;
    this.regions[worker] = region;
    return region;
  }
}
