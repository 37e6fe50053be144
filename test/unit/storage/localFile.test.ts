import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { appendFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeMemorySource } from '../../../src/storage/byteSource.js';
import { openLocalFile } from '../../../src/storage/node/localFile.js';
import { expectRefusal, folderOf, temporaryFolder } from '../../support/safetensorsFiles.js';

describe('openLocalFile', () => {
  it('fills a view on shared memory, in several pieces', async () => {
    const content = randomFillSync(Buffer.alloc(9_000_001));
    const folder = await folderOf({ 'w.bin': content });
    const source = await openLocalFile(join(folder, 'w.bin'));
    const memory = new SharedArrayBuffer(content.length + 64);
    const target = new Uint8Array(memory, 32, content.length - 5);
    await source.read(5, target);
    await source.close();
    expect(source).toMatchObject({ name: 'w.bin', size: content.length });
    expect(Buffer.compare(Buffer.from(target), content.subarray(5))).toBe(0);
    expect([
      ...new Uint8Array(memory, 0, 32),
      ...new Uint8Array(memory, 32 + target.length),
    ]).toEqual(Array(69).fill(0));
  });

  it('serves several reads at once, and empty ones', async () => {
    const content = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const source = await openLocalFile(join(await folderOf({ f: content }), 'f'));
    const targets = Array.from({ length: 256 }, () => new Uint8Array(1));
    await Promise.all(targets.map((target, i) => source.read(i, target)));
    await source.read(256, new Uint8Array(0));
    await source.close();
    expect(targets.map(([byte]) => byte)).toEqual([...content]);
  });

  it('refuses ranges outside the file without reading', async () => {
    const source = await openLocalFile(join(await folderOf({ f: 'abcdef' }), 'f'));
    for (const [offset, length] of [
      [0, 7],
      [6, 1],
      [-1, 1],
      [2 ** 60, 1],
      [0.5, 1],
      [NaN, 1],
    ]) {
      const read = () => source.read(offset, new Uint8Array(length));
      await expectRefusal(read, 'ReadBeyondEnd', 'f', 'the file has 6');
    }
    await source.close();
  });

  it('notices that the file was cut off or grew after opening', async () => {
    const folder = await folderOf({ 'm.safetensors': new Uint8Array(1000) });
    const path = join(folder, 'm.safetensors');
    const source = await openLocalFile(path);
    const read = () => source.read(0, new Uint8Array(1000));
    await read();
    await truncate(path, 600);
    await expectRefusal(
      read,
      'FileChanged',
      'm.safetensors',
      'was cut off',
      '1000 bytes then, 600',
    );
    await truncate(path, 1000);
    await appendFile(path, 'x');
    await expectRefusal(read, 'FileChanged', 'grew', '1001 now');
    await source.close();
  });

  it('keeps reading the file it opened when another takes its name', async () => {
    const folder = await folderOf({ f: 'old' });
    const source = await openLocalFile(join(folder, 'f'));
    const { rename } = await import('node:fs/promises');
    await writeFile(join(folder, 'g'), 'newer');
    await rename(join(folder, 'g'), join(folder, 'f'));
    const target = new Uint8Array(3);
    await source.read(0, target);
    await source.close();
    expect(Buffer.from(target).toString()).toBe('old');
  });

  it('names what is not a readable file', async () => {
    const folder = await temporaryFolder();
    await expectRefusal(() => openLocalFile(join(folder, 'absent')), 'FileNotFound', 'absent');
    await expectRefusal(() => openLocalFile(folder), 'NotAFile', 'a folder');
    await writeFile(join(folder, 'f'), '');
    await expectRefusal(() => openLocalFile(join(folder, 'f', 'g')), 'ReadFailed', 'not a folder');
  });

  it.skipIf(process.platform === 'win32')('does not wait for a pipe', async () => {
    const pipe = join(await temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expectRefusal(() => openLocalFile(pipe), 'NotAFile', 'a device, pipe or socket');
  });
});

describe('memorySource', () => {
  it('reads ranges and refuses others', async () => {
    const source = makeMemorySource('m', Buffer.from('abcdef'));
    const target = new Uint8Array(new SharedArrayBuffer(3));
    await source.read(2, target);
    expect(Buffer.from(target).toString()).toBe('cde');
    await expectRefusal(() => source.read(4, target), 'ReadBeyondEnd', 'm');
    await source.close();
  });
});
