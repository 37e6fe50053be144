import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isProcessAlive, MACHINE_ID, PROCESS_START } from './processIdentity.js';

/** Machine, process and its start, and what makes it unique. */
const PARTIAL = /^\.quantscope-([0-9a-f]{12})-([1-9]\d{0,9})-(\d+)-[0-9a-f]{12}\.partial$/;
/** Files of versions that did not say whose they are. */
const OWNERLESS = /^\.quantscope-[0-9a-f]{12}\.partial$/;
/** What is in a folder of those versions. */
const OF_OWNERLESS_FOLDER = /(\.safetensors|\.index\.json|^\.quantscope-[0-9a-f-]+\.partial)$/;

const DAY_MILLISECONDS = 24 * 3600 * 1000;

/** What this thread is writing; removed at once where the process must end. */
const inProgress = new Set<string>();

/** A new name for what is being written, in the folder where it will lie. Nothing is made there. */
export function startPartial(folder: string): string {
  const random = randomBytes(6).toString('hex');
  const owner = `${MACHINE_ID}-${process.pid}-${PROCESS_START}`;
  const path = join(folder, `.quantscope-${owner}-${random}.partial`);
  inProgress.add(path);
  return path;
}

/** Its file or folder has its final name, or is to go. */
export async function endPartial(path: string): Promise<void> {
  // What cannot be removed now is removed by a later run.
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
  inProgress.delete(path);
}

/** Removes, before it returns, all that this thread has begun to write. For the end of the process. */
export function removePartialsNow(): void {
  for (const path of inProgress) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // The next run that writes there removes it.
    }
  }
}

/**
 * Removes what killed runs left in the folder of a target: partial files and folders whose process
 * has ended; those of other machines, and of versions that did not say whose they are, when nothing
 * was written to them for a day. Follows no links, and never fails.
 * @param target path that is about to be written
 */
export async function sweepPartials(target: string): Promise<void> {
  const folder = dirname(target);
  const names = await readdir(folder).catch(() => []);
  const ownerlessFolder = new RegExp(`^\\.${escapePattern(basename(target))}-\\d+\\.partial$`);
  for (const name of names) {
    if (!name.endsWith('.partial')) continue;
    const path = join(folder, name);
    try {
      if (await isLeftBehind(path, name, ownerlessFolder)) {
        await rm(path, { recursive: true, force: true });
      }
    } catch {
      // Another run was faster, or it may not be removed.
    }
  }
}

async function isLeftBehind(path: string, name: string, ownerlessFolder: RegExp): Promise<boolean> {
  const owned = PARTIAL.exec(name);
  if (!owned && !OWNERLESS.test(name) && !ownerlessFolder.test(name)) return false;
  const found = await lstat(path);
  if (!found.isFile() && !found.isDirectory()) return false;
  // Windows has no such ids, and says 0 for both.
  if (found.uid !== (process.getuid?.() ?? found.uid)) return false;
  if (owned && owned[1] === MACHINE_ID) return !isProcessAlive(Number(owned[2]), owned[3]);
  let touched = found.mtimeMs;
  if (found.isDirectory()) {
    const inside = await readdir(path);
    if (!owned && !inside.every((each) => OF_OWNERLESS_FOLDER.test(each))) return false;
    for (const each of inside) touched = Math.max(touched, (await lstat(join(path, each))).mtimeMs);
  }
  return Date.now() - touched > DAY_MILLISECONDS;
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
