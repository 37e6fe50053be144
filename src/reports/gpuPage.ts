import type { Checked } from '../rpc/schema.js';
import type { gpuPageArguments } from './pageArguments.js';

type Argument<Name extends keyof typeof gpuPageArguments> = Checked<
  (typeof gpuPageArguments)[Name]
>;

/**
 * Methods that a page offers to an extension host that wants the window's GPU. A worker of the page has it;
 * what the host and the worker say to each other are messages of a connection of their own, which the page
 * passes on and does not read.
 */
export interface GpuPageApi {
  /**
   * Starts a worker and waits until it has opened the GPU. Rejects with one sentence where there is none.
   * @param argument `program` is the worker's whole program: a page may load nothing
   */
  startGpu(argument: { readonly worker: number; readonly program: string }): Promise<void>;
  /** Passes a message on to a worker. */
  sendToGpu(argument: { readonly worker: number; readonly message: unknown }): void;
  endGpu(argument: { readonly worker: number }): void;
}

/** Methods that the extension host offers to a page whose workers it has started. */
export interface GpuPageHostApi {
  /** Takes a message of a worker. Nothing says that the worker wrote it: pages are not trusted. */
  receiveFromGpu(argument: Argument<'receiveFromGpu'>): Promise<void>;
  /** Hears that a worker has ended and, in one sentence, why. */
  gpuEnded(argument: Argument<'gpuEnded'>): Promise<void>;
}

/** What the worker tells its page, beside the messages that are passed on. */
export type GpuWorkerMessage = { readonly started: true } | { readonly ended: string };
