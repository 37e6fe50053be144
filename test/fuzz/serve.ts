import { parentPort, workerData } from 'node:worker_threads';
import { readFixtures } from './fixtures.js';
import { describe, fuzz, type FuzzResult } from './fuzzer.js';
import { writeInput, type Input } from './input.js';
import type { FuzzTarget } from './target.js';

/** What a fuzzing thread is started with. */
export interface FuzzStart {
  readonly target: string;
  readonly seed: number;
  readonly milliseconds: number;
  /** The repository's top folder. */
  readonly root: string;
  /** A folder for files, which the parent removes. */
  readonly scratch: string;
  /** The one input that is to be tried; absent: seeds and what is made of them. */
  readonly only?: Input;
  /** Counts the inputs, so that the parent sees whether it goes on. */
  readonly counter: SharedArrayBuffer;
  /** Holds the input that is being tried, for when it hangs. */
  readonly current: SharedArrayBuffer;
}

/** What a fuzzing thread answers; `failure`: the target itself could not be run. */
export type FuzzReply = FuzzResult | { readonly failure: string };

/** Runs one of the targets; the last statement of a fuzzing thread's program. */
export function serveFuzzing(targets: readonly FuzzTarget[]): void {
  const start = workerData as FuzzStart;
  const { seed, root, only } = start;
  const target = targets.find(({ name }) => name === start.target);
  if (!target) throw new Error(`There is no target "${start.target}"`);
  const counter = new Int32Array(start.counter);
  const current = new Uint8Array(start.current);
  let stray: unknown;
  process.on('unhandledRejection', (reason) => (stray ??= reason ?? new Error('Rejected')));
  process.on('uncaughtException', (error) => (stray ??= error));
  void (async () => {
    const seeds = only
      ? [only]
      : [...readFixtures(root, target.name), ...(await target.seeds(root))];
    const result: FuzzReply = await fuzz(target, seeds, {
      seed,
      milliseconds: only ? 0 : start.milliseconds,
      maxInputBytes: current.length,
      onInput(input) {
        writeInput(input, current);
        Atomics.add(counter, 0, 1);
      },
      takeStrayError() {
        const taken = stray;
        stray = undefined;
        return taken;
      },
    });
    parentPort!.postMessage(result);
  })().catch((error: unknown) => parentPort!.postMessage({ failure: describe(error) }));
}
