import type { Progress } from '../rpc/rpc.js';
import { visible } from '../storage/errors.js';

/** Where progress goes: a stream that may or may not be a terminal. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const TERMINAL_INTERVAL = 100;
const LOG_INTERVAL = 5000;
/** Characters of a message, which may be a name from a file, that are shown at most. */
const MAX_MESSAGE = 200;

/** Shows progress on standard error: one line rewritten on a terminal, else a line now and then. */
export class ProgressLine {
  private lastShown: number;
  private shown = false;

  constructor(
    private readonly stream: ProgressStream,
    private readonly quiet: boolean,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.lastShown = now();
  }

  readonly report = ({ done, total, message }: Progress): void => {
    if (this.quiet) return;
    const interval = this.stream.isTTY ? TERMINAL_INTERVAL : LOG_INTERVAL;
    if (this.now() - this.lastShown < interval) return;
    this.lastShown = this.now();
    const share = total > 0 ? Math.floor((100 * done) / total) : 0;
    const line =
      `${String(share).padStart(3)} %  ${visible((message ?? '').slice(0, MAX_MESSAGE))}`.trimEnd();
    if (this.stream.isTTY) {
      // Cut to the window: a wrapped line could not be rewritten.
      const cut = [...line].slice(0, Math.max(10, (this.stream.columns ?? 80) - 1)).join('');
      this.stream.write(`\r\x1b[K${cut}`);
      this.shown = true;
    } else {
      this.stream.write(`${line}\n`);
    }
  };

  /** Removes the line, so that what follows starts clean. */
  clear(): void {
    if (this.shown) this.stream.write('\r\x1b[K');
    this.shown = false;
  }
}
