import { createBirpc } from 'birpc';
import { isWireMessage } from './wire.js';

/** What a call may carry beside its arguments: a way to cancel it and a way to hear of progress. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** How far a long call has come. */
export interface Progress {
  /** Work done so far, in the same unit as `total`. */
  readonly done: number;
  readonly total: number;
  /** What is being worked on, for people. */
  readonly message?: string;
}

/** What a handler receives after its arguments. */
export interface CallContext {
  /** Aborted when the caller cancels or the connection closes. */
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
}

// Handlers are declared with exact argument types; `any` is what lets one index signature accept them.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Method = (argument: any) => unknown;

/** The methods one side offers: each takes one plain-data argument and returns plain data. */
export type Methods<Api> = { [Name in keyof Api]: Method };

/** The implementation of an interface: every method also receives a {@link CallContext}. */
export type Handlers<Api extends Methods<Api>> = {
  [Name in keyof Api]: (
    argument: Parameters<Api[Name]>[0],
    context: CallContext,
  ) => Awaited<ReturnType<Api[Name]>> | Promise<Awaited<ReturnType<Api[Name]>>>;
};

/** The other side's interface as seen from here: the same methods, asynchronous. */
export type Remote<Api extends Methods<Api>> = {
  [Name in keyof Api]: (
    argument: Parameters<Api[Name]>[0],
    options?: CallOptions,
  ) => Promise<Awaited<ReturnType<Api[Name]>>>;
};

/** A pair of ends over which structured-cloneable messages travel in order. */
export interface MessageChannelEnd {
  post(message: unknown): void;
  /** Registers the one listener; returns how to remove it. */
  listen(listener: (message: unknown) => void): () => void;
}

export interface Connection<Api extends Methods<Api>> {
  readonly remote: Remote<Api>;
  /** Rejects calls under way, aborts handlers under way, stops listening. */
  close(reason?: string): void;
}

/** The name errors carry when a call was cancelled. */
const CANCELLED = 'AbortError';

/** True for the error of a cancelled call, whichever side it came from. */
export function isCancelled(error: unknown): boolean {
  return error instanceof Error && error.name === CANCELLED;
}

/** The error that a cancelled call rejects with. */
export function makeCancelledError(): Error {
  const error = new Error('Cancelled');
  error.name = CANCELLED;
  return error;
}

/** Throws {@link makeCancelledError} once `signal` is aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw makeCancelledError();
}

/** An error as plain data, since not every channel keeps Error objects. */
interface WireError {
  readonly name: string;
  readonly message: string;
}

type Outcome = { readonly value: unknown } | { readonly error: WireError };

/** Settles with `work`, or rejects as soon as `signal` is aborted; the work itself goes on. */
export async function untilCancelled<Result>(
  work: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (!signal) return work;
  let stop: () => void = () => undefined;
  try {
    return await new Promise((resolve, reject) => {
      stop = () => reject(makeCancelledError());
      signal.addEventListener('abort', stop, { once: true });
      work.then(resolve, reject);
      if (signal.aborted) stop();
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** What actually crosses: one way to invoke, cancel and report, whatever the interface above it. */
interface Wire {
  invoke(call: number, method: string, argument: unknown): Promise<Outcome>;
  cancel(call: number): void;
  progress(call: number, progress: Progress): void;
}

/**
 * Joins two processes by their interfaces. `handlers` implements what this side offers; the result's
 * `remote` is what the other side offers. Errors, progress and cancellation cross in both directions.
 * Arguments arrive as they were sent: handlers for a side that is not trusted come from `guardHandlers`.
 * @param onStray hears that something arrived which is no message of a connection, and was left alone
 */
export function connect<Local extends Methods<Local>, Api extends Methods<Api>>(
  channel: MessageChannelEnd,
  handlers: Handlers<Local>,
  onStray: () => void = () => undefined,
): Connection<Api> {
  const incoming = new Map<number, AbortController>();
  const outgoing = new Map<number, CallOptions>();
  // A page that was rebuilt must not take over the calls of the one before.
  let nextCall = Math.floor(Math.random() * 2 ** 40);
  let unlisten: () => void = () => undefined;

  const wire = createBirpc<Wire, Wire>(
    {
      async invoke(call, method, argument) {
        const controller = new AbortController();
        incoming.set(call, controller);
        try {
          if (!Object.prototype.hasOwnProperty.call(handlers, method)) {
            throw new Error(`Unknown method ${method}`);
          }
          const value = await handlers[method as keyof Local](argument, {
            signal: controller.signal,
            // Work that goes on for a while after the connection closed has nobody to report to.
            progress: (progress) =>
              void wire.progress.asEvent(call, progress).catch(() => undefined),
          });
          return { value };
        } catch (error) {
          const { name, message } = error instanceof Error ? error : new Error(String(error));
          return { error: { name, message } };
        } finally {
          incoming.delete(call);
        }
      },
      cancel: (call) => incoming.get(call)?.abort(),
      progress: (call, progress) => outgoing.get(call)?.onProgress?.(progress),
    },
    {
      post: (message) => channel.post(message),
      on: (listener) => {
        unlisten = channel.listen((message) => {
          if (isWireMessage(message)) listener(message);
          else onStray();
        });
      },
      off: () => unlisten(),
      // A job lasts as long as it lasts; the caller cancels, not a clock.
      timeout: -1,
    },
  );

  async function call(method: string, argument: unknown, options: CallOptions = {}) {
    throwIfCancelled(options.signal);
    const id = nextCall++;
    const onAbort = () => void wire.cancel.asEvent(id).catch(() => undefined);
    outgoing.set(id, options);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const outcome = await wire.invoke(id, method, argument);
      if ('error' in outcome) {
        throw Object.assign(new Error(outcome.error.message), { name: outcome.error.name });
      }
      return outcome.value;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
      outgoing.delete(id);
    }
  }

  const remote = new Proxy({} as Remote<Api>, {
    get: (_, method) =>
      typeof method === 'string' && method !== 'then'
        ? (argument: unknown, options?: CallOptions) => call(method, argument, options)
        : undefined,
  });

  return {
    remote,
    close(reason = 'The connection was closed') {
      for (const controller of incoming.values()) controller.abort();
      incoming.clear();
      wire.$close(new Error(reason));
      unlisten();
    },
  };
}
