import type { GpuPageApi, GpuPageHostApi, GpuWorkerMessage } from '../../src/reports/gpuPage.js';
import type { Handlers, Remote } from '../../src/rpc/rpc.js';

interface RunningWorker {
  /** Carries what the host and the worker say to each other. */
  readonly port: MessagePort;
  end(): void;
}

/** Longer texts say no more; the host takes none. */
const MAX_REASON_CHARACTERS = 1024;

/** Workers of this page that have the GPU, each started when the host asks for it. */
export class GpuWorkers {
  private readonly running = new Map<number, RunningWorker>();

  /** @param host what the host offers, once this page is joined to it */
  constructor(private readonly host: () => Remote<GpuPageHostApi>) {}

  readonly handlers: Handlers<GpuPageApi> = {
    startGpu: ({ worker, program }) => this.start(worker, program),
    sendToGpu: ({ worker, message }) =>
      // What came for the worker is used by nobody else.
      this.running.get(worker)?.port.postMessage(message, findBuffers(message)),
    endGpu: ({ worker }) => this.running.get(worker)?.end(),
  };

  private start(id: number, program: string): Promise<void> {
    // A worker of a page's own folder is refused in a webview: it lies at another origin.
    const url = URL.createObjectURL(new Blob([program], { type: 'text/javascript' }));
    const worker = new Worker(url);
    const { port1: port, port2: workersPort } = new MessageChannel();
    const end = (): void => {
      this.running.delete(id);
      worker.terminate();
      port.close();
    };
    this.running.set(id, { port, end });
    port.onmessage = ({ data }: MessageEvent<unknown>) =>
      void this.host().receiveFromGpu({ worker: id, message: data });
    let hasStarted = false;
    const started = new Promise<void>((resolve, reject) => {
      const fail = (message: string): void => {
        if (!this.running.has(id)) return;
        end();
        const reason = message.slice(0, MAX_REASON_CHARACTERS);
        if (hasStarted) void this.host().gpuEnded({ worker: id, reason });
        else reject(new Error(reason));
      };
      worker.onmessage = ({ data }: MessageEvent<GpuWorkerMessage>) => {
        if ('ended' in data) return fail(data.ended);
        hasStarted = true;
        resolve();
      };
      worker.onerror = ({ message }) =>
        fail(`The worker of the GPU has failed (${message || 'it could not be started'})`);
    });
    worker.postMessage(null, [workersPort]);
    return started.finally(() => URL.revokeObjectURL(url));
  }
}

/** The memory of all arrays of numbers in plain data. */
function findBuffers(value: unknown, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) findBuffers(each, found);
  }
  return [...found];
}
