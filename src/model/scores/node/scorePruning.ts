import { lstat, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const UNUSED_MILLISECONDS = 30 * 24 * 3600 * 1000;
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Removes files that were not used for 30 days, then the least recently used until all together
 * take no more than 64 MB. What another process removes or holds meanwhile is passed over.
 * @param keep files in use
 */
export async function pruneScores(
  folder: string,
  suffix: string,
  keep: readonly string[],
): Promise<void> {
  const kept = new Set(keep.map((path) => resolve(path)));
  const files: { path: string; used: number; bytes: number }[] = [];
  for (const name of await readdir(folder)) {
    if (!name.endsWith(suffix)) continue;
    const path = join(folder, name);
    const found = await lstat(path).catch(() => undefined);
    if (found?.isFile()) files.push({ path, used: found.mtimeMs, bytes: found.size });
  }
  files.sort((one, other) => one.used - other.used);
  const oldest = Date.now() - UNUSED_MILLISECONDS;
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  for (const file of files) {
    if (kept.has(resolve(file.path)) || (file.used >= oldest && bytes <= MAX_BYTES)) continue;
    await rm(file.path, { force: true }).catch(() => undefined);
    bytes -= file.bytes;
  }
}
