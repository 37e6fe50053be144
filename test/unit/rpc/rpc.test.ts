import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openChannel } from '../../../src/host/node/threads.js';
import { connect, isCancelled, type Handlers, type Progress } from '../../../src/rpc/rpc.js';

interface ServerApi {
  add(argument: { readonly a: number; readonly b: number }): Promise<number>;
  fail(argument: null): Promise<never>;
  wait(argument: null): Promise<string>;
}

/** Two ends over a real message port. */
function connected(overrides: Partial<Handlers<ServerApi>> = {}) {
  const { port1, port2 } = new MessageChannel();
  const server = connect<ServerApi, Record<never, never>>(openChannel(port1), {
    add: ({ a, b }) => a + b,
    fail: () => {
      throw new RangeError('model.safetensors: rule broken');
    },
    wait: () => new Promise(() => undefined),
    ...overrides,
  });
  const client = connect<Record<never, never>, ServerApi>(openChannel(port2), {});
  onTestFinished(() => {
    server.close();
    client.close();
    port1.close();
    port2.close();
  });
  return client;
}

describe('rpc', () => {
  it('carries arguments and results', async () => {
    expect(await connected().remote.add({ a: 2, b: 3 })).toBe(5);
  });

  it('carries errors with name and message', async () => {
    await expect(connected().remote.fail(null)).rejects.toMatchObject({
      name: 'RangeError',
      message: 'model.safetensors: rule broken',
    });
  });

  it('carries cancellation to the handler and rejects as cancelled', async () => {
    let aborted = false;
    const client = connected({
      wait: (_, { signal, progress }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(Object.assign(new Error('Cancelled'), { name: 'AbortError' }));
          });
          progress({ done: 0, total: 1 });
        }),
    });
    const controller = new AbortController();
    const error = await client.remote
      .wait(null, { signal: controller.signal, onProgress: () => controller.abort() })
      .catch((reason: unknown) => reason);
    expect(isCancelled(error)).toBe(true);
    expect(aborted).toBe(true);
  });

  it('does not call at all when already cancelled', async () => {
    let called = false;
    const client = connected({
      wait: async () => {
        called = true;
        return '';
      },
    });
    const call = client.remote.wait(null, { signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    expect(await client.remote.add({ a: 1, b: 1 })).toBe(2);
    expect(called).toBe(false);
  });

  it('carries progress in order, before the result', async () => {
    const seen: Progress[] = [];
    const client = connected({
      wait: async (_, { progress }) => {
        for (let done = 1; done <= 3; done++) progress({ done, total: 3, message: `step ${done}` });
        return 'finished';
      },
    });
    const result = await client.remote.wait(null, { onProgress: (step) => seen.push(step) });
    expect(result).toBe('finished');
    expect(seen.map(({ done }) => done)).toEqual([1, 2, 3]);
  });

  it('refuses methods that the other side does not offer', async () => {
    const client = connected();
    const remote = client.remote as unknown as Record<
      'constructor',
      (argument: null) => Promise<never>
    >;
    await expect(remote.constructor(null)).rejects.toThrow('Unknown method constructor');
  });

  it('rejects calls under way when the connection closes', async () => {
    const client = connected();
    const call = client.remote.wait(null);
    const outcome = expect(call).rejects.toThrow('The page was closed');
    client.close('The page was closed');
    await outcome;
  });
});
