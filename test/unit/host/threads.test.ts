import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished } from 'vitest';
import type { Thread } from '../../../src/host/host.js';
import type { TokenizerApi } from '../../../src/model/text/tokenizerApi.js';
import { HOST } from '../../support/checkpoints.js';

function startTokenizer(): Thread<TokenizerApi> {
  const thread = HOST.startThread<TokenizerApi>('tokenizerWorker.js', {}, { description: 'It' });
  onTestFinished(() => thread.terminate());
  return thread;
}

function ask({ remote, whileAlive }: Thread<TokenizerApi>) {
  return whileAlive(remote.tokenize({ tokenizer: new TextEncoder().encode('{'), texts: [] }));
}

it('keeps nothing of what a thread has answered, however long it lives', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const thread = startTokenizer();
  const replies: WeakRef<object>[] = [];
  for (let call = 0; call < 8; call++) replies.push(new WeakRef(await ask(thread)));
  // The last one may still lie in a frame of the loop.
  const kept = () => replies.slice(0, -1).filter((reply) => reply.deref() !== undefined).length;
  for (let round = 0; round < 20 && kept() > 0; round++) {
    await setImmediate();
    collectGarbage();
  }
  expect(kept()).toBe(0);
  expect(thread.ended).toBe(false);
});

it('rejects what waits for a thread that ends, and what comes later', async () => {
  const thread = startTokenizer();
  await ask(thread);
  const never = expect(thread.whileAlive(new Promise(() => undefined))).rejects.toThrow(
    /It stopped unexpectedly/,
  );
  await thread.terminate();
  await never;
  expect(thread.ended).toBe(true);
  await expect(thread.whileAlive(new Promise(() => undefined))).rejects.toThrow(
    /It stopped unexpectedly/,
  );
});
