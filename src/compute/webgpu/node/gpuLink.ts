import { GpuFailure } from '../../../kernels/webgpu/gpuFailure.js';
import type { MessageChannelEnd } from '../../../rpc/rpc.js';

/** How long a driver may take to open a device, the start of its process or page included. */
const START_MILLISECONDS = 60_000;

/** Settles with `work`. @throws GpuFailure with this message where it takes too long */
export async function inTime<Result>(work: Promise<Result>, message: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new GpuFailure(message)), START_MILLISECONDS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A way to whoever serves a device. */
export interface GpuLink {
  readonly channel: MessageChannelEnd;
  /** Calls back once, with why it has ended, in one sentence. */
  onEnd(listener: (reason: string) => void): void;
  /** Gives the device back. */
  end(): void;
}

/** The end of something, which comes once: those who wait for it hear of it, late ones too. */
export class End {
  private reason: string | undefined;
  private listeners: ((reason: string) => void)[] = [];

  come(reason: string): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    for (const listener of this.listeners.splice(0)) listener(reason);
  }

  on(listener: (reason: string) => void): void {
    if (this.reason === undefined) this.listeners.push(listener);
    else listener(this.reason);
  }
}
