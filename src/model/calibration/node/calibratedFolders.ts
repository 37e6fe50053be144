import { lstat, readdir, rm, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { visible } from '../../../storage/errors.js';
import { makeFolder } from '../../../storage/node/makeFolder.js';

const UNUSED_MILLISECONDS = 30 * 24 * 3600 * 1000;
const MAX_BYTES = 16 * 2 ** 30;
/** Names of folders that calibrations make, see `calibrateModel.ts`: nothing else is touched. */
const FOLDER_NAME = /^[0-9a-f]{32}-(adjust|quantize)$/;

/** @throws an Error of one line where a folder's disk has too little room for so many bytes */
export async function refuseFullDisk(folder: string, bytes: number): Promise<void> {
  await makeFolder(folder);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free > bytes) return;
  const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`;
  throw new Error(
    `${visible(folder)}: calibrated weights take ${gigabytes(bytes)}, and ${gigabytes(free)} are free here`,
  );
}

/** Notes that a folder of calibrated weights is in use. */
export async function touchFolder(folder: string): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now).catch(() => undefined);
}

/**
 * Removes folders of calibrated weights that were not used for 30 days, then the least recently used until
 * all together take no more than 16 GB. What another process removes meanwhile is passed over.
 * @param keep names of folders in use
 */
export async function pruneCalibrated(
  root: string,
  keep: ReadonlySet<string>,
  maxBytes = MAX_BYTES,
): Promise<void> {
  const folders: { name: string; used: number; bytes: number }[] = [];
  for (const name of await readdir(root).catch(() => [])) {
    if (!FOLDER_NAME.test(name)) continue;
    const found = await lstat(join(root, name)).catch(() => undefined);
    if (!found?.isDirectory()) continue;
    folders.push({ name, used: found.mtimeMs, bytes: await countBytes(join(root, name)) });
  }
  folders.sort((one, other) => one.used - other.used);
  const oldest = Date.now() - UNUSED_MILLISECONDS;
  let bytes = folders.reduce((sum, folder) => sum + folder.bytes, 0);
  for (const folder of folders) {
    if (keep.has(folder.name) || (folder.used >= oldest && bytes <= maxBytes)) continue;
    await rm(join(root, folder.name), { recursive: true, force: true }).catch(() => undefined);
    bytes -= folder.bytes;
  }
}

async function countBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    const found = await lstat(join(folder, name)).catch(() => undefined);
    bytes += found?.size ?? 0;
  }
  return bytes;
}
