import { describe, expect, it } from 'vitest';
import type { CallOptions } from '../../../src/rpc/rpc.js';
import { SharedRead } from '../../../src/vscode/sharedRead.js';

/** A read that ends when told, or when it is cancelled. */
function startRead() {
  let finish!: (value: string) => void;
  let options: CallOptions = {};
  const read = new SharedRead<string>((given) => {
    options = given;
    return new Promise((resolve, reject) => {
      finish = resolve;
      given.signal?.addEventListener('abort', () => reject(new Error('ended')));
    });
  });
  return { read, finish: (value: string) => finish(value), options: () => options };
}

describe('a read that several wait for', () => {
  it('goes on when one of them leaves', async () => {
    const { read, finish } = startRead();
    const abort = new AbortController();
    const leaving = read.wait(abort);
    const staying = read.wait();
    abort.abort();
    await expect(leaving).rejects.toMatchObject({ name: 'AbortError' });
    finish('read');
    expect(await staying).toBe('read');
    expect(read.isCancelled).toBe(false);
  });

  it('ends when all have left', async () => {
    const { read } = startRead();
    const aborts = [new AbortController(), new AbortController()];
    const waits = aborts.map((abort) => read.wait(abort));
    for (const [i, abort] of aborts.entries()) {
      expect(read.isCancelled).toBe(false);
      abort.abort();
      await expect(waits[i]).rejects.toMatchObject({ name: 'AbortError' });
    }
    expect(read.isCancelled).toBe(true);
  });

  it('tells everybody how far it has come', async () => {
    const { read, finish, options } = startRead();
    const heard: number[] = [];
    const waits = [1, 10].map((factor) =>
      read.wait({ onProgress: ({ done }) => heard.push(factor * done) }),
    );
    options().onProgress?.({ done: 3, total: 4 });
    finish('read');
    await Promise.all(waits);
    options().onProgress?.({ done: 4, total: 4 });
    expect(heard).toEqual([3, 30]);
  });
});
