import { MessageChannel } from 'node:worker_threads';
import { connectGpu, type LinkedGpu } from '../../../compute/webgpu/node/connectGpu.js';
import { End, type GpuLink } from '../../../compute/webgpu/node/gpuLink.js';
import type { ThreadPort } from '../../../host/host.js';
import { openChannel } from '../../../host/node/threads.js';
import { openStoredSources } from '../../../layouts/node/openStored.js';
import { describeError } from '../../../storage/describeError.js';
import type { GpuProvider } from '../backends.js';

/** What the lender says, beside the messages that it passes on. */
interface Ended {
  readonly gpuEnded: string;
}

/**
 * Lends a device to another thread, which uses it as {@link LentGpu}.
 * @param open makes the way to it, once the thread asks for it; rejects with one sentence
 * @returns the thread's port. The device is given back when the thread ends.
 */
export function lendGpu(open: () => Promise<GpuLink>): ThreadPort {
  const { port1: own, port2: lent } = new MessageChannel();
  let link: Promise<GpuLink> | undefined;
  const finish = (reason: string): void => {
    own.postMessage({ gpuEnded: reason } satisfies Ended);
    own.close();
  };
  const begin = async (): Promise<GpuLink> => {
    const opened = await open();
    opened.channel.listen((message) => own.postMessage(message));
    opened.onEnd(finish);
    return opened;
  };
  own.on('message', (message) => {
    if (!link) {
      link = begin();
      link.catch((error: unknown) => finish(describeError(error)));
    }
    link.then(
      ({ channel }) => channel.post(message),
      () => undefined,
    );
  });
  own.on('close', () => {
    link?.then(
      (opened) => opened.end(),
      () => undefined,
    );
  });
  return lent;
}

/** The device that another thread lends. */
export class LentGpu implements GpuProvider {
  private readonly link: GpuLink;
  private gpu: Promise<LinkedGpu> | undefined;

  /** @param port from {@link lendGpu} */
  constructor(port: ThreadPort) {
    const end = new End();
    const channel = openChannel(port);
    port.on('message', (message) => {
      const { gpuEnded } = (message ?? {}) as Partial<Ended>;
      if (gpuEnded !== undefined) end.come(gpuEnded);
    });
    port.on('close', () => end.come('The GPU is not lent any more'));
    this.link = { channel, onEnd: (listener) => end.on(listener), end: () => port.close() };
  }

  connect(): Promise<LinkedGpu> {
    this.gpu ??= connectGpu(this.link, openStoredSources());
    return this.gpu;
  }
}
