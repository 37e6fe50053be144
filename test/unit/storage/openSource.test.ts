import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { makeMemorySource } from '../../../src/storage/byteSource.js';
import { openLocalFile } from '../../../src/storage/node/localFile.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { openSource } from '../../../src/storage/node/openSource.js';
import { temporaryFolder } from '../../support/checkpoints.js';

async function file(name: string, content: string) {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return path;
}

describe('a source that another thread opens', () => {
  it.each([false, true])('has the same bytes, read while waiting: %s', async (blocking) => {
    const path = await file('a %20 ü#.bin', '0123456789');
    const first = await openLocalFile(path);
    const { ref } = first;
    await first.close();
    const source = await openSource(structuredClone(ref), { blocking });
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    await source.read(3, shared);
    expect(Buffer.from(shared).toString()).toBe('3456');
    await expect(source.read(7, shared)).rejects.toThrow('the file has 10 (ReadBeyondEnd)');
    await source.close();
  });

  it('is refused when the file changed since its header was read', async () => {
    const path = await file('m.bin', 'abc');
    const { ref, close } = await openLocalFile(path).then((source) => ({
      ref: source.ref,
      close: () => source.close(),
    }));
    await close();
    await appendFile(path, 'd');
    await expect(openSource(ref)).rejects.toThrow(
      'grew since its header was read: 3 bytes then, 4 now',
    );
  });

  it('is chosen by the scheme of its URI, and unknown schemes are refused', async () => {
    const path = await file('m.bin', 'abc');
    const uri = pathToFileURL(path).href;
    const version = (await localFileSystem.version(path))!;
    const source = await openSource({ kind: 'uri', name: 'm', uri, sizeBytes: 3, version });
    expect(source.size).toBe(3);
    await source.close();
    const uriOfOther = 'ftp://host/m';
    const remote = { kind: 'uri', name: 'm', uri: uriOfOther, sizeBytes: 3, version } as const;
    await expect(openSource(remote)).rejects.toThrow('the scheme ftp: cannot be read here');
  });

  it('shares memory with who made it, without a copy where it may', async () => {
    const shared = new SharedArrayBuffer(3);
    const whole = makeMemorySource('m', new Uint8Array(shared));
    expect(whole.ref).toEqual({ kind: 'memory', name: 'm', bytes: shared });
    const part = makeMemorySource('m', Uint8Array.of(1, 2, 3).subarray(1));
    const { ref } = part;
    const opened = await openSource(ref);
    const bytes = new Uint8Array(2);
    await opened.read(0, bytes);
    expect([...bytes]).toEqual([2, 3]);
  });
});
