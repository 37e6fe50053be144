import type { Methods, Remote } from '../rpc/rpc.js';

/** Files that are shipped with the code. */
export type AssetName =
  | 'kernels.wasm'
  | 'forward.wasm'
  | 'forward-fma.wasm'
  | 'sample text'
  | 'sample calibration text'
  /** Program of a page's worker that serves a GPU. */
  | 'gpuWorker.js'
  | ReportFile
  | ThreadScript;

/** What a comparison in a file of its own is made of. */
export type ReportFile =
  'report.js' | 'report.css' | 'comparison.js' | 'comparison.css' | 'plotly.css';

/** Programs of threads. */
export type ThreadScript =
  'worker.js' | 'tokenizerWorker.js' | 'perplexityWorker.js' | 'gpuProcess.js';

/** The shipped files. */
export interface Assets {
  /** Where a file lies, for what wants a path. */
  path(name: AssetName): string;
  read(name: AssetName): Promise<Uint8Array<ArrayBuffer>>;
  /** Names the programs that compute, by their contents: results of others are not theirs. */
  programHash(): Promise<string>;
}

/** A thread that fulfils an interface. */
export interface Thread<Api extends Methods<Api>> {
  readonly remote: Remote<Api>;
  /** True once the thread has ended, or was told to. */
  readonly ended: boolean;
  /** Settles with `work`; rejects when the thread ends meanwhile without having been told to. */
  whileAlive<Result>(work: Promise<Result>): Promise<Result>;
  /** Ends the thread at once; calls under way are rejected. */
  terminate(): Promise<void>;
}

export interface ThreadOptions {
  /** What the thread is, at the beginning of a sentence: "A compute worker". */
  readonly description: string;
  readonly maxOldGenerationMB?: number;
  /** Room for new objects; less of it means less memory and more frequent collections. */
  readonly maxYoungGenerationMB?: number;
  readonly stackMB?: number;
  /** Ports among what the thread begins with: from then on they are the thread's. */
  readonly transfer?: readonly ThreadPort[];
}

/** An end of a channel between threads, which can be handed to another thread. */
export interface ThreadPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  off(event: 'message', listener: (message: unknown) => void): unknown;
  close(): void;
}

/** What the code asks of whatever runs it: the one place that knows files, threads and the machine. */
export interface Host {
  readonly assets: Assets;
  /** Threads that the machine runs at once. */
  readonly parallelism: number;
  /**
   * Starts a thread that answers `Api`.
   * @param start plain data that the thread begins with
   */
  startThread<Api extends Methods<Api>>(
    script: ThreadScript,
    start: unknown,
    options: ThreadOptions,
  ): Thread<Api>;
  /** Most memory that the process has had so far, in bytes. */
  peakMemoryBytes(): number;
  /** Frees memory that nothing refers to any more, now: of pools that have ended. */
  freeMemory(): void;
}
