import type * as vscode from 'vscode';
import type { Host, ThreadPort } from '../../host/host.js';
import { Backends } from '../../jobs/backends/backends.js';
import { lendGpu } from '../../jobs/backends/node/lentGpu.js';
import { MeasuredRates } from '../../jobs/backends/measuredRates.js';
import { NodeGpu } from '../../jobs/backends/node/nodeGpu.js';
import { WindowGpu } from '../../jobs/backends/windowGpu.js';
import type { PerplexityThreadStart } from '../../jobs/perplexity/threadApi.js';
import { readSettings } from '../settings.js';
import { PageGpu } from './pageGpu.js';

/** A device that nobody uses keeps its memory, and files that were read stay open; so it goes after this long. */
const IDLE_MILLISECONDS = 2 * 60 * 1000;

/** How jobs of the window come by a GPU: in a process, where the package for that is named, else in a page. */
export class GpuAccess implements vscode.Disposable {
  /** Where Format Comparison panels put their pages. */
  readonly pages = new PageGpu();
  /** Of all machines of the session, whichever thread measured them. */
  readonly rates = new MeasuredRates();
  private node: NodeGpu | undefined;
  /** Of settings that have changed. */
  private readonly outdated: NodeGpu[] = [];
  private current: { readonly key: string; readonly backends: Backends } | undefined;
  private jobs = 0;
  private idle: NodeJS.Timeout | undefined;

  /** @param log hears in one sentence what was found and chosen */
  constructor(
    private readonly host: Host,
    private readonly log?: (line: string) => void,
  ) {}

  /** Runs a job with the choice that the settings make; the GPU lasts at least as long as the job. */
  async use<T>(job: (backends: Backends) => Promise<T>): Promise<T> {
    clearTimeout(this.idle);
    this.jobs++;
    try {
      return await job(this.backends());
    } finally {
      this.jobs--;
      if (this.jobs === 0) this.idle = setTimeout(() => this.end(), IDLE_MILLISECONDS);
    }
  }

  /** The choice that the settings make. */
  backends(): Backends {
    const { backend, webgpuPackage } = readSettings();
    const key = JSON.stringify([backend, webgpuPackage]);
    if (this.current?.key !== key) {
      // Jobs under way go on with what they have.
      if (this.node) this.outdated.push(this.node);
      this.node = webgpuPackage
        ? new NodeGpu(this.host, { packageFolder: webgpuPackage })
        : undefined;
      const provider = new WindowGpu(this.node, this.pages);
      const { log, rates } = this;
      this.current = { key, backends: new Backends(backend, provider, { log, rates }) };
    }
    return this.current.backends;
  }

  /** The same choice for a thread that measures perplexity, which makes its own from it. */
  lend(): Pick<PerplexityThreadStart, 'backend' | 'webgpuPackage' | 'gpuPort' | 'rates'> {
    const { backend, webgpuPackage } = readSettings();
    const mayUse = backend === 'auto' || backend === 'webgpu';
    const gpuPort: ThreadPort | undefined = mayUse ? lendGpu(() => this.pages.open()) : undefined;
    return { backend, webgpuPackage, gpuPort, rates: this.rates.all };
  }

  /** The program of the worker in which a page has the GPU. */
  async readPageProgram(): Promise<string> {
    return new TextDecoder().decode(await this.host.assets.read('gpuWorker.js'));
  }

  dispose(): void {
    clearTimeout(this.idle);
    this.end();
  }

  private end(): void {
    this.pages.end();
    for (const node of [this.node, ...this.outdated.splice(0)]) void node?.end();
  }
}
