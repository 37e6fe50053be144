import type { TaskMachine } from '../../compute/taskMachine.js';
import type { MemoryRegion } from '../../kernels/workspace.js';

/** Shared memory for inputs that someone observes, by site; none is taken before it is needed. */
export class InputBuffers<Site extends string> {
  private readonly regions = new Map<Site, MemoryRegion>();

  constructor(private readonly pool: TaskMachine) {}

  /** Address of room for so many floats; the same for a site as long as that is enough. */
  at(site: Site, floats: number): number {
    const known = this.regions.get(site);
    if (known && known.bytes >= floats * 4) return known.start;
    const region = this.pool.reserve(floats * 4);
    this.regions.set(site, region);
    return region.start;
  }
}
