import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, open, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { decodeText } from '../../../src/storage/text.js';
import { expectRefusal, folderOf, temporaryFolder } from '../../support/safetensorsFiles.js';

const LIMIT = { what: 'a note', maxBytes: 10, advice: 'shorten it' };
const read = (path: string, limit = LIMIT) => localFileSystem.read(path, limit);

describe('a file that is read whole', () => {
  it('is given up to its limit, and refused beyond with size, limit and advice', async () => {
    const folder = await folderOf({ empty: '', full: '0123456789', over: '0123456789ab' });
    expect(await read(join(folder, 'empty'))).toHaveLength(0);
    expect(Buffer.from(await read(join(folder, 'full'))).toString()).toBe('0123456789');
    const path = join(folder, 'over');
    const said = [path, '12 bytes', 'a note may have 10 at most', 'shorten it'];
    await expectRefusal(() => read(path), 'FileTooLarge', ...said);
  });

  it('costs nothing where its size alone is too much', async () => {
    const path = join(await temporaryFolder(), 'sparse');
    const file = await open(path, 'w');
    await file.truncate(2 ** 40);
    await file.close();
    await expectRefusal(() => read(path), 'FileTooLarge', `${2 ** 40} bytes`);
  });

  it('is read to its end when it grows meanwhile, as far as the limit', async () => {
    const path = join(await folderOf({ log: 'a'.repeat(9_000_000) }), 'log');
    const limit = { ...LIMIT, maxBytes: 20_000_000 };
    const [bytes] = await Promise.all([read(path, limit), appendFile(path, 'a'.repeat(1_000_000))]);
    expect([9_000_000, 10_000_000]).toContain(bytes.length);
  });

  // Linux says 0 of the size of what it makes up while it is read.
  it.skipIf(!existsSync('/proc/self/maps'))('need not tell its size', async () => {
    const text = Buffer.from(await read('/proc/self/maps', { ...LIMIT, maxBytes: 10_000_000 }));
    expect(text.toString()).toMatch(/^[0-9a-f]+-[0-9a-f]+ .*\n$/s);
    await expectRefusal(() => read('/proc/self/maps'), 'FileTooLarge', 'more than 10 bytes');
    await expectRefusal(() => read('/proc/self/mem'), 'ReadFailed');
  });

  it.skipIf(process.platform === 'win32')('is a file, through any link, and at once', async () => {
    const folder = await temporaryFolder();
    const at = (name: string) => join(folder, name);
    await mkdir(at('folder'));
    execFileSync('mkfifo', [at('pipe')]);
    const server = createServer().listen(at('socket'));
    await once(server, 'listening');
    for (const [name, target] of [
      ['to-pipe', at('pipe')],
      ['to-socket', at('socket')],
      ['to-folder', at('folder')],
      ['endless', '/dev/zero'],
      ['nowhere', at('absent')],
      ['circle', at('circle')],
    ]) {
      await symlink(target, at(name));
    }
    for (const name of ['pipe', 'socket', 'to-pipe', 'to-socket', 'endless']) {
      await expectRefusal(() => read(at(name)), 'NotAFile', at(name), 'device, pipe or socket');
    }
    for (const name of ['folder', 'to-folder']) {
      await expectRefusal(() => read(at(name)), 'NotAFile', at(name), 'this is a folder');
    }
    await expectRefusal(() => read(at('nowhere')), 'FileNotFound', 'a link to a file that is not');
    await expectRefusal(() => read(at('circle')), 'ReadFailed', at('circle'));
    await expectRefusal(() => read(at('absent')), 'FileNotFound', 'there is no such file');
    server.close();
  });

  it('counts as there when it is a link to nothing', async () => {
    const folder = await temporaryFolder();
    await symlink(join(folder, 'absent'), join(folder, 'link'));
    expect(await localFileSystem.kind(join(folder, 'link'))).toBe('other');
    expect(await localFileSystem.kind(join(folder, 'absent'))).toBeUndefined();
  });
});

describe('text', () => {
  it('is UTF-8', async () => {
    expect(decodeText('t', Buffer.from('grün'))).toBe('grün');
    await expectRefusal(() => decodeText('t', Buffer.from('gr\xfcn', 'latin1')), 'NotUtf8', 't');
  });
});
