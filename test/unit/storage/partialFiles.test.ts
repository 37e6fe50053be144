import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeAtomically } from '../../../src/storage/node/atomicFile.js';
import {
  endPartial,
  removePartialsNow,
  startPartial,
  sweepPartials,
} from '../../../src/storage/node/partialFiles.js';
import { temporaryFolder } from '../../support/checkpoints.js';

/** The id of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'close');
  return child.pid!;
}

/** A name as this process would give it, with parts of it replaced. */
async function nameOf({ machine, pid, start }: { machine?: string; pid?: number; start?: string }) {
  const path = startPartial('.');
  await endPartial(path);
  const [, prefix, ...parts] = /^(\.quantscope)-(.*?)-(.*?)-(.*?)-(.*)$/.exec(basename(path))!;
  return [prefix, machine ?? parts[0], pid ?? parts[1], start ?? parts[2], parts[3]].join('-');
}

async function makeOld(path: string, hours: number): Promise<void> {
  const time = new Date(Date.now() - hours * 3600 * 1000);
  await utimes(path, time, time);
}

const OTHER_MACHINE = '0123456789ab';
const OLD_STYLE = '.quantscope-0123456789ab.partial';

describe('what killed runs left', () => {
  it('is removed before the next write, and what others still write is not', async () => {
    const folder = await temporaryFolder();
    const ended = await nameOf({ pid: await endedProcess() });
    const kept = [
      await nameOf({}),
      await nameOf({ pid: process.ppid, start: '0' }),
      await nameOf({ machine: OTHER_MACHINE, pid: await endedProcess() }),
      OLD_STYLE,
      '.quantscope-notes.partial',
      'a.partial',
      '.b-12.partial',
    ];
    for (const name of [ended, ...kept]) await writeFile(join(folder, name), 'half');
    await writeAtomically(join(folder, 'out'), {}, (append) => append(Buffer.from('whole')));
    expect((await readdir(folder)).sort()).toEqual([...kept, 'out'].sort());
  });

  it.skipIf(!existsSync('/proc/self/stat'))(
    'is known where its process id belongs to another process by now',
    async () => {
      const folder = await temporaryFolder();
      await writeFile(join(folder, await nameOf({ start: '1' })), '');
      await sweepPartials(join(folder, 'out'));
      expect(await readdir(folder)).toEqual([]);
    },
  );

  it('goes after a day where its process cannot be asked after', async () => {
    const folder = await temporaryFolder();
    const foreign = [
      await nameOf({ machine: OTHER_MACHINE }),
      OLD_STYLE,
      '.quantscope-ba9876543210.partial',
    ];
    for (const name of foreign) await writeFile(join(folder, name), '');
    await makeOld(join(folder, foreign[0]), 25);
    await makeOld(join(folder, foreign[1]), 25);
    await makeOld(join(folder, foreign[2]), 23);
    const own = await nameOf({});
    await writeFile(join(folder, own), '');
    await makeOld(join(folder, own), 1000);
    await sweepPartials(join(folder, 'out'));
    expect((await readdir(folder)).sort()).toEqual([own, foreign[2]].sort());
  });

  it('may be a folder, which is as old as the newest file in it', async () => {
    const folder = await temporaryFolder();
    const ended = await nameOf({ pid: await endedProcess() });
    const foreign = await nameOf({ machine: OTHER_MACHINE });
    const [oldStyle, notOurs] = ['.out-123.partial', '.out-124.partial'];
    for (const name of [ended, foreign, oldStyle, notOurs]) {
      const file = name === notOurs ? 'letter.txt' : 'model.safetensors';
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, file), '');
      if (name !== foreign) await makeOld(join(folder, name, file), 25);
      await makeOld(join(folder, name), 25);
    }
    await sweepPartials(join(folder, 'out'));
    expect((await readdir(folder)).sort()).toEqual([foreign, notOurs].sort());
  });

  it('is never looked for behind a link', async () => {
    const folder = await temporaryFolder();
    const target = join(folder, 'precious');
    await mkdir(target);
    await writeFile(join(target, 'model.safetensors'), 'kept');
    const names = [await nameOf({ pid: await endedProcess() }), OLD_STYLE];
    for (const name of names) await symlink(target, join(folder, name));
    await sweepPartials(join(folder, 'out'));
    expect((await readdir(folder)).sort()).toEqual([...names, 'precious'].sort());
    expect(await readFile(join(target, 'model.safetensors'), 'utf8')).toBe('kept');
  });

  it('is no reason to fail', async () => {
    await sweepPartials(join(await temporaryFolder(), 'absent', 'out'));
  });
});

describe('the end of the process', () => {
  it('takes with it at once what was begun, and nothing that is whole', async () => {
    const folder = await temporaryFolder();
    const [file, directory, whole] = [1, 2, 3].map(() => startPartial(folder));
    await writeFile(file, 'half');
    await mkdir(directory);
    await writeFile(join(directory, 'model.safetensors'), 'half');
    await writeFile(whole, 'whole');
    await rename(whole, join(folder, 'out'));
    await endPartial(whole);
    onTestFinished(() => Promise.all([file, directory].map(endPartial)).then(() => undefined));
    removePartialsNow();
    expect(await readdir(folder)).toEqual(['out']);
  });

  it('finds partial files beside their targets', async () => {
    const path = join(await temporaryFolder(), 'out');
    await writeAtomically(path, {}, async (append) => {
      await append(Buffer.from('half'));
      const [name] = await readdir(dirname(path));
      expect((await lstat(join(dirname(path), name))).isFile()).toBe(true);
      expect(name).toMatch(new RegExp(`^\\.quantscope-[0-9a-f]{12}-${process.pid}-\\d+-`));
    });
  });
});
