import { constants } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../../../storage/node/makeFolder.js';

/** A larger file is started again, so that it can be read at once. */
const MAX_BYTES = 128 * 1024 * 1024;

const NEWLINE = 0x0a;

/** A file of lines that several processes may append to, and what was found in it. */
export interface ScoreFile {
  readonly handle: FileHandle;
  /** Whole lines that `accept` refused; they are gone from the file. */
  readonly damaged: number;
  /** True where the file was too large, and is empty now. */
  readonly wasTooLarge: boolean;
}

/**
 * Opens or makes a file of lines for appending, and reads it. Damaged lines are made empty where they
 * stand, and a half-written end is cut off: an append that was stopped leaves one.
 * @param accept receives the lines in order; false for one that is damaged
 * @throws where the path is no regular file, or cannot be read and written
 */
export async function openScoreFile(
  path: string,
  accept: (line: string) => boolean,
): Promise<ScoreFile> {
  await makeFolder(dirname(path));
  const handle = await openRegularFile(path, constants.O_APPEND | constants.O_CREAT);
  try {
    const { size } = await handle.stat();
    if (size > MAX_BYTES) {
      await handle.truncate(0);
      return { handle, damaged: 0, wasTooLarge: true };
    }
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await handle.read(bytes, 0, size, 0);
    const { ranges, end } = findDamage(bytes.subarray(0, bytesRead), accept);
    if (end < bytesRead) await handle.truncate(end);
    if (ranges.length > 0) await makeEmpty(path, ranges);
    // Pruning goes by the time of the last change, and reading is use.
    const now = new Date();
    await handle.utimes(now, now);
    return { handle, damaged: ranges.length, wasTooLarge: false };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Where refused lines lie, and where the last whole line ends. */
function findDamage(
  bytes: Buffer,
  accept: (line: string) => boolean,
): { readonly ranges: readonly Range[]; readonly end: number } {
  const ranges: Range[] = [];
  let begin = 0;
  for (let end; (end = bytes.indexOf(NEWLINE, begin)) >= 0; begin = end + 1) {
    if (end > begin && !accept(bytes.toString('utf8', begin, end))) ranges.push({ begin, end });
  }
  return { ranges, end: begin };
}

/** In place, since other processes may be appending: a new file would lose what they write. */
async function makeEmpty(path: string, ranges: readonly Range[]): Promise<void> {
  const handle = await openRegularFile(path, 0);
  try {
    for (const { begin, end } of ranges) {
      await handle.write(Buffer.alloc(end - begin, NEWLINE), 0, end - begin, begin);
    }
  } finally {
    await handle.close();
  }
}

/** Opens for reading and writing what is a file and nothing but that: no link, no pipe, no second name. */
async function openRegularFile(path: string, flags: number): Promise<FileHandle> {
  // Looked at first for a clear message, and for systems that can only follow links.
  const found = await lstat(path).catch(() => undefined);
  if (found && !found.isFile()) throw notAFile();
  const { O_RDWR, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const handle = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | flags, 0o600);
  const opened = await handle.stat();
  if (opened.isFile() && opened.nlink <= 1) return handle;
  await handle.close();
  throw notAFile();
}

function notAFile(): Error {
  return new Error('what lies there is no file of scores but a folder, a link or the like');
}
