import { visible } from '../storage/errors.js';
import { formatFixed } from './numbers.js';

/** What a report says of where and how long it was computed. */
interface Timings {
  readonly totalSeconds: number;
  readonly backend: string;
  readonly backendReason?: string;
  readonly threads: number;
}

/** "1.24 s, wasm, 2 threads", and why it was computed there where that was a choice. */
export function formatTimings({ totalSeconds, backend, backendReason, threads }: Timings): string {
  // Threads compute little beside a GPU.
  const count = backend === 'webgpu' ? '' : `, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  const reason = backendReason ? ` (${visible(backendReason)})` : '';
  return `${formatFixed(totalSeconds, 2)} s, ${backend}${count}${reason}`;
}
