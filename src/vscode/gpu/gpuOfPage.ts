import { End, type GpuLink } from '../../compute/webgpu/node/gpuLink.js';
import { GpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import type { GpuPageApi, GpuPageHostApi } from '../../reports/gpuPage.js';
import type { Handlers, Remote } from '../../rpc/rpc.js';
import { describeError } from '../../storage/describeError.js';

/** How long a page may take to load and to start a worker. */
const START_MILLISECONDS = 30_000;

interface Worker {
  readonly end: End;
  receive: (message: unknown) => void;
}

/** The GPU of one page, in workers of that page: one for each who wants it, so that all ends with it. */
export class GpuOfPage {
  private readonly workers = new Map<number, Worker>();
  private nextWorker = 1;
  /** Why the page has no GPU, once it has said so. */
  private refusal: string | undefined;
  private readonly waiting = new Set<() => void>();
  private isThere = false;

  /**
   * @param page what the page offers, as it is now
   * @param program reads the worker's program
   */
  constructor(
    private readonly page: () => Remote<GpuPageApi>,
    private readonly program: () => Promise<string>,
  ) {}

  /** What the page may say of its workers. Those that have ended are not heard any more. */
  readonly handlers: Handlers<GpuPageHostApi> = {
    receiveFromGpu: async ({ worker, message }) => this.workers.get(worker)?.receive(message),
    gpuEnded: async ({ worker, reason }) => this.end(worker, reason),
  };

  /** Starts a worker that serves the GPU. @throws GpuFailure that says in one sentence why there is none */
  async open(): Promise<GpuLink> {
    if (this.refusal !== undefined) throw new GpuFailure(this.refusal);
    const id = this.nextWorker++;
    const worker: Worker = { end: new End(), receive: () => undefined };
    this.workers.set(id, worker);
    const close = () => {
      this.end(id, 'The GPU was given back');
      this.page()
        .endGpu({ worker: id })
        .catch(() => undefined);
    };
    try {
      await this.start(id, worker);
    } catch (error) {
      close();
      throw new GpuFailure(describeError(error), { cause: error });
    }
    return {
      channel: {
        post: (message) => {
          if (!this.workers.has(id)) return;
          this.page()
            .sendToGpu({ worker: id, message })
            .catch(() => undefined);
        },
        listen(listener) {
          worker.receive = listener;
          return () => (worker.receive = () => undefined);
        },
      },
      onEnd: (listener) => worker.end.on(listener),
      end: close,
    };
  }

  /**
   * A page begins: what is sent to it from now on is heard. VS Code loads pages again without hiding them, too,
   * as when a panel moves to another group.
   */
  pageIsThere(): void {
    if (this.isThere) this.pageEnded('The page was loaded again');
    this.isThere = true;
    for (const go of this.waiting) go();
    this.waiting.clear();
  }

  /** The page is gone, and its workers with it; the next one may say something else. */
  pageEnded(reason: string): void {
    this.isThere = false;
    for (const id of [...this.workers.keys()]) this.end(id, reason);
    this.refusal = undefined;
  }

  private async start(id: number, { end }: Worker): Promise<void> {
    const program = await this.program();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error('The page did not start its GPU in time')),
        START_MILLISECONDS,
      );
    });
    try {
      const there = new Promise<void>((resolve) => {
        if (this.isThere) resolve();
        else this.waiting.add(resolve);
      });
      const ended = new Promise<never>((_, reject) =>
        end.on((reason) => reject(new Error(reason))),
      );
      await Promise.race([there, late, ended]);
      const started = this.page().startGpu({ worker: id, program });
      started.catch((error: unknown) => {
        // Not where the page itself has gone.
        if (this.workers.has(id)) this.refusal = describeError(error);
      });
      await Promise.race([started, late, ended]);
    } finally {
      clearTimeout(timer);
    }
  }

  private end(id: number, reason: string): void {
    const worker = this.workers.get(id);
    this.workers.delete(id);
    worker?.end.come(reason);
  }
}
