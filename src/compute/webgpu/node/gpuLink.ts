import type { MessageChannelEnd } from '../../../rpc/rpc.js';

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
