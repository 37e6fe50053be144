import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CheckpointError, quoted } from '../errors.js';

/**
 * Refuses what cannot be replaced by a file: a folder, a device, a pipe, also behind a link.
 * @throws CheckpointError WriteFailed
 */
export async function refuseSpecial(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found || found.isFile()) return;
  const what = found.isDirectory() ? 'a folder; name a file in it' : 'a device, pipe or socket';
  throw new CheckpointError(path, '', 'WriteFailed', `this is ${what}`);
}

/**
 * Refuses to replace what a job reads, through whatever link and in whatever spelling it is named.
 * @param path file or folder to be written
 * @param inputs files that the job reads, or that belong to what it reads; those that are not there
 *   must not come to be, either
 * @throws CheckpointError WouldOverwriteInput
 */
export async function refuseInputs(path: string, inputs: readonly string[]): Promise<void> {
  const folders = new Map<string, Promise<string>>();
  const target = await locate(path, folders);
  for (const input of inputs) {
    const found = await locate(input, folders);
    const isSameFile = found.file !== undefined && found.file === target.file;
    if (!isSameFile && found.place !== target.place) continue;
    const name = quoted(basename(input));
    const what =
      found.file === undefined
        ? `${name} is the name of a file of the model`
        : `this is ${name}, an input of the job or a file of its model`;
    const detail = `${what}; choose another name for the output`;
    throw new CheckpointError(path, '', 'WouldOverwriteInput', detail);
  }
}

interface Location {
  /** The same for all links to a file; undefined where nothing is there. */
  readonly file: string | undefined;
  /** The same for all spellings of a path, on disks that tell cases apart or not. */
  readonly place: string;
}

/** @param folders real paths of the folders seen so far */
async function locate(path: string, folders: Map<string, Promise<string>>): Promise<Location> {
  const whole = resolve(path);
  const folder = dirname(whole);
  if (!folders.has(folder))
    folders.set(
      folder,
      realpath(folder).catch(() => folder),
    );
  const found = await stat(whole, { bigint: true })
    .catch(() => lstat(whole, { bigint: true }))
    .catch(() => undefined);
  return {
    file: found && `${found.dev}:${found.ino}`,
    place: join(await folders.get(folder)!, basename(whole))
      .normalize('NFC')
      .toLowerCase(),
  };
}
