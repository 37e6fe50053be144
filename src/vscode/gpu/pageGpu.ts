import { connectGpu, type LinkedGpu } from '../../compute/webgpu/node/connectGpu.js';
import type { GpuLink } from '../../compute/webgpu/node/gpuLink.js';
import type { GpuProvider } from '../../jobs/backends/backends.js';
import { GpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import { openStoredSources } from '../../layouts/node/openStored.js';
import type { GpuOfPage } from './gpuOfPage.js';

/** A page that may be asked for its GPU. */
export interface GpuPage {
  readonly gpu: GpuOfPage;
  /** False where VS Code has discarded it until it is shown again. */
  readonly isThere: boolean;
}

/**
 * The GPU of the window, which one of the open pages has. It is not to be had while all are hidden: VS Code
 * discards such pages, and with `retainContextWhenHidden` it would suspend them and hold back their messages. Jobs
 * go on with threads; those that begin when a page is shown again have the GPU again.
 */
export class PageGpu implements GpuProvider {
  private readonly pages = new Set<GpuPage>();
  private readonly connections = new Set<LinkedGpu>();

  add(page: GpuPage): void {
    this.pages.add(page);
  }

  remove(page: GpuPage): void {
    this.pages.delete(page);
  }

  /** The way to a worker of the page that was opened last. @throws GpuFailure */
  async open(): Promise<GpuLink> {
    const page = [...this.pages].filter(({ isThere }) => isThere).at(-1);
    if (!page) throw new GpuFailure('The GPU of this window needs a Format Comparison in sight');
    return page.gpu.open();
  }

  async connect(): Promise<LinkedGpu> {
    const link = await this.open();
    const connection = await connectGpu(link, openStoredSources());
    this.connections.add(connection);
    link.onEnd(() => this.connections.delete(connection));
    return connection;
  }

  /** Gives back what {@link connect} gave. */
  end(): void {
    for (const connection of this.connections) connection.end();
  }
}
