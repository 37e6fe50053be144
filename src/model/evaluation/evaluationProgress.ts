import type { CallOptions } from '../../rpc/rpc.js';
import type { Batch } from './passes.js';

/** How far an evaluation is, in multiplications and additions. */
export class EvaluationProgress {
  private done = 0;

  /**
   * @param total of all windows that are to be evaluated
   * @param windows those of the request
   */
  constructor(
    private readonly total: number,
    private readonly windows: number,
    private readonly onProgress: CallOptions['onProgress'],
  ) {}

  advance(flops: number, batch: Batch, place: string): void {
    // The unquantized model is taken to later forks again; that is not worth its own account.
    this.done = Math.min(this.total, this.done + flops);
    const message = `${place}, ${this.nameWindows(batch)}`;
    this.onProgress?.({ done: this.done, total: this.total, message });
  }

  private nameWindows({ windows }: Batch): string {
    const [first] = windows;
    const last = windows[windows.length - 1];
    const named = first === last ? `window ${first + 1}` : `windows ${first + 1}–${last + 1}`;
    return `${named} of ${this.windows}`;
  }
}
