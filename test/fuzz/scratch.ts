import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import type { FuzzStart } from './serve.js';

/** A folder of this thread's own, which is removed when fuzzing ends. */
export function scratchFolder(): string {
  return mkdtempSync(join((workerData as FuzzStart).scratch, 'thread-'));
}
