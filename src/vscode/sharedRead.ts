import { makeCancelledError, type CallOptions, type Progress } from '../rpc/rpc.js';

/** One read that several wait for. It is cancelled when all of them have gone, not when one has. */
export class SharedRead<Result> {
  private readonly abort = new AbortController();
  private readonly watchers = new Set<(progress: Progress) => void>();
  private waiting = 0;
  private readonly result: Promise<Result>;

  constructor(read: (options: CallOptions) => Promise<Result>) {
    this.result = read({
      signal: this.abort.signal,
      onProgress: (progress) => this.watchers.forEach((watch) => watch(progress)),
    });
    // All who waited may have gone.
    this.result.catch(() => undefined);
  }

  /** True once nobody wants the result any more. */
  get isCancelled(): boolean {
    return this.abort.signal.aborted;
  }

  /** The result, or an error of being cancelled as soon as `signal` is aborted. */
  async wait({ signal, onProgress }: CallOptions = {}): Promise<Result> {
    this.waiting++;
    if (onProgress) this.watchers.add(onProgress);
    let leave: (() => void) | undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(makeCancelledError());
      if (signal?.aborted) leave();
      signal?.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([this.result, left]);
    } finally {
      signal?.removeEventListener('abort', leave!);
      if (onProgress) this.watchers.delete(onProgress);
      this.waiting--;
      if (signal?.aborted && this.waiting === 0) this.cancel();
    }
  }

  /** Ends the read, for all that wait for it. */
  cancel(): void {
    this.abort.abort();
  }
}
