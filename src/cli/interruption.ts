import { constants } from 'node:os';
import { removePartialsNow } from '../storage/node/partialFiles.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Signal = (typeof SIGNALS)[number];

/** npx and shells may deliver one Ctrl-C twice. */
const SAME_PRESS_MILLISECONDS = 100;
/** What a job has to stop by itself, once it has been told. */
const PATIENCE_MILLISECONDS = 1000;

/** Signals that ask the process to end. */
export interface Interruption {
  /** Aborted by the first of them. */
  readonly signal: AbortSignal;
  /** What shells expect of a process that this signal ended: 130 for SIGINT, 143 for SIGTERM. */
  readonly exitCode: number | undefined;
}

/**
 * Listens for signals. The first one aborts, so that jobs stop and clean up; a second one, or a second
 * later, ends the process whatever it waits for.
 */
export function listenForInterruption(): Interruption {
  const abort = new AbortController();
  let first: { readonly signal: Signal; readonly at: number } | undefined;
  const interrupt = (signal: Signal) => {
    if (!first) {
      first = { signal, at: performance.now() };
      // Keeps nothing alive: a process that has come to its end has nothing to wait for.
      setTimeout(() => endNow(signal), PATIENCE_MILLISECONDS).unref();
      abort.abort();
    } else if (performance.now() - first.at > SAME_PRESS_MILLISECONDS) {
      endNow(signal);
    }
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  return {
    signal: abort.signal,
    get exitCode() {
      return first && 128 + constants.signals[first.signal];
    },
  };
}

/**
 * Removes what is half-written and ends the process by the signal's own action. `process.exit` would
 * wait for threads, and a thread that reads from a disk that does not answer never ends.
 */
function endNow(signal: Signal): void {
  // First of all, so that from now on a signal ends the process even while files are being removed.
  for (const each of SIGNALS) process.removeAllListeners(each);
  removePartialsNow();
  // Windows has no such action.
  if (process.platform === 'win32') process.exit(128 + constants.signals[signal]);
  process.kill(process.pid, signal);
}
